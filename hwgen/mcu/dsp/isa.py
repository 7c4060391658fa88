"""DSP instructions of RI5CY-class cores, in both encodings.

The cores know the same operations under two encodings: XpulpV2 (RI5CY, GAP8, CV32E41P) and CORE-V
XCV (CV32E40P). :data:`INSTRUCTIONS` is the one place where they are written down;
``hwgen_simd.h`` and everything that uses it is generated from here.

Sources: openhwgroup/cv32e41p and cv32e40p, ``docs/source/instruction_set_extensions.rst`` and the
decoders in ``rtl/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ARMS", "INSTRUCTIONS", "Arm", "Encoding", "Form", "Instruction", "hardware_loop"]

Arm = Literal["xpulpv2", "xcv"]
ARMS: tuple[Arm, ...] = ("xpulpv2", "xcv")

Form = Literal["register", "unary", "number", "scaled", "load", "store"]

_PARAMETERS: dict[Form, str] = {
    "register": "D, A, B",
    "unary": "D, A",
    "number": "D, A, N",
    "scaled": "D, A, B, N",
    "load": "D, IMM, A",
    "store": "B, IMM, A",
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """Fixed fields of a 32-bit instruction (RISC-V Unprivileged ISA, chapter 2.2).

    Attributes
    ----------
    opcode, funct3, funct7
        Bits 6:0, 14:12 and 31:25; funct7 is None where those bits belong to an immediate.
    """

    opcode: int
    funct3: int
    funct7: int | None = None

    def text(self, form: Form) -> str:
        """The instruction as C strings around the parameters of its macro.

        ``.insn`` takes it to every assembler, whether or not it knows the extension.
        """
        start = f"{self.opcode:#04x}, {self.funct3}"
        if form == "load":
            return f'".insn i {start}, " D ", " IMM "(" A ")\\n"'
        if form == "store":
            return f'".insn s {start}, " B ", " IMM "(" A ")\\n"'
        if form == "scaled":
            return f'".insn r {start}, {self.funct7:#04x} + " N ", " D ", " A ", " B "\\n"'
        last = {"register": '" B "\\n"', "unary": 'x0\\n"', "number": 'x" N "\\n"'}[form]
        return f'".insn r {start}, {self.funct7:#04x}, " D ", " A ", {last}'


@dataclass(frozen=True, slots=True)
class Instruction:
    """An operation and its two encodings.

    Attributes
    ----------
    name
        Mnemonic in XpulpV2.
    xcv_name
        Mnemonic in XCV.
    form
        Operands: D is the destination, A and B are registers. ``register``: D, A, B.
        ``unary``: D, A. ``number``: D, A and a literal number N from 0 to 31 in the place of B.
        ``scaled``: D, A, B, and a literal number N from 0 to 31, by which the result is shifted.
        ``load`` and ``store``: D or B, and an access at A, which is then increased by IMM.
    accumulates
        Whether D is read as well.
    xpulpv2, xcv
        Encodings.
    """

    name: str
    xcv_name: str
    form: Form
    accumulates: bool
    xpulpv2: Encoding
    xcv: Encoding

    @property
    def macro(self) -> str:
        """Name of the C macro that gives the instruction as text."""
        return "HWGEN_" + self.name.replace(".", "_").upper()

    def define(self, arm: Arm) -> str:
        """The macro's definition in one arm."""
        encoding = {"xpulpv2": self.xpulpv2, "xcv": self.xcv}[arm]
        return f"#define {self.macro}({_PARAMETERS[self.form]}) {encoding.text(self.form)}"


