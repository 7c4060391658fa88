"""Streams and their sources for the tests of stochastic ops, and a register in plain Python."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Constant, Type
from hwgen.ops.lib import lfsr

__all__ = ["bit_streams", "drawn_numbers", "integral_streams", "sources"]


@st.composite
def integral_streams(draw, most: int = 20, features: int = 6, reach: int = 6) -> Type:
    """A stream of up to ``most`` steps whose integers lie within ``reach`` of 0."""
    lo = draw(st.integers(-reach, reach))
    shape = (draw(st.integers(1, most)), draw(st.integers(1, features)))
    return Type.of(shape, lo, draw(st.integers(lo, reach)))


@st.composite
def bit_streams(draw, most: int = 20, features: int = 8) -> Type:
    """A stream of bits: of 0 and 1, or of -1 and 1."""
    shape = (draw(st.integers(1, most)), draw(st.integers(1, features)))
    return Type.of(shape, draw(st.sampled_from([0, -1])), 1)


def sources(
    rng: np.random.Generator, shape: tuple[int, int], bits: int, length: int, counter: bool = False
) -> dict:
    """Random sources that are legal, as attributes of an op."""
    if counter:
        width = bits + int(rng.integers(0, 3))
        drawn = rng.integers(0, 1 << width, shape)
        return {"width": width, "taps": (), "leap": 1, "seeds": Constant(drawn)}
    count = int(np.prod(shape))
    width = max(3, bits, count.bit_length(), length.bit_length()) + int(rng.integers(0, 2))
    drawn = rng.permutation((1 << width) - 1)[:count].reshape(shape) + 1
    leap = int(rng.choice([1, lfsr.default_leap(width)]))
    return {"width": width, "taps": lfsr.TAPS[width], "leap": leap, "seeds": Constant(drawn)}


def drawn_numbers(op, bits: int, length: int) -> list:
    """The numbers of all sources, ``[t][operand][component]``, step by step in plain Python."""
    states = op.seeds.array.tolist()
    found = []
    for t in range(length):
        if op.taps:
            numbers = [[s >> (op.width - bits) for s in row] for row in states]
            for _ in range(op.leap):
                states = [[_step(s, op.width, op.taps) for s in row] for row in states]
        else:
            text = format(t % (1 << op.width), f"0{op.width}b")
            turned = int(text[::-1], 2)
            numbers = [[(turned ^ s) >> (op.width - bits) for s in row] for row in states]
        found.append(numbers)
    return found


def _step(state: int, width: int, taps: tuple[int, ...]) -> int:
    text = format(state, f"0{width}b")[::-1]  # bit 0 first
    fed_back = sum(int(text[tap - 1]) for tap in taps) % 2
    return (2 * state + fed_back) % (1 << width)
