"""C functions with the result of one DSP instruction, in four arms of equal bits.

``hwgen_simd.h`` is :data:`INTRINSICS` laid out by ``kernels/simd.h.j2``: as an instruction of
:mod:`.isa`, as a builtin of GreenWaves' compiler, and in plain C.

Source of the builtins: GreenWaves-Technologies/gap_sdk,
``doc/source/reference/builtins/headers/builtins.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..templates import TEMPLATES
from .isa import INSTRUCTIONS, hardware_loop

__all__ = ["INTRINSICS", "Intrinsic", "render_simd"]


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """One function. Vectors are uint32_t, lane 0 in the lowest bits.

    Attributes
    ----------
    name
        Without the prefix ``hwgen_``.
    result
        C type.
    parameters
        C types by name.
    meaning
        One line for people.
    instructions
        The assembly: mnemonic in XpulpV2 and its operands. ``y`` is the result; it starts as the
        first parameter if the first instruction accumulates and takes that for its destination.
    builtin, plain
        C expressions of the result, in lines that are indented against the first.
    literal
        The instruction where the last parameter is known to the compiler; or empty.
    """

    name: str
    result: str
    parameters: dict[str, str]
    meaning: str
    instructions: tuple[tuple[str, ...], ...]
    builtin: str
    plain: str
    literal: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The function's declaration."""
        parameters = ", ".join(f"{ctype} {name}" for name, ctype in self.parameters.items())
        return f"static inline {self.result} hwgen_{self.name}({parameters})"

    @property
    def body(self) -> tuple[str, ...]:
        """Statements where the core has the instructions."""
        destination = self.instructions[0][1]
        read = destination != "y"
        names = [destination if read else "y"]
        names += [name for name in self.parameters if name != destination]
        spot = {name: f'"%{i}"' for i, name in enumerate(names)} | {"x0": '"x0"'}
        text = " ".join(
            f"{INSTRUCTIONS[mnemonic].macro}({', '.join(spot[o] for o in operands)})"
            for mnemonic, *operands in self.instructions
        )
        inputs = ", ".join(f'"r"({name})' for name in names[1:])
        output = '"+r"' if read else '"=&r"' if len(self.instructions) > 1 else '"=r"'
        return (
            *self._literal_body,
            *(() if read else (f"{self.result} y;",)),
            f"__asm__({text} : {output}({names[0]}) : {inputs});",
            f"return {names[0]};",
        )

    @property
    def _literal_body(self) -> tuple[str, ...]:
        """Statements for a last parameter that the compiler knows."""
        if not self.literal:
            return ()
        *others, last = self.parameters
        spot = {"y": '"%0"', "x0": '"x0"', last: f'"%{len(others) + 1}"'}
        spot |= {name: f'"%{i + 1}"' for i, name in enumerate(others)}
        mnemonic, *operands = self.literal
        text = f"{INSTRUCTIONS[mnemonic].macro}({', '.join(spot[o] for o in operands)})"
        inputs = ", ".join([*(f'"r"({name})' for name in others), f'"i"({last})'])
        return (
            f"if (__builtin_constant_p({last})) {{",
            f"    {self.result} y;",
            f'    __asm__({text} : "=r"(y) : {inputs});',
            "    return y;",
            "}",
        )


def _dot(instruction: str, x: str, w: str) -> Intrinsic:
    """A dot product of four bytes a side, of the kinds s8 or u8."""
    base = instruction.removeprefix("pv.").removesuffix(".b")
    accumulates = INSTRUCTIONS[instruction].accumulates
    vector = {"s8": "hwgen_v4s", "u8": "hwgen_v4u"}
    products = _sum(f"hwgen_lane_{x}(x, #) * hwgen_lane_{w}(w, #)", 4)
    unsigned = "(uint32_t)" if "u8" == x == w else ""  # that builtin's type
    arguments = f"({vector[x]})x, ({vector[w]})w" + f", {unsigned}acc" * accumulates
    return Intrinsic(
        f"{'sdot' if accumulates else 'dot'}_{x}_{w}",
        "int32_t",
        {**({"acc": "int32_t"} if accumulates else {}), "x": "uint32_t", "w": "uint32_t"},
        f"{'acc + ' * accumulates}x[0] * w[0] + ... + x[3] * w[3]",
        ((instruction, "acc" if accumulates else "y", "x", "w"),),
        f"{'(int32_t)' if unsigned else ''}__builtin_pulp_{base}4({arguments})",
        f"{'acc + ' * accumulates}{products}",
    )


