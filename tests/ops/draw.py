"""What the test files of ops draw their instances from."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Constant, Int, Type
from hwgen.ir.code import WeightCode
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.uniform import Uniform

__all__ = [
    "activation",
    "biases",
    "elements",
    "entrance",
    "images",
    "seeds",
    "vectors",
    "weighted",
    "weights",
    "windows",
]

seeds = st.integers(0, 2**32 - 1)


@st.composite
def elements(draw, most_bits: int = 8) -> tuple[Int, int, int]:
    """An integer type and an interval in it, half of the time the whole of it."""
    signed = draw(st.booleans())
    kind = Int(draw(st.integers(1 + signed, most_bits)), signed)
    if draw(st.booleans()):
        return kind, kind.lo, kind.hi
    lo = draw(st.integers(kind.lo, kind.hi))
    return kind, lo, draw(st.integers(lo, kind.hi))


@st.composite
def vectors(draw, most: int = 24, most_bits: int = 8) -> Type:
    """A vector of up to ``most`` elements."""
    kind, lo, hi = draw(elements(most_bits))
    return Type.of((draw(st.integers(1, most)),), lo, hi, element=kind)


@st.composite
def images(draw, most: int = 6, channels: int = 4, most_bits: int = 8) -> Type:
    """An image of up to ``most`` x ``most`` pixels."""
    kind, lo, hi = draw(elements(most_bits))
    shape = (
        draw(st.integers(1, most)),
        draw(st.integers(1, most)),
        draw(st.integers(1, channels)),
    )
    return Type.of(shape, lo, hi, element=kind)


@st.composite
def weights(draw, shape: tuple[int, ...]) -> WeightCode:
    """Weights of any code, some rows of small ones or zeros, never all zero."""
    rng = np.random.default_rng(draw(seeds))
    if draw(st.integers(0, 3)) == 0:
        return Binary(Constant(rng.choice([-1, 1], shape)))
    bits = draw(st.integers(2, 8))
    kind = Int(bits, signed=True)
    values = rng.integers(kind.lo, kind.hi, shape, endpoint=True)
    values *= rng.random(shape) < draw(st.sampled_from([1.0, 0.5, 0.1]))
    values.reshape(-1)[draw(st.integers(0, values.size - 1))] = draw(
        st.sampled_from([kind.lo, -1, 1, kind.hi])
    )
    return Uniform(Constant(values), bits)


@st.composite
def biases(draw, channels: int) -> Constant:
    """One bias a channel, of up to 16 bits."""
    rng = np.random.default_rng(draw(seeds))
    most = draw(st.sampled_from([0, 1, 100, 30_000]))
    return Constant(rng.integers(-most, most, channels, endpoint=True))


@st.composite
def windows(draw, height: int, width: int, most: int = 3, pool: bool = False):
    """Kernel, stride and padding of a window that fits the image; a pool's padding is at most half."""
    kernel, stride, padding = [], [], []
    for size in (height, width):
        k = draw(st.integers(1, min(most, size + 2)))
        least = max(0, -(-(k - size) // 2))
        limit = k // 2 if pool else k - 1
        if least > limit:
            k, least, limit = 1, 0, 0
        kernel.append(k)
        stride.append(draw(st.integers(1, 3)))
        padding.append(draw(st.integers(least, limit)))
    return tuple(kernel), tuple(stride), tuple(padding)


def entrance(rng: np.random.Generator, *shape: int):
    """A random input quantizer for samples of ``shape`` (PyTorch's order)."""
    from hwgen.nn import InputQuantizer

    signed = bool(rng.integers(2))
    scale = rng.choice([0.3, 0.125, 1.0, 0.01])
    return InputQuantizer(int(rng.integers(1 + signed, 9)), float(scale), signed, shape)


def weighted(rng: np.random.Generator) -> dict:
    """Random options of a layer with weights."""
    return {
        "bits": int(rng.integers(1, 9)),
        "bias": bool(rng.integers(2)),
        "per_channel": bool(rng.integers(2)),
        "scale": str(rng.choice(["learned", "power_of_two"])),
        "batch_norm": bool(rng.integers(2)),
    }


def activation(rng: np.random.Generator):
    """A random activation with its quantizer."""
    from hwgen.nn import Activation

    signed = bool(rng.integers(2))
    scale = str(rng.choice(["learned", "power_of_two"]))
    return Activation(int(rng.integers(1 + signed, 9)), signed, scale)
