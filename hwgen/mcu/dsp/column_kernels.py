"""Micro-kernels that add up columns of a matrix: for ``hwgen_recurrent.h``.

Four columns a step, whatever columns these are: of each the word with the weights of the block's
rows. The four words are transposed, so that an instruction multiplies four columns' weights of a
row, and a row's sum stays in a register from the first column to the last.

Narrow weights stay together in bytes, several rows each, as in :mod:`.micro_assembly`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .micro_assembly import Assembly, Operand, base, dsp

__all__ = ["COLUMN_BITS", "COLUMN_KERNELS", "ColumnKernel"]

COLUMN_BITS = (8, 4, 2, 1)
"""Bits of a weight."""

HALF = (1 << 15) - 1
_COLUMN_BYTES = {8: 8, 4: 4, 2: 4, 1: 2}
# Bytes 0 and 2, and bytes 1 and 3, of two words.
_SELECTIONS = {"even": "0x06040200u", "odd": "0x07050301u"}


@dataclass(frozen=True, slots=True)
class ColumnKernel:
    """Sums of a block's rows.

    Attributes
    ----------
    bits
        Of a weight.
    unsigned
        Whether the data are uint8; else int8.
    """

    bits: int
    unsigned: bool

    @property
    def name(self) -> str:
        """Of the C function."""
        return f"hwgen_columns_{'u8' if self.unsigned else 's8'}_{self.bits}"

    @property
    def fields(self) -> int:
        """Rows that share a byte."""
        return 8 // self.bits

    @property
    def column_bytes(self) -> int:
        """Of a column in a block."""
        return _COLUMN_BYTES[self.bits]

    @property
    def rows(self) -> int:
        """Of a block."""
        return self.fields * self.column_bytes

    @property
    def bias(self) -> int:
        """What makes a byte of several weights a sum of fields that are 0 or more."""
        most = (1 << (self.bits - 1)) - 1
        return sum(most << (self.bits * k) for k in range(self.fields)) if self.fields > 1 else 0

    @property
    def least(self) -> int:
        """The least weight that shares bytes with others; 0 of weights that are bits."""
        return 1 - (1 << (self.bits - 1))

    @property
    def pairs(self) -> int:
        """Words that hold sums of two rows."""
        return self.rows // 2

    @property
    def most_fours(self) -> int:
        """Of columns whose sums a half of such a word holds."""
        return HALF // (255 * max(1, -self.least)) // 4

    @property
    def assembly(self) -> Assembly:
        """The inner loop on cores with DSP extensions: no load is followed by its use."""
        if self.bits == 1:
            body, words = self._halves()
        else:
            body, words = self._words()
        sums = [f"a{r}" for r in range(self.rows)] + ["s"] * (self.bits == 1)
        temporaries = dict.fromkeys(("d", *words), "")
        outputs = [Operand(name, "=&r", name) for name in (*sums, *temporaries)]
        outputs.append(Operand("q", "+&r", "q"))
        inputs = [Operand("w", "r", "w")]
        if self.bits == 8:
            inputs.append(Operand("v", "r", "w + 4"))
        inputs += [Operand(name, "r", value) for name, value in _SELECTIONS.items()]
        if self.bits == 1:
            inputs.append(Operand("ones", "r", "0x01010101u"))
        inputs.append(Operand("rest", "m", "rest"))  # all registers are taken
        # The first step begins the sums. What its transposition has left free counts the others.
        counter = "o3" if self.bits == 1 else "t"
        before = [line.replace("HWGEN_PV_SDOT", "HWGEN_PV_DOT") for line in body]
        before.insert(-1, base(f"lw [{counter}], [rest]"))
        before.append(base(f"beqz [{counter}], 1f"))
        return Assembly(
            *(tuple(before), tuple(body), counter, temporaries, tuple(outputs), tuple(inputs)),
            after=('"1:\\n"',),
        )

    def _words(self) -> tuple[list[str], list[str]]:
        """The loop, and its temporaries, where a column is whole words."""
        body = [dsp("p.lw", f"o{i}", "4", "q") for i in range(4)] + [dsp("p.lw", "d", "4", "q")]
        temporaries = [f"o{i}" for i in range(4)]
        words = temporaries
        if self.bits == 8:  # where the columns are is needed twice
            words = [f"w{i}" for i in range(4)]
            temporaries = temporaries + words
        a, b, c, d = words
        for k, start in enumerate(("w", "v")[: self.column_bytes // 4]):
            body += [dsp("p.lw.rr", word, start, f"o{i}") for i, word in enumerate(words)]
            body += [
                dsp("pv.pack", "t", b, a),
                dsp("pv.pack.h", a, b, a),
                dsp("pv.pack", b, d, c),
                dsp("pv.pack.h", c, d, c),
                *_unzip("t", d, b),
                *_unzip(a, b, c),
            ]
            for byte, word in enumerate(("t", d, a, b)):
                body += self._multiply(4 * k + byte, word, c)
        return body, [*temporaries, "t"]

    def _halves(self) -> tuple[list[str], list[str]]:
        """The same where a column is two bytes."""
        a, b, c, d = words = [f"o{i}" for i in range(4)]
        body = [dsp("p.lw", word, "4", "q") for word in words] + [dsp("p.lw", "d", "4", "q")]
        body += [dsp("p.lhu.rr", word, "w", word) for word in words]
        body += [dsp("pv.pack", a, b, a), dsp("pv.pack", c, d, c), *_unzip(a, b, c)]
        body.append(self._dot("s", "ones"))
        for byte, word in enumerate((a, b)):
            body += self._multiply(byte, word, c)
        return body, words

    def _multiply(self, byte: int, word: str, t: str) -> list[str]:
        """Products of the rows that share a byte: the sums without the highest one, and so on."""
        top = (byte + 1) * self.fields - 1
        body = [self._dot(f"a{top}", word)]
        for r in range(top - 1, top - self.fields, -1):
            if self.bits == 1:  # the immediate's lowest bit is not in the number
                body.append(dsp("pv.sll.sc.b", t, word, "ones"))
            else:
                body.append(dsp("pv.sll.sci.b", t, word, str(self.bits // 2)))
            body.append(self._dot(f"a{r}", t))
            word = t
        return body

    def _dot(self, total: str, weights: str) -> str:
        if self.bits > 1:
            return dsp("pv.sdotusp.b" if self.unsigned else "pv.sdotsp.b", total, "d", weights)
        if self.unsigned:
            return dsp("pv.sdotup.b", total, "d", weights)
        return dsp("pv.sdotusp.b", total, weights, "d")


def _unzip(x: str, odd: str, y: str) -> list[str]:
    """Bytes 0 and 2 of two words to the first of them, bytes 1 and 3 to another register."""
    return [
        base(f"mv [{odd}], [{x}]"),
        dsp("pv.shuffle2.b", x, y, "even"),
        dsp("pv.shuffle2.b", odd, y, "odd"),
    ]


COLUMN_KERNELS = tuple(ColumnKernel(bits, u) for bits in COLUMN_BITS for u in (True, False))
"""All that there are."""
