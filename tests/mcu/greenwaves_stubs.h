/*
 * Builtins of GreenWaves' compiler in plain C, so that code which uses them runs on any machine.
 * Written from their documentation: gap_sdk, doc/source/reference/builtins/headers/builtins.h.
 */
#ifndef GREENWAVES_STUBS_H
#define GREENWAVES_STUBS_H

typedef signed char stub_v4s __attribute__((vector_size(4)));
typedef unsigned char stub_v4u __attribute__((vector_size(4)));
typedef short stub_v2s __attribute__((vector_size(4)));

static inline int __builtin_pulp_dotsp4(stub_v4s x, stub_v4s y)
{
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3];
}

static inline int __builtin_pulp_dotusp4(stub_v4u x, stub_v4s y)
{
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3];
}

static inline unsigned __builtin_pulp_dotup4(stub_v4u x, stub_v4u y)
{
    return (unsigned)(x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3]);
}

static inline int __builtin_pulp_sdotsp4(stub_v4s x, stub_v4s y, int z)
{
    return z + __builtin_pulp_dotsp4(x, y);
}

static inline int __builtin_pulp_sdotusp4(stub_v4u x, stub_v4s y, int z)
{
    return z + __builtin_pulp_dotusp4(x, y);
}

static inline unsigned __builtin_pulp_sdotup4(stub_v4u x, stub_v4u y, unsigned z)
{
    return z + __builtin_pulp_dotup4(x, y);
}

static inline int __builtin_pulp_sdotsp2(stub_v2s x, stub_v2s y, int z)
{
    return z + x[0] * y[0] + x[1] * y[1];
}

static inline stub_v4s __builtin_pulp_pack4(signed char x, signed char y, signed char z, signed char t)
{
    return (stub_v4s){x, y, z, t};
}

static inline stub_v2s __builtin_pulp_pack2(short x, short y)
{
    return (stub_v2s){x, y};
}

#define STUB_LANES(NAME, TYPE, SIGN)                                                               \
    static inline TYPE NAME(TYPE x, TYPE y)                                                        \
    {                                                                                              \
        for (int i = 0; i < 4; i++) {                                                              \
            x[i] = x[i] SIGN y[i] ? x[i] : y[i];                                                   \
        }                                                                                          \
        return x;                                                                                  \
    }

STUB_LANES(__builtin_pulp_min4, stub_v4s, <)
STUB_LANES(__builtin_pulp_minu4, stub_v4u, <)
STUB_LANES(__builtin_pulp_max4, stub_v4s, >)
STUB_LANES(__builtin_pulp_maxu4, stub_v4u, >)

static inline int __builtin_pulp_minsi(int x, int y)
{
    return x < y ? x : y;
}

static inline int __builtin_pulp_maxsi(int x, int y)
{
    return x > y ? x : y;
}

static inline int __builtin_pulp_clip_r(int x, int bound)
{
    return x < -bound - 1 ? -bound - 1 : x > bound ? bound : x;
}

static inline unsigned __builtin_pulp_clipu_r(int x, int bound)
{
    return (unsigned)(x < 0 ? 0 : x > bound ? bound : x);
}

static inline int __builtin_pulp_addRN_r(int x, int y, unsigned n)
{
    return (int)(((long long)x + y + ((1LL << n) >> 1)) >> n);
}

static inline int __builtin_pulp_mulsRN(int x, int y, unsigned n, unsigned half)
{
    return ((short)x * (short)y + (int)half) >> n;
}

static inline unsigned __builtin_pulp_muluN(unsigned x, unsigned y, unsigned n)
{
    return (x & 0xffffu) * (y & 0xffffu) >> n;
}

static inline int __builtin_pulp_machhsRN(int x, int y, int acc, unsigned n, unsigned half)
{
    return (acc + (x >> 16) * (y >> 16) + (int)half) >> n;
}

static inline unsigned __builtin_pulp_cnt(int x)
{
    return (unsigned)__builtin_popcount((unsigned)x);
}

static inline int __builtin_pulp_mac(int x, int y, int z)
{
    return z + x * y;
}

#endif