def hardware_loop(arm: Arm) -> str:
    """Definition of the macro that starts hardware loop 0.

    ``HWGEN_LOOP(COUNT, N)`` executes the N instructions behind it, 3 or more, COUNT times; COUNT
    is a register that holds 1 or more. They must be 32 bits long each, the setup at a multiple of
    4 (cv32e40p, ``docs/source/corev_hw_loop.rst``). The end is the last instruction in XpulpV2, in
    units of 2 bytes, and the one behind the last in XCV, in units of 4 bytes.
    """
    text = {
        "xpulpv2": '".insn i 0x7b, 4, x0, " COUNT ", 2 * " #N "\\n"',
        "xcv": '".insn i 0x2b, 4, x14, " COUNT ", 1 + " #N "\\n"',
    }[arm]
    return f"#define HWGEN_LOOP(COUNT, N) {text}"


def _packed(
    name: str, funct3: int, xpulpv2: int, xcv: int, form: Form = "register", acc: bool = False
) -> Instruction:
    """An operation on vectors; funct7 in both encodings."""
    encodings = Encoding(0x57, funct3, xpulpv2), Encoding(0x7B, funct3, xcv)
    return Instruction(f"pv.{name}", f"cv.{name}", form, acc, *encodings)


def _scalar(
    name: str, xpulpv2: tuple[int, int], xcv: int, form: Form = "register", acc: bool = False
) -> Instruction:
    """An operation on integers; funct3 and funct7 in XpulpV2, funct7 in XCV."""
    encodings = Encoding(0x33, *xpulpv2), Encoding(0x2B, 3, xcv)
    return Instruction(f"p.{name}", f"cv.{name}", form, acc, *encodings)


def _scaled(
    name: str, xpulpv2: tuple[int, int], xcv: tuple[int, int], acc: bool = False
) -> Instruction:
    """An operation with a shift behind it; funct3 and the upper two bits of funct7 in both."""
    encodings = (Encoding(0x5B, funct3, top << 5) for funct3, top in (xpulpv2, xcv))
    return Instruction(f"p.{name}", f"cv.{name}", "scaled", acc, *encodings)


def _access(name: str, form: Form, opcode: int, funct3: int) -> Instruction:
    """An access with post-increment by an immediate, which both encode alike."""
    encoding = Encoding(opcode, funct3)
    return Instruction(f"p.{name}", f"cv.{name}", form, False, encoding, encoding)


