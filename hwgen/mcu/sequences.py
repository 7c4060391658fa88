"""Random numbers of stochastic streams as bits in a row, of which C takes a word at a time.

The states of a maximal register are overlapping parts of one sequence of bits: with ``u[t]`` bit 0 of
the register that has drawn t numbers since state 1, bit b of the number that a source draws at step t
is ``u[(t + start + shift[b]) mod P]``, P the period. So W numbers' bits b are W neighbours of the
sequence. Bits of a counter are square waves, and such rows as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ops.lib import lfsr
from ..ops.lib.random_numbers import reversed_bits

__all__ = ["Sequences", "pack", "sequences"]


@dataclass(frozen=True, slots=True)
class Sequences:
    """Where the bits of every source's numbers lie.

    Attributes
    ----------
    row
        The bits, one an element.
    period
        After which the row begins again: bit b of source s at step t is ``row[(starts[s] + t +
        shifts[b]) mod period]``. 0: it is ``row[starts[s, b] + t]``.
    starts
        int64, (sources,) or (sources, bits).
    shifts
        int64, (bits,), or None.
    """

    row: np.ndarray
    period: int
    starts: np.ndarray
    shifts: np.ndarray | None

    def words(self, lanes: int, first: int = 0) -> np.ndarray:
        """Where the row is 0, from bit ``first`` on, in words of 32.

        ``lanes`` bits can be read from anywhere.
        """
        more = first + np.arange(len(self.row) + lanes + 64)
        return pack(1 - self.row[more % len(self.row)])


def pack(bits: np.ndarray) -> np.ndarray:
    """Bits, lowest first, as whole words of 32; int64."""
    padded = np.zeros(-(-len(bits) // 32) * 32, dtype=np.uint8)
    padded[: len(bits)] = bits
    return np.packbits(padded, bitorder="little").view("<u4").astype(np.int64)


def sequences(op, bits: int, length: int) -> Sequences:
    """The numbers of an op's sources: ``length`` numbers of ``bits`` bits each, sources in a row.

    The whole period of a register is held where that is less than the parts that are needed, which
    may overlap.

    Parameters
    ----------
    op
        Has ``width``, ``taps``, ``leap`` and ``seeds``, see :mod:`hwgen.ops.lib.random_numbers`.
    """
    seeds = op.seeds.array.ravel()
    used = np.arange(op.width - bits, op.width)  # the state's bits, lowest first
    if not op.taps:
        return _counter(op.width, seeds, used, length)
    period = (1 << op.width) - 1
    step = pow(op.leap, -1, period)  # numbers after which the register has made one step
    starts = lfsr.positions(op.width, op.taps)[seeds] * step % period
    shifts = -used * step % period
    row = lfsr.cycle(op.width, op.taps)[np.arange(period) * op.leap % period] & 1
    every = (starts[:, None] + shifts) % period
    kept = _covered(every, length, period)
    if len(kept) + 8 * 4 * len(seeds) * bits < period:
        place = np.zeros(period, dtype=np.int64)  # of the first bit of a part among those kept
        place[kept[::-1] % period] = np.arange(len(kept))[::-1]
        return Sequences(row[kept % period], 0, place[every], None)
    return Sequences(row, period, starts, shifts)


def _covered(starts: np.ndarray, length: int, period: int) -> np.ndarray:
    """What lies in the parts of a cycle that begin at ``starts``, in order; may pass its end."""
    ordered = np.unique(starts)
    ends = np.maximum.accumulate(ordered + length)
    before = np.concatenate([[0], ends[:-1]])
    parts = [
        np.arange(max(first, done), first + length)
        for first, done in zip(ordered, before, strict=True)
    ]
    return np.concatenate(parts)


def _counter(width: int, seeds: np.ndarray, used: np.ndarray, length: int) -> Sequences:
    """Square waves: bit b of the reversed count, inverted where the seed's bit is set."""
    rows, starts, end = [], np.zeros((len(seeds), len(used)), dtype=np.int64), 0
    for at, bit in enumerate(used):
        half = 1 << (width - 1 - bit)  # steps between two changes
        wave = reversed_bits(np.arange(length + half) % (1 << width), width) >> bit & 1
        rows.append(wave)
        starts[:, at] = end + half * (seeds >> bit & 1)
        end += len(wave)
    return Sequences(np.concatenate(rows), 0, starts, None)
