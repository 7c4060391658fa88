/* The decoders of all instruction sets in one. */
#ifndef HWGEN_DECODER_H
#define HWGEN_DECODER_H

#include "decode_xcv.h"
#include "decode_xpulpv2.h"

/* An instruction of 32 bits on a core with the extensions `isa`. */
static inline Insn decode(uint32_t w, uint32_t isa) {
    if (isa == ISA_XPULPV2) return decode_xpulpv2(w);
    return isa == ISA_XCV ? decode_xcv(w) : decode_base(w);
}

#endif
