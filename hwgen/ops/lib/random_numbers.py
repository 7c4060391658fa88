"""Random numbers of stochastic streams: one number a source and step, the same for every sample.

A source is a linear feedback shift register (:mod:`hwgen.ops.lib.lfsr`) that makes ``leap`` steps
between two numbers, or, where ``taps`` is empty, a counter whose bits are reversed (van der Corput's
sequence) and then XORed with the source's seed. The number is the highest ``bits`` bits. Ops have the
attributes ``width``, ``taps``, ``leap`` and ``seeds``, of shape (operands, components).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...errors import RuleViolation
from ...ir.constant import Constant
from ...ir.op import RandomSources
from . import lfsr

__all__ = [
    "COMPONENTS",
    "Drawing",
    "numbers",
    "random_sources",
    "stream_leap",
    "verify_components",
    "verify_sources",
]

COMPONENTS = (1, 2, 4, 8, 16)
MAX_LENGTH = 1 << 16
MAX_BITS = 16


class Drawing(Protocol):
    """What an op with random sources has."""

    width: int
    taps: tuple[int, ...]
    leap: int
    seeds: Constant


# Steps between two numbers after which streams of any value hardly correlate with themselves: of those
# whose XOR gates have few inputs, the least sum of autocorrelations over 23 lags and 14 thresholds.
_LEAPS = {8: 13, 9: 9, 10: 20, 11: 19, 12: 16, 13: 8, 14: 5, 15: 55, 16: 8}


def stream_leap(width: int) -> int:
    """Steps a number of a register of ``width`` bits that make numbers nearly independent.

    With fewer steps numbers share bits, so that a stream's ones come in runs and its mean is noisier;
    counters, which answer to runs, then leave their transfer curve.
    """
    return _LEAPS.get(width) or lfsr.default_leap(width)


def verify_components(components: int, bits: int) -> None:
    """Raise RuleViolation unless a stream can have so many components, drawn with so many bits."""
    if components not in COMPONENTS:
        raise RuleViolation(
            f"components must be one of {', '.join(map(str, COMPONENTS))}, not {components}"
        )
    if not 1 <= bits <= MAX_BITS:
        raise RuleViolation(f"bits must be in 1..{MAX_BITS}, not {bits}")


def verify_sources(op: Drawing, *, shape: tuple[int, int], bits: int, length: int) -> None:
    """Raise RuleViolation unless an op's sources are legal for streams of ``length`` steps.

    Parameters
    ----------
    shape
        That the seeds must have: operands and components.
    bits
        Of a number.
    """
    width, taps, seeds = op.width, op.taps, op.seeds
    if not 1 <= length <= MAX_LENGTH:
        raise RuleViolation(f"a stream must have 1..{MAX_LENGTH} steps, not {length}")
    if seeds.shape != shape:
        raise RuleViolation(
            f"seeds must have shape {shape} (operands, components), found {seeds.shape}"
        )
    if width < bits:
        raise RuleViolation(f"width must be {bits} or more, the bits of a number, not {width}")
    if not taps:
        _verify_counter(width, op.leap, seeds)
        return
    lfsr.verify_register(width, taps, op.leap)
    period = (1 << width) - 1
    if period < length:
        raise RuleViolation(
            f"a register of width {width} repeats after {period} steps, before the {length} of the "
            f"stream have passed; width {length.bit_length()} would do"
        )
    if seeds.lo < 1 or seeds.hi > period:
        raise RuleViolation(f"seeds must lie in 1..{period}, found [{seeds.lo}, {seeds.hi}]")
    values, counts = np.unique(seeds.array, return_counts=True)
    if len(values) < seeds.array.size:
        twice = int(values[counts > 1][0])
        raise RuleViolation(f"seeds must differ, so that sources do; found {twice} more than once")


def _verify_counter(width: int, leap: int, seeds: Constant) -> None:
    if not 1 <= width <= MAX_BITS:
        raise RuleViolation(f"width of a counter must be in 1..{MAX_BITS}, not {width}")
    if leap != 1:
        raise RuleViolation(f"leap of a counter must be 1, not {leap}")
    if seeds.lo < 0 or seeds.hi >= 1 << width:
        raise RuleViolation(
            f"seeds must lie in 0..{(1 << width) - 1}, found [{seeds.lo}, {seeds.hi}]"
        )


def random_sources(op: Drawing) -> RandomSources | None:
    """What no other op may draw from; counters may be shared, which only their seeds tell apart."""
    return RandomSources((op.width, op.taps, op.leap), op.seeds) if op.taps else None


def numbers(op: Drawing, bits: int, start: int, stop: int) -> np.ndarray:
    """The numbers of steps ``start`` to ``stop``, 0..2^bits - 1.

    Step 0 is that of the seed: an LFSR's own state, shifted; of a counter at 0 the seed.

    Returns
    -------
    int32 array of shape (stop - start, operands, components).
    """
    width, taps, seeds = op.width, op.taps, op.seeds
    times = np.arange(start, stop, dtype=np.int64)
    if not taps:
        states = reversed_bits(times & ((1 << width) - 1), width)[:, None, None] ^ seeds.array
    else:
        cycle = lfsr.cycle(width, taps)
        at = lfsr.positions(width, taps)[seeds.array] + (op.leap * times)[:, None, None]
        states = cycle[at % len(cycle)]
    return (states >> (width - bits)).astype(np.int32)


def reversed_bits(values: np.ndarray, width: int) -> np.ndarray:
    """Every value's ``width`` bits in the opposite order."""
    result = np.zeros_like(values)
    for bit in range(width):
        result |= ((values >> bit) & 1) << (width - 1 - bit)
    return result
