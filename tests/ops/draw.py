"""What the test files of ops draw their instances from."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from hwgen.ir import Constant, Int, Type
from hwgen.ir.code import WeightCode
from hwgen.ops.codes.basis import Basis
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.lfsr_masked import LfsrMasked
from hwgen.ops.codes.power_of_two import PowerOfTwo
from hwgen.ops.codes.structured_sparse import StructuredSparse
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.lib import lfsr

__all__ = [
    "activation",
    "biases",
    "draw_weights",
    "elements",
    "entrance",
    "images",
    "linear",
    "seeds",
    "sequences",
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
def sequences(draw, most: int = 6, features: int = 10, most_bits: int = 8) -> Type:
    """A sequence of up to ``most`` steps."""
    kind, lo, hi = draw(elements(most_bits))
    shape = (draw(st.integers(1, most)), draw(st.integers(1, features)))
    return Type.of(shape, lo, hi, element=kind)


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
    return draw_weights(np.random.default_rng(draw(seeds)), shape)


def draw_weights(rng: np.random.Generator, shape: tuple[int, ...], kind: str = "") -> WeightCode:
    """The same from a generator; of the code called ``kind``, if given."""
    row = math.prod(shape[1:])
    kinds = ["uniform"] * 4 + ["binary", "ternary", "power_of_two", "basis", "lfsr_masked"]
    if row > 1:
        kinds.append("structured_sparse")
    kind = kind or str(rng.choice(kinds))
    while True:
        code = _DRAW[kind](rng, shape)
        if code.decode().any():
            return code


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Uniform:
    bits = int(rng.integers(2, 9))
    kind = Int(bits, signed=True)
    values = rng.integers(kind.lo, kind.hi, shape, endpoint=True)
    values *= rng.random(shape) < rng.choice([1.0, 0.5, 0.1])
    values.reshape(-1)[rng.integers(values.size)] = rng.choice([kind.lo, -1, 1, kind.hi])
    return Uniform(Constant(values), bits)


def _binary(rng: np.random.Generator, shape: tuple[int, ...]) -> Binary:
    return Binary(Constant(rng.choice([-1, 1], shape)))


def _ternary(rng: np.random.Generator, shape: tuple[int, ...]) -> Ternary:
    zeros = rng.choice([0.1, 0.5, 0.9])
    return Ternary(
        Constant(rng.choice([-1, 0, 1], shape, p=[(1 - zeros) / 2, zeros, (1 - zeros) / 2]))
    )


def _power_of_two(rng: np.random.Generator, shape: tuple[int, ...]) -> PowerOfTwo:
    bits = int(rng.integers(2, 5))
    magnitude = (1 << rng.integers(0, (1 << (bits - 1)) - 1, shape)) * (rng.random(shape) < 0.7)
    return PowerOfTwo(Constant(magnitude * rng.choice([-1, 1], shape)), bits)


def _basis(rng: np.random.Generator, shape: tuple[int, ...]) -> Basis:
    size, group = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    runs = -(-math.prod(shape[1:]) // size)
    coefficients = (1 << rng.integers(0, 7, (shape[0], runs, size))) * rng.choice(
        [-1, 0, 1], (shape[0], runs, size)
    )
    basis = rng.integers(-128, 127, (-(-shape[0] // group), size, size), endpoint=True)
    shift = int(rng.integers(0, 9))
    return Basis(Constant(coefficients), Constant(basis), group, shift, tuple(shape[1:]))


def _inner(rng: np.random.Generator, count: int) -> WeightCode:
    """Weights that a mask keeps."""
    kind = rng.choice(["uniform", "binary", "ternary", "power_of_two"])
    return _DRAW[str(kind)](rng, (count,))


def _lfsr_masked(rng: np.random.Generator, shape: tuple[int, ...]) -> LfsrMasked:
    row = tuple(int(n) for n in shape[1:])
    inputs = math.prod(row)
    width = min(16, lfsr.default_width(inputs, shape[0]) + int(rng.integers(0, 3)))
    taps, leap = lfsr.TAPS[width], int(rng.choice([1, lfsr.default_leap(width)]))
    seeds = lfsr.golden_seeds(shape[0], width, taps)
    density = float(rng.choice([0.2, 0.5, 0.9]))
    while True:  # until every output keeps an input
        limit = lfsr.threshold(density, width)
        counts = lfsr.mask(inputs, seeds, width, taps, leap, limit).sum(axis=1)
        if counts.all():
            break
        density = min(0.999, density * 1.3)
    kept = _inner(rng, int(counts.sum()))
    return LfsrMasked(kept, row, width, taps, leap, limit, Constant(seeds))


def _structured_sparse(rng: np.random.Generator, shape: tuple[int, ...]) -> StructuredSparse:
    row = tuple(int(n) for n in shape[1:])
    inputs = math.prod(row)
    block = int(rng.choice([d for d in range(2, inputs + 1) if inputs % d == 0 and d <= 256]))
    share = int(rng.choice([d for d in (1, 2, 4) if shape[0] % d == 0]))
    keep = int(rng.integers(1, min(block, 4), endpoint=True))
    places = rng.random((shape[0] // share, inputs // block, block)).argsort(axis=2)[..., :keep]
    kept = _inner(rng, places.size * share)
    return StructuredSparse(kept, row, block, share, Constant(np.sort(places, axis=2)))


_DRAW = {
    "uniform": _uniform,
    "binary": _binary,
    "ternary": _ternary,
    "power_of_two": _power_of_two,
    "basis": _basis,
    "lfsr_masked": _lfsr_masked,
    "structured_sparse": _structured_sparse,
}


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


def weighted(rng: np.random.Generator, masked: bool = False) -> dict:
    """Random options of a layer with weights, of any code (of one for masks if ``masked``)."""
    codes = ["uniform"] * 3 + ["binary", "ternary", "power_of_two"] + ["basis"] * (not masked)
    code = str(rng.choice(codes))
    options = {
        "code": code,
        "bias": bool(rng.integers(2)),
        "per_channel": bool(rng.integers(2)) and code != "power_of_two",
        "scale": str(rng.choice(["learned", "power_of_two"])),
        "batch_norm": bool(rng.integers(2)),
    }
    if code == "uniform":
        return {**options, "bits": int(rng.integers(1, 9))}
    if code == "power_of_two":
        return {**options, "bits": int(rng.integers(2, 5)), "tau": float(rng.choice([0.0, 0.4]))}
    if code == "basis":
        return {**options, "run": int(rng.integers(1, 5)), "group": int(rng.integers(1, 5))}
    return {**options, "stochastic": bool(rng.integers(2))}


def linear(rng: np.random.Generator, inputs: int, outputs: int):
    """A random fully connected layer, half of the time one with a mask."""
    from hwgen.errors import InvalidInput
    from hwgen.nn import LFSRLinear, Linear, SparseLinear

    kind = rng.choice(["dense", "dense", "lfsr", "sparse"])
    blocks = [m for m in range(2, inputs + 1) if inputs % m == 0]
    if kind == "lfsr":
        try:
            density = float(rng.choice([0.3, 0.6]))
            return LFSRLinear(inputs, outputs, density=density, **weighted(rng, masked=True))
        except InvalidInput:  # an output without input
            return LFSRLinear(inputs, outputs, density=0.97, **weighted(rng, masked=True))
    if kind == "sparse" and blocks:
        block = int(rng.choice(blocks))
        share = int(rng.choice([s for s in (1, 2, 3) if outputs % s == 0]))
        sparsity = f"{rng.integers(1, block)}:{block}"
        options = weighted(rng, masked=True)
        return SparseLinear(inputs, outputs, sparsity=sparsity, share=share, **options)
    return Linear(inputs, outputs, **weighted(rng))


def activation(rng: np.random.Generator):
    """A random activation with its quantizer."""
    from hwgen.nn import Activation

    signed = bool(rng.integers(2))
    scale = str(rng.choice(["learned", "power_of_two"]))
    return Activation(int(rng.integers(1 + signed, 9)), signed, scale)