_ROWS = (
    # Dot products of vectors: signed, unsigned times signed, unsigned; s: adding to D.
    _packed("dotsp.b", 1, 0x4C, 0x48),
    _packed("dotusp.b", 1, 0x44, 0x44),
    _packed("dotup.b", 1, 0x40, 0x40),
    _packed("sdotsp.b", 1, 0x5C, 0x54, acc=True),
    _packed("sdotusp.b", 1, 0x54, 0x50, acc=True),
    _packed("sdotup.b", 1, 0x50, 0x4C, acc=True),
    _packed("sdotsp.h", 0, 0x5C, 0x54, acc=True),
    # Lane by lane; .sc: lane 0 of B for all; .sci: an immediate of twice N for all.
    _packed("min.b", 1, 0x10, 0x10),
    _packed("minu.b", 1, 0x14, 0x14),
    _packed("max.b", 1, 0x18, 0x18),
    _packed("maxu.b", 1, 0x1C, 0x1C),
    _packed("sra.b", 1, 0x24, 0x24),
    _packed("add.h", 0, 0x00, 0x00),
    _packed("sub.h", 0, 0x04, 0x04),
    _packed("min.h", 0, 0x10, 0x10),
    _packed("max.h", 0, 0x18, 0x18),
    _packed("abs.h", 0, 0x38, 0x38, "unary"),
    _packed("sra.sc.h", 4, 0x24, 0x24),
    _packed("sra.sc.b", 5, 0x24, 0x24),
    _packed("sll.sc.b", 5, 0x28, 0x28),
    _packed("sra.sci.b", 7, 0x24, 0x24, "number"),
    _packed("sll.sci.b", 7, 0x28, 0x28, "number"),
    # Byte i of D is byte B[i] of D (0 to 3) or of A (4 to 7).
    _packed("shuffle2.b", 1, 0x64, 0x70, acc=True),
    # Bytes 1 and 0 of D, or bytes 3 and 2, are the lowest bytes of A and B.
    _packed("packlo.b", 1, 0x70, 0x7C, acc=True),
    _packed("packhi.b", 1, 0x6C, 0x7D, acc=True),
    # D is the low halves of A and B, B's in the low bits, or their high halves.
    _packed("pack", 0, 0x68, 0x78),
    _packed("pack.h", 0, 0x69, 0x79),
    _scalar("min", (4, 0x02), 0x2B),
    _scalar("max", (6, 0x02), 0x2D),
    _scalar("cnt", (3, 0x08), 0x24, "unary"),
    # To [-2^(N-1), 2^(N-1) - 1], [0, 2^(N-1) - 1], [-B - 1, B], [0, B].
    _scalar("clip", (1, 0x0A), 0x38, "number"),
    _scalar("clipu", (2, 0x0A), 0x39, "number"),
    _scalar("clipr", (5, 0x0A), 0x3A),
    _scalar("clipur", (6, 0x0A), 0x3B),
    _scalar("mac", (0, 0x21), 0x48, acc=True),
    # Low halves of A and B: D = A * B >> N, unsigned; D = (A * B + half of 2^N) >> N;
    # D = (D + A * B) >> N, also with half of 2^N. Then the same of high halves.
    _scaled("mulun", (0, 0), (5, 0)),
    _scaled("mulsrn", (4, 2), (4, 2)),
    _scaled("macsn", (1, 2), (6, 0), acc=True),
    _scaled("macsrn", (5, 2), (6, 2), acc=True),
    _scaled("machhsn", (1, 3), (6, 1), acc=True),
    _scaled("machhsrn", (5, 3), (6, 3), acc=True),
    # D = (A + B + half of 2^N) >> N; D = (A - B) >> N.
    _scaled("addrn", (6, 0), (2, 2)),
    _scaled("subn", (3, 0), (3, 0)),
    # D = (D + A + half of 2^B) >> B, where half of 1 is 0.
    Instruction(
        "p.addrnr",
        "cv.addrnr",
        "register",
        True,
        Encoding(0x5B, 6, 0x20),
        Encoding(0x2B, 3, 0x42),
    ),
    _access("lb", "load", 0x0B, 0),
    _access("lbu", "load", 0x0B, 4),
    _access("lw", "load", 0x0B, 2),
    _access("sb", "store", 0x2B, 0),
    _access("sw", "store", 0x2B, 2),
    # The byte at A + B.
    Instruction(
        "p.lb.rr", "cv.lb", "register", False, Encoding(0x03, 7, 0x00), Encoding(0x2B, 3, 0x04)
    ),
    Instruction(
        "p.lbu.rr", "cv.lbu", "register", False, Encoding(0x03, 7, 0x20), Encoding(0x2B, 3, 0x0C)
    ),
    # The half word, signed or not, or the word at A + B.
    Instruction(
        "p.lh.rr", "cv.lh", "register", False, Encoding(0x03, 7, 0x08), Encoding(0x2B, 3, 0x05)
    ),
    Instruction(
        "p.lhu.rr", "cv.lhu", "register", False, Encoding(0x03, 7, 0x28), Encoding(0x2B, 3, 0x0D)
    ),
    Instruction(
        "p.lw.rr", "cv.lw", "register", False, Encoding(0x03, 7, 0x10), Encoding(0x2B, 3, 0x06)
    ),
    # The byte or word at A, which is then increased by B.
    Instruction(
        "p.lbu.r", "cv.lbu", "register", False, Encoding(0x0B, 7, 0x20), Encoding(0x2B, 3, 0x08)
    ),
    Instruction(
        "p.lw.r", "cv.lw", "register", False, Encoding(0x0B, 7, 0x10), Encoding(0x2B, 3, 0x02)
    ),
)

INSTRUCTIONS: dict[str, Instruction] = {row.name: row for row in _ROWS}
"""By mnemonic in XpulpV2."""