def _sum(lane: str, count: int) -> str:
    """The sum over an expression with ``#`` for the number of the lane."""
    return " +\n       ".join(lane.replace("#", str(i)) for i in range(count))


def _lanes(lane: str) -> str:
    """A vector of four lanes, given by an expression with ``#`` for the number of the lane."""
    return "hwgen_pack(\n    " + ",\n    ".join(lane.replace("#", str(i)) for i in range(4)) + ")"


def _extreme(name: str, unsigned: bool) -> Intrinsic:
    kind, vector = ("u8", "hwgen_v4u") if unsigned else ("s8", "hwgen_v4s")
    mnemonic = f"{name}{'u' if unsigned else ''}"
    return Intrinsic(
        f"{name}_{kind}",
        "uint32_t",
        {"a": "uint32_t", "b": "uint32_t"},
        f"lane by lane the {'smaller' if name == 'min' else 'larger'} one",
        ((f"pv.{mnemonic}.b", "y", "a", "b"),),
        f"(uint32_t)__builtin_pulp_{mnemonic}4(({vector})a, ({vector})b)",
        _lanes(f"hwgen_{name}_i32(hwgen_lane_{kind}(a, #), hwgen_lane_{kind}(b, #))"),
    )


_ROWS = (
    Intrinsic(
        "min_i32",
        "int32_t",
        {"x": "int32_t", "hi": "int32_t"},
        "the smaller one",
        (("p.min", "y", "x", "hi"),),
        "__builtin_pulp_minsi(x, hi)",
        "x < hi ? x : hi",
    ),
    Intrinsic(
        "max_i32",
        "int32_t",
        {"x": "int32_t", "lo": "int32_t"},
        "the larger one",
        (("p.max", "y", "x", "lo"),),
        "__builtin_pulp_maxsi(x, lo)",
        "x > lo ? x : lo",
    ),
    Intrinsic(
        "clip_signed",
        "int32_t",
        {"x": "int32_t", "hi": "int32_t"},
        "x, or the nearest end of [-hi - 1, hi]; hi is 0 or more",
        (("p.clipr", "y", "x", "hi"),),
        "__builtin_pulp_clip_r(x, hi)",
        "x > hi ? hi : x < -hi - 1 ? -hi - 1 : x",
    ),
    Intrinsic(
        "clip_unsigned",
        "int32_t",
        {"x": "int32_t", "hi": "int32_t"},
        "x, or the nearest end of [0, hi]",
        (("p.clipur", "y", "x", "hi"),),
        "(int32_t)__builtin_pulp_clipu_r(x, hi)",
        "x > hi ? hi : x < 0 ? 0 : x",
    ),
    Intrinsic(
        "round_shift_i32",
        "int32_t",
        {"x": "int32_t", "shift": "int"},
        "x / 2^shift, rounded to nearest, ties up; x + 2^(shift - 1) must fit the type",
        (("p.addrnr", "x", "x0", "shift"),),
        "__builtin_pulp_addRN_r(x, 0, (uint32_t)shift)",
        "shift > 0 ? hwgen_shift_right_i32(x + ((int32_t)1 << (shift - 1)), shift) : x",
        ("p.addrn", "y", "x", "x0", "shift"),
    ),
    Intrinsic(
        "count_ones",
        "int32_t",
        {"x": "uint32_t"},
        "bits of x that are 1",
        (("p.cnt", "y", "x"),),
        "(int32_t)__builtin_pulp_cnt((int32_t)x)",
        "hwgen_count_bits(x)",
    ),
    Intrinsic(
        "mac",
        "int32_t",
        {"acc": "int32_t", "x": "int32_t", "w": "int32_t"},
        "acc + x * w",
        (("p.mac", "acc", "x", "w"),),
        "__builtin_pulp_mac(x, w, acc)",
        "acc + x * w",
    ),
    Intrinsic(
        "mac_u32",
        "uint32_t",
        {"acc": "uint32_t", "x": "uint32_t", "w": "uint32_t"},
        "acc + x * w, modulo 2^32",
        (("p.mac", "acc", "x", "w"),),
        "acc + x * w",
        "acc + x * w",
    ),
    _dot("pv.dotsp.b", "s8", "s8"),
    _dot("pv.dotusp.b", "u8", "s8"),
    _dot("pv.dotup.b", "u8", "u8"),
    _dot("pv.sdotsp.b", "s8", "s8"),
    _dot("pv.sdotusp.b", "u8", "s8"),
    _dot("pv.sdotup.b", "u8", "u8"),
    Intrinsic(
        "sdot_s16_s16",
        "int32_t",
        {"acc": "int32_t", "x": "uint32_t", "w": "uint32_t"},
        "acc + x[0] * w[0] + x[1] * w[1]",
        (("pv.sdotsp.h", "acc", "x", "w"),),
        "__builtin_pulp_sdotsp2((hwgen_v2s)x, (hwgen_v2s)w, acc)",
        "acc + " + _sum("hwgen_lane_s16(x, #) * hwgen_lane_s16(w, #)", 2),
    ),
    _extreme("min", False),
    _extreme("min", True),
    _extreme("max", False),
    _extreme("max", True),
    Intrinsic(
        "shift_left_s8",
        "uint32_t",
        {"x": "uint32_t", "shift": "int"},
        "lane by lane x * 2^shift, cut to 8 bits; shift is 0 to 7",
        (("pv.sll.sc.b", "y", "x", "shift"),),
        "(uint32_t)((hwgen_v4u)x << (uint8_t)shift)",
        _lanes("hwgen_lane_u8(x, #) << shift"),
    ),
    Intrinsic(
        "shift_right_s8",
        "uint32_t",
        {"x": "uint32_t", "shift": "int"},
        "lane by lane x / 2^shift, rounded down; shift is 0 to 7",
        (("pv.sra.sc.b", "y", "x", "shift"),),
        "(uint32_t)((hwgen_v4s)x >> (int8_t)shift)",
        _lanes("hwgen_shift_right_i32(hwgen_lane_s8(x, #), shift)"),
    ),
    Intrinsic(
        "shift_right_each_s8",
        "uint32_t",
        {"x": "uint32_t", "shifts": "uint32_t"},
        "lane by lane x / 2^s, rounded down; s is in the low three bits of a lane of shifts",
        (("pv.sra.b", "y", "x", "shifts"),),
        "(uint32_t)((hwgen_v4s)x >> (hwgen_v4s)(shifts & 0x07070707u))",
        _lanes("hwgen_shift_right_i32(hwgen_lane_s8(x, #), hwgen_lane_u8(shifts, #) & 7)"),
    ),
    Intrinsic(
        "low_halves",
        "uint32_t",
        {"a": "uint32_t", "b": "uint32_t"},
        "the low half of a in the low half, that of b in the high half",
        (("pv.pack", "y", "b", "a"),),
        "(uint32_t)__builtin_pulp_pack2((int16_t)a, (int16_t)b)",
        "(a & 0xffffu) | b << 16",
    ),
    Intrinsic(
        "high_halves",
        "uint32_t",
        {"a": "uint32_t", "b": "uint32_t"},
        "the high half of a in the low half, that of b in the high half",
        (("pv.pack.h", "y", "b", "a"),),
        "a >> 16 | (b & 0xffff0000u)",
        "a >> 16 | (b & 0xffff0000u)",
    ),
    Intrinsic(
        "shuffle",
        "uint32_t",
        {"low": "uint32_t", "high": "uint32_t", "order": "uint32_t"},
        "byte i is byte order[i] of low (0 to 3) or high (4 to 7)",
        (("pv.shuffle2.b", "low", "high", "order"),),
        "(uint32_t)__builtin_shuffle((hwgen_v4s)low, (hwgen_v4s)high, (hwgen_v4s)order)",
        _lanes("hwgen_byte(low, high, hwgen_lane_u8(order, #))"),
    ),
)

INTRINSICS: dict[str, Intrinsic] = {row.name: row for row in _ROWS}
"""By name."""


def render_simd() -> str:
    """The text of ``hwgen_simd.h``."""
    return TEMPLATES.get_template("simd.h.j2").render(
        instructions=INSTRUCTIONS.values(),
        intrinsics=INTRINSICS.values(),
        hardware_loop=hardware_loop,
    )
