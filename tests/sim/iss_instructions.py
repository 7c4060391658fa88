"""Instructions with models of what they compute, from the cores' documentation.

The fields are written down a second time here: neither the simulator's decoder nor the table that
emitted code comes from (`hwgen/mcu/dsp/isa.py`) is used. Every instruction has rd = x12, rs1 = x10,
rs2 = x11.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Instruction", "compressed", "extension", "rv32im"]

MASK = 0xFFFF_FFFF
RS1, RS2, RD = 10, 11, 12

Model = Callable[[int, int, int], int]
"""The result of (rs1, rs2, rd before), all unsigned."""


@dataclass(frozen=True)
class Instruction:
    """A word, what it is, and what it must compute."""

    name: str
    word: int
    model: Model


def signed(value: int, bits: int = 32) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def r_type(opcode: int, funct3: int, funct7: int, rs2: int = RS2, rd: int = RD) -> int:
    return funct7 << 25 | rs2 << 20 | RS1 << 15 | funct3 << 12 | rd << 7 | opcode


def i_type(opcode: int, funct3: int, imm: int) -> int:
    return (imm & 0xFFF) << 20 | RS1 << 15 | funct3 << 12 | RD << 7 | opcode


# ---- RV32IM -------------------------------------------------------------------------------------


def _div(a: int, b: int) -> int:
    if b == 0:
        return -1
    quotient = abs(signed(a)) // abs(signed(b))
    return quotient if (signed(a) < 0) == (signed(b) < 0) else -quotient


def _rem(a: int, b: int) -> int:
    return signed(a) - _div(a, b) * signed(b) if b else a


def rv32im(rng: random.Random) -> list[Instruction]:
    """All instructions on registers."""
    pairs = {
        "add": (0, 0x00, lambda a, b: a + b),
        "sub": (0, 0x20, lambda a, b: a - b),
        "sll": (1, 0x00, lambda a, b: a << (b % 32)),
        "slt": (2, 0x00, lambda a, b: signed(a) < signed(b)),
        "sltu": (3, 0x00, lambda a, b: a < b),
        "xor": (4, 0x00, lambda a, b: a ^ b),
        "srl": (5, 0x00, lambda a, b: a >> (b % 32)),
        "sra": (5, 0x20, lambda a, b: signed(a) >> (b % 32)),
        "or": (6, 0x00, lambda a, b: a | b),
        "and": (7, 0x00, lambda a, b: a & b),
        "mul": (0, 0x01, lambda a, b: a * b),
        "mulh": (1, 0x01, lambda a, b: signed(a) * signed(b) >> 32),
        "mulhsu": (2, 0x01, lambda a, b: signed(a) * b >> 32),
        "mulhu": (3, 0x01, lambda a, b: a * b >> 32),
        "div": (4, 0x01, _div),
        "divu": (5, 0x01, lambda a, b: a // b if b else -1),
        "rem": (6, 0x01, _rem),
        "remu": (7, 0x01, lambda a, b: a % b if b else a),
    }
    immediate = {"add": 0, "slt": 2, "sltu": 3, "xor": 4, "or": 6, "and": 7}
    out = []
    for name, (funct3, funct7, f) in pairs.items():
        out.append(
            Instruction(name, r_type(0x33, funct3, funct7), lambda a, b, d, f=f: int(f(a, b)))
        )
        if name in immediate:
            imm = rng.randrange(-2048, 2048)
            word = i_type(0x13, immediate[name], imm)
            model = lambda a, b, d, f=f, imm=imm: int(f(a, imm & MASK))  # noqa: E731
            out.append(Instruction(f"{name}i", word, model))
        if name in ("sll", "srl", "sra"):
            amount = rng.randrange(32)
            word = r_type(0x13, funct3, funct7, amount)
            model = lambda a, b, d, f=f, n=amount: f(a, n)  # noqa: E731
            out.append(Instruction(f"{name}i", word, model))
    high = rng.getrandbits(20)
    out.append(Instruction("lui", high << 12 | RD << 7 | 0x37, lambda a, b, d: high << 12))
    return out


def compressed(rng: random.Random) -> list[Instruction]:
    """Those on x8 to x15; register 10 + k of the others is called x(2 + k)."""
    near = {RS1: RS1 - 8, RS2: RS2 - 8, RD: RD - 8}

    def six(value: int) -> int:
        return (value >> 5 & 1) << 12 | (value & 31) << 2

    imm, amount = rng.choice((-32, -7, 1, 31)), rng.randrange(1, 32)
    wide = rng.choice((-32, -5, 3, 31))
    arithmetic = 0x8C01 | near[RD] << 7 | near[RS2] << 2
    return [
        Instruction("c.addi", 0x0001 | RD << 7 | six(imm), lambda a, b, d: d + imm),
        Instruction("c.li", 0x4001 | RD << 7 | six(imm), lambda a, b, d: imm),
        Instruction("c.lui", 0x6001 | RD << 7 | six(wide), lambda a, b, d: wide << 12),
        Instruction("c.srli", 0x8001 | near[RD] << 7 | six(amount), lambda a, b, d: d >> amount),
        Instruction(
            "c.srai", 0x8401 | near[RD] << 7 | six(amount), lambda a, b, d: signed(d) >> amount
        ),
        Instruction("c.andi", 0x8801 | near[RD] << 7 | six(imm), lambda a, b, d: d & imm),
        Instruction("c.sub", arithmetic, lambda a, b, d: d - b),
        Instruction("c.xor", arithmetic | 1 << 5, lambda a, b, d: d ^ b),
        Instruction("c.or", arithmetic | 2 << 5, lambda a, b, d: d | b),
        Instruction("c.and", arithmetic | 3 << 5, lambda a, b, d: d & b),
        Instruction("c.slli", 0x0002 | RD << 7 | six(amount), lambda a, b, d: d << amount),
        Instruction("c.mv", 0x8002 | RD << 7 | RS2 << 2, lambda a, b, d: b),
        Instruction("c.add", 0x9002 | RD << 7 | RS2 << 2, lambda a, b, d: d + b),
    ]


# ---- Extensions: packed SIMD --------------------------------------------------------------------


def elements(value: int, bits: int, is_signed: bool) -> list[int]:
    lanes = [value >> k & ((1 << bits) - 1) for k in range(0, 32, bits)]
    return [signed(lane, bits) for lane in lanes] if is_signed else lanes


def pack(lanes, bits: int) -> int:
    return sum((lane & ((1 << bits) - 1)) << (k * bits) for k, lane in enumerate(lanes))


# Name: bits 31..26 in XpulpV2 and in XCV, signed operands, of the two numbers in a lane.
_LANE = {
    "add": (0b000000, 0b000000, True, lambda x, y, w: x + y),
    "sub": (0b000010, 0b000010, True, lambda x, y, w: x - y),
    "avg": (0b000100, 0b000100, True, lambda x, y, w: signed(x + y, w) >> 1),
    "avgu": (0b000110, 0b000110, False, lambda x, y, w: (x + y) % (1 << w) >> 1),
    "min": (0b001000, 0b001000, True, lambda x, y, w: min(x, y)),
    "minu": (0b001010, 0b001010, False, lambda x, y, w: min(x, y)),
    "max": (0b001100, 0b001100, True, lambda x, y, w: max(x, y)),
    "maxu": (0b001110, 0b001110, False, lambda x, y, w: max(x, y)),
    "srl": (0b010000, 0b010000, False, lambda x, y, w: x >> (y % w)),
    "sra": (0b010010, 0b010010, True, lambda x, y, w: x >> (y % w)),
    "sll": (0b010100, 0b010100, True, lambda x, y, w: x << (y % w)),
    "or": (0b010110, 0b010110, True, lambda x, y, w: x | y),
    "xor": (0b011000, 0b011000, True, lambda x, y, w: x ^ y),
    "and": (0b011010, 0b011010, True, lambda x, y, w: x & y),
    "cmpeq": (0b000001, 0b000001, True, lambda x, y, w: -(x == y)),
    "cmpne": (0b000011, 0b000011, True, lambda x, y, w: -(x != y)),
    "cmpgt": (0b000101, 0b000101, True, lambda x, y, w: -(x > y)),
    "cmpge": (0b000111, 0b000111, True, lambda x, y, w: -(x >= y)),
    "cmplt": (0b001001, 0b001001, True, lambda x, y, w: -(x < y)),
    "cmple": (0b001011, 0b001011, True, lambda x, y, w: -(x <= y)),
    "cmpgtu": (0b001101, 0b001101, False, lambda x, y, w: -(x > y)),
    "cmpgeu": (0b001111, 0b001111, False, lambda x, y, w: -(x >= y)),
    "cmpltu": (0b010001, 0b010001, False, lambda x, y, w: -(x < y)),
    "cmpleu": (0b010011, 0b010011, False, lambda x, y, w: -(x <= y)),
}
# Name: codes, signs of the first and second operand.
_DOT = {
    "dotup": (0b100000, 0b100000, False, False),
    "dotusp": (0b100010, 0b100010, False, True),
    "dotsp": (0b100110, 0b100100, True, True),
    "sdotup": (0b101000, 0b100110, False, False),
    "sdotusp": (0b101010, 0b101000, False, True),
    "sdotsp": (0b101110, 0b101010, True, True),
}


def _six_bits(value: int) -> int:
    """An immediate of 6 bits: bit 0 at bit 25, the others at bits 24..20."""
    return (value & 1) << 25 | (value >> 1 & 31) << 20


def _in_all_lanes(value: int, bits: int) -> int:
    return pack([value] * (32 // bits), bits)


def _simd(xcv: bool, rng: random.Random) -> list[Instruction]:
    opcode = 0x7B if xcv else 0x57
    out: list[Instruction] = []

    def add(name: str, code: int, operation: Callable[[int, int, int, int], int], unsigned: bool):
        """In all forms: a vector, .sc and .sci, of bytes and of halfwords."""
        for bits, letter in ((16, "h"), (8, "b")):
            base = r_type(opcode, int(bits == 8), code << 1)
            f = lambda a, b, d, bits=bits: operation(a, b, d, bits)  # noqa: E731
            out.append(Instruction(f"{name}.{letter}", base, f))
            scalar = lambda a, b, d, f=f, bits=bits: f(a, _in_all_lanes(b, bits), d)  # noqa: E731
            out.append(Instruction(f"{name}.sc.{letter}", base | 4 << 12, scalar))
            raw = rng.getrandbits(6)
            if name in ("srl", "sra", "sll"):
                raw %= bits
            value = raw if unsigned else signed(raw, 6)
            number = lambda a, b, d, f=f, v=value, bits=bits: f(a, _in_all_lanes(v, bits), d)  # noqa: E731
            word = (base & ~(31 << 20)) | 6 << 12 | _six_bits(raw)
            out.append(Instruction(f"{name}.sci.{letter} {raw}", word, number))

    for name, (xpulpv2_code, xcv_code, is_signed, f) in _LANE.items():

        def lanes(a, b, d, bits, f=f, is_signed=is_signed):
            pairs = zip(elements(a, bits, is_signed), elements(b, bits, is_signed), strict=True)
            return pack((f(x, y, bits) for x, y in pairs), bits)

        add(name, xcv_code if xcv else xpulpv2_code, lanes, name.endswith("u"))
    for name, (xpulpv2_code, xcv_code, sign_a, sign_b) in _DOT.items():

        def dot(a, b, d, bits, sign_a=sign_a, sign_b=sign_b, name=name):
            pairs = zip(elements(a, bits, sign_a), elements(b, bits, sign_b), strict=True)
            return sum(x * y for x, y in pairs) + (d if name.startswith("s") else 0)

        add(name, xcv_code if xcv else xpulpv2_code, dot, name.endswith("dotup"))
    return out + _moves(xcv, opcode, rng)


def _moves(xcv: bool, opcode: int, rng: random.Random) -> list[Instruction]:
    """Elements that change places, and absolute values."""
    out: list[Instruction] = []

    def shuffle(a, b, bits):
        lanes = elements(a, bits, False)
        return pack((lanes[i % len(lanes)] for i in elements(b, bits, False)), bits)

    def shuffle2(a, b, d, bits):
        lanes = elements(d, bits, False) + elements(a, bits, False)
        return pack((lanes[i % len(lanes)] for i in elements(b, bits, False)), bits)

    def insert(a, d, bits, place):
        lanes = elements(d, bits, False)
        lanes[place] = a
        return pack(lanes, bits)

    for bits, f3 in ((16, 0), (8, 1)):
        letter = "hb"[f3]

        def word(code: int, funct3: int = f3, top: int = 0, rs2: int = RS2) -> int:
            return r_type(opcode, funct3, code << 1 | top, rs2)

        out += [
            Instruction(
                f"abs.{letter}",
                word(0b011100, rs2=0),
                lambda a, b, d, w=bits: pack(map(abs, elements(a, w, True)), w),
            ),
            Instruction(
                f"shuffle.{letter}", word(0b110000), lambda a, b, d, w=bits: shuffle(a, b, w)
            ),
            Instruction(
                f"shuffle2.{letter}",
                word(0b111000 if xcv else 0b110010),
                lambda a, b, d, w=bits: shuffle2(a, b, d, w),
            ),
        ]
        for place in range(32 // bits):
            at = {"top": place & 1, "rs2": place >> 1}
            models = {
                "extract": lambda a, b, d, w=bits, k=place: elements(a, w, True)[k],
                "extractu": lambda a, b, d, w=bits, k=place: elements(a, w, False)[k],
                "insert": lambda a, b, d, w=bits, k=place: insert(a, d, w, k),
            }
            codes = (0b011110, 0b100100, 0b101100)
            for number, (name, model) in enumerate(models.items()):
                if xcv:
                    encoded = word(0b101110, 2 * number + f3, **at)
                else:
                    encoded = word(codes[number], 6 + f3, **at)
                out.append(Instruction(f"{name}.{letter} {place}", encoded, model))
    # Shuffles by an immediate value: of halfwords two bits, of bytes eight.
    raw = rng.getrandbits(2)
    halves = (raw >> 1) << 16 | raw & 1
    out.append(
        Instruction(
            f"shuffle.sci.h {raw}",
            r_type(opcode, 6, 0b110000 << 1 | raw & 1, raw >> 1),
            lambda a, b, d: shuffle(a, halves, 16),
        )
    )
    for variant in range(4):
        code = (0b110000 + 2 * variant) if xcv or not variant else (0b111000 + 2 * variant)
        raw = rng.getrandbits(6)
        places = [raw & 3, raw >> 2 & 3, raw >> 4 & 3, variant]
        out.append(
            Instruction(
                f"shuffleI{variant}.sci.b {raw}",
                r_type(opcode, 7, code << 1, 0) | _six_bits(raw),
                lambda a, b, d, p=places: shuffle(a, pack(p, 8), 8),
            )
        )
    pack_code = 0b111100 if xcv else 0b110100
    high, low = ((0b111110, 1), (0b111110, 0)) if xcv else ((0b110110, 0), (0b111000, 0))
    return [
        *out,
        Instruction("pack", r_type(opcode, 0, pack_code << 1), lambda a, b, d: pack([b, a], 16)),
        Instruction(
            "pack.h",
            r_type(opcode, 0, pack_code << 1 | 1),
            lambda a, b, d: pack([b >> 16, a >> 16], 16),
        ),
        Instruction(
            "packhi.b",
            r_type(opcode, 1, high[0] << 1 | high[1]),
            lambda a, b, d: pack([d, d >> 8, b, a], 8),
        ),
        Instruction(
            "packlo.b",
            r_type(opcode, 1, low[0] << 1 | low[1]),
            lambda a, b, d: pack([b, a, d >> 16, d >> 24], 8),
        ),
    ]


# ---- Extensions: whole registers ----------------------------------------------------------------


def _bit_string(value: int) -> str:
    """Bit 0 first."""
    return f"{value:032b}"[::-1]


def _clb(a: int) -> int:
    text = f"{a:032b}"
    return len(text) - len(text.lstrip(text[0])) - 1 if a else 0


# Name: (funct3, funct7) in XpulpV2, funct7 in XCV, result of one or two registers.
_ONE = {
    "abs": ((0, 0x02), 0x28, lambda a: abs(signed(a))),
    "ff1": ((0, 0x08), 0x21, lambda a: _bit_string(a).find("1") if a else 32),
    "fl1": ((1, 0x08), 0x22, lambda a: _bit_string(a).rfind("1") if a else 32),
    "clb": ((2, 0x08), 0x23, _clb),
    "cnt": ((3, 0x08), 0x24, lambda a: bin(a).count("1")),
    "exths": ((4, 0x08), 0x30, lambda a: signed(a, 16)),
    "exthz": ((5, 0x08), 0x31, lambda a: a % 65536),
    "extbs": ((6, 0x08), 0x32, lambda a: signed(a, 8)),
    "extbz": ((7, 0x08), 0x33, lambda a: a % 256),
}
_TWO = {
    "slet": ((2, 0x02), 0x29, lambda a, b: int(signed(a) <= signed(b))),
    "sletu": ((3, 0x02), 0x2A, lambda a, b: int(a <= b)),
    "min": ((4, 0x02), 0x2B, lambda a, b: min(signed(a), signed(b))),
    "minu": ((5, 0x02), 0x2C, min),
    "max": ((6, 0x02), 0x2D, lambda a, b: max(signed(a), signed(b))),
    "maxu": ((7, 0x02), 0x2E, max),
    "ror": ((5, 0x04), 0x20, lambda a, b: (a << 32 | a) >> (b % 32)),
}


def _clip(a: int, low: int, high: int) -> int:
    return low if signed(a) <= low else min(signed(a), high)


def _field(name: str, a: int, d: int, width: int, place: int) -> int:
    """Bit fields of `width` bits from bit `place` on; nothing is above bit 31."""
    mask = ((1 << width) - 1) << place & MASK
    return {
        "extract": signed(signed(a) >> place, width),
        "extractu": (a & mask) >> place,
        "insert": d & ~mask | a << place & mask,
        "bclr": a & ~mask,
        "bset": a | mask,
    }[name]


def _reversed_digits(a: int, place: int, radix: int) -> int:
    bits = {0: 1, 1: 2, 2: 3}[radix]
    text = f"{a << place & MASK:032b}"
    digits = [text[k : k + bits] for k in range(0, 32 - 32 % bits, bits)]
    return int("".join(reversed(digits)), 2)


def _registers(xcv: bool, rng: random.Random) -> list[Instruction]:
    out = []
    for name, (xpulpv2, xcv7, f) in _ONE.items():
        word = r_type(0x2B, 3, xcv7, 0) if xcv else r_type(0x33, *xpulpv2, 0)
        out.append(Instruction(name, word, lambda a, b, d, f=f: f(a)))
    for name, (xpulpv2, xcv7, f) in _TWO.items():
        word = r_type(0x2B, 3, xcv7) if xcv else r_type(0x33, *xpulpv2)
        out.append(Instruction(name, word, lambda a, b, d, f=f: f(a, b)))
    for bits in (0, 1, 8, rng.randrange(2, 32)):
        high = 2 ** (bits - 1) - 1 if bits else 0
        for name, low, xpulpv2, xcv7 in (
            ("clip", -high - 1, 1, 0x38), ("clipu", 0, 2, 0x39),
        ):  # fmt: skip
            word = r_type(0x2B, 3, xcv7, bits) if xcv else r_type(0x33, xpulpv2, 0x0A, bits)
            model = lambda a, b, d, low=low, high=high: _clip(a, low, high)  # noqa: E731
            out.append(Instruction(f"{name} {bits}", word, model))
    for name, xpulpv2, xcv7 in (("clipr", 5, 0x3A), ("clipur", 6, 0x3B)):
        word = r_type(0x2B, 3, xcv7) if xcv else r_type(0x33, xpulpv2, 0x0A)
        mask = 0x7FFFFFFF if xcv else 0xFFFFFFFF

        def model(a, b, d, mask=mask, below_zero=name == "clipr"):
            high = signed(b & mask)
            return _clip(a, -high - 1 if below_zero else 0, high)

        out.append(Instruction(name, word, model))
    words = (
        (r_type(0x2B, 3, 0x48), r_type(0x2B, 3, 0x49))
        if xcv
        else (r_type(0x33, 0, 0x21), r_type(0x33, 1, 0x21))
    )
    out.append(Instruction("mac", words[0], lambda a, b, d: d + a * b))
    out.append(Instruction("msu", words[1], lambda a, b, d: d - a * b))
    return out + _fields(xcv, rng) + _norms(xcv, rng) + _halves(xcv, rng)


def _fields(xcv: bool, rng: random.Random) -> list[Instruction]:
    out = []
    # Where an immediate's form is: bits 31..30 and funct3; the register's: funct7 or funct3.
    places = {
        "extract": (0, 0, 0x18), "extractu": (1, 0, 0x19), "insert": (2, 0, 0x1A),
        "bclr": (0, 1, 0x1C), "bset": (1, 1, 0x1D),
    }  # fmt: skip
    for number, (name, (top, xcv3, xcv7)) in enumerate(places.items()):
        for width, place in ((1, 0), (32, 0), (rng.randrange(1, 33), rng.randrange(32))):
            low, high = place, width - 1
            word = r_type(0x5B, xcv3, top << 5, low) if xcv else r_type(0x33, number, 0x60, low)
            model = lambda a, b, d, n=name, w=width, p=place: _field(n, a, d, w, p)  # noqa: E731
            out.append(Instruction(f"{name} {width} {place}", word | high << 25, model))
        word = r_type(0x2B, 3, xcv7) if xcv else r_type(0x33, number, 0x40)
        out.append(
            Instruction(
                f"{name}r",
                word,
                lambda a, b, d, n=name: _field(n, a, d, (b >> 5 & 31) + 1, b & 31),
            )
        )
    for radix in range(3):
        place = rng.randrange(32)
        word = r_type(0x5B, 1, 0x60 | radix, place) if xcv else r_type(0x33, 5, 0x60 | radix, place)
        model = lambda a, b, d, p=place, r=radix: _reversed_digits(a, p, r)  # noqa: E731
        out.append(Instruction(f"bitrev {radix} {place}", word, model))
    return out


def _shifted(value: int, amount: int, unsigned: bool, rounded: bool) -> int:
    value += (1 << amount >> 1) if rounded else 0
    return value % 2**32 >> amount if unsigned else signed(value) >> amount


def _norms(xcv: bool, rng: random.Random) -> list[Instruction]:
    """addN and its kin."""
    out = []
    for sub in (0, 1):
        for unsigned in (0, 1):
            for rounded in (0, 1):
                amount = rng.choice((0, 1, 5, 31))
                name = ("add", "sub")[sub] + "u" * unsigned + "R" * rounded + "N"

                def norm(x, y, n, sub=sub, unsigned=unsigned, rounded=rounded):
                    return _shifted(x - y if sub else x + y, n, unsigned, rounded)

                if xcv:
                    word = r_type(0x5B, 2 + sub, rounded << 6 | unsigned << 5 | amount)
                    by_register = r_type(0x2B, 3, 0x40 | sub << 2 | rounded << 1 | unsigned)
                else:
                    word = r_type(0x5B, 2 + sub + 4 * rounded, unsigned << 6 | amount)
                    by_register = r_type(0x5B, 2 + sub + 4 * rounded, unsigned << 6 | 1 << 5)
                model = lambda a, b, d, f=norm, n=amount: f(a, b, n)  # noqa: E731
                out.append(Instruction(f"{name} {amount}", word, model))
                model = lambda a, b, d, f=norm: f(d, a, b & 31)  # noqa: E731
                out.append(Instruction(f"{name}r", by_register, model))
    return out


def _halves(xcv: bool, rng: random.Random) -> list[Instruction]:
    """Products of halfwords."""
    out = []
    for index in range(16):
        high, is_signed, rounded, mac = (index >> k & 1 for k in range(4))
        amount = rng.choice((0, 1, 15, 31))
        name = ("mul", "mac")[mac] + "hh" * high + "us"[is_signed] + "R" * rounded + "N"
        if xcv:
            word = r_type(0x5B, 4 + 2 * mac + (not is_signed), rounded << 6 | high << 5 | amount)
        else:
            word = r_type(0x5B, mac + 4 * rounded, is_signed << 6 | high << 5 | amount)

        def product(a, b, d, high=high, s=is_signed, r=rounded, mac=mac, n=amount):
            x, y = (elements(v, 16, bool(s))[high] for v in (a, b))
            return _shifted(x * y + (d if mac else 0), n, not s, r)

        out.append(Instruction(f"{name} {amount}", word, product))
    return out


def extension(isa: str, rng: random.Random) -> list[Instruction]:
    """Of XpulpV2 or XCV, all that work on registers, complex numbers apart."""
    xcv = isa == "xcv"
    return _simd(xcv, rng) + _registers(xcv, rng)
