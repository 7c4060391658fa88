"""Weight codes: what they decode to, what they store, and their rooms."""

from __future__ import annotations

import pkgutil
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwgen.ops.codes
from hwgen.errors import RuleViolation
from hwgen.ir import Constant, Int
from hwgen.ir.code import find_code
from hwgen.ops.codes.basis import Basis
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.power_of_two import PowerOfTwo
from hwgen.ops.codes.structured_sparse import StructuredSparse
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from tests.ops import draw as d

NAMES = sorted(module.name for module in pkgutil.iter_modules(hwgen.ops.codes.__path__))


@pytest.mark.parametrize("name", NAMES)
def test_every_code_is_found_by_its_name(name):
    assert find_code(name).name == name
    for package in ("hwgen.rtl.codes", "hwgen.mcu.codes"):
        assert files(package).joinpath(f"{name}.py").is_file()


def test_an_unknown_code_is_named():
    with pytest.raises(RuleViolation, match="there is no weight code called 'quaternary'"):
        find_code("quaternary")


@pytest.mark.parametrize("name", NAMES)
@given(d.seeds)
def test_decoding_is_exact_and_read_only(name, seed):
    code = d.draw_weights(np.random.default_rng(seed), (4, 2, 3, 4), name)
    decoded = code.decode()
    assert decoded.dtype == np.int64
    assert decoded.shape == code.shape == (4, 2, 3, 4)
    assert decoded.min() >= code.element.lo
    assert decoded.max() <= code.element.hi
    assert not decoded.flags.writeable
    code.verify()
    assert type(code)(**code.attributes()) == code


def test_storage():
    signs = Binary(Constant([[1, -1, 1]]))
    assert (signs.storage_bits, signs.element) == (3, Int(2, True))
    nibbles = Uniform(Constant([[1, -8, 7]]), 4)
    assert (nibbles.storage_bits, nibbles.element) == (12, Int(4, True))


@given(st.integers(2, 16), st.booleans())
def test_uniform_refuses_what_does_not_fit(bits, above):
    kind = Int(bits, signed=True)
    Uniform(Constant([kind.lo, kind.hi]), bits).verify()
    beyond = kind.hi + 1 if above else kind.lo - 1
    with pytest.raises(RuleViolation, match=rf"uniform {bits}-bit weights must lie in"):
        Uniform(Constant([beyond]), bits).verify()


def test_storage_of_the_other_codes():
    assert Ternary(Constant([[1, 0, -1]])).storage_bits == 6
    assert PowerOfTwo(Constant([[4, 0, -1]]), 3).storage_bits == 9
    kept = Binary(Constant([1, -1, 1, 1]))
    masked = StructuredSparse(kept, (8,), 4, 2, Constant([[[3], [0]]]))
    assert masked.storage_bits == 4 + 2 * 2  # a sign a weight, two bits a position
    assert masked.decode().tolist() == [[0, 0, 0, 1, -1, 0, 0, 0], [0, 0, 0, 1, 1, 0, 0, 0]]
    basis = Basis(Constant([[[1, -2]]]), Constant([[[3, 5], [7, -9]]]), 1, 1, (2,))
    assert basis.storage_bits == 2 * 4 + 4 * 8
    assert basis.decode().tolist() == [[(3 - 14 + 1) >> 1, (5 + 18 + 1) >> 1]]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (Ternary(Constant([0, 2])), r"ternary weights must be -1, 0 or \+1, found \[0, 2\]"),
        (PowerOfTwo(Constant([1, 3]), 3), "power-of-two weights of 3 bits must be .* found 3"),
        (PowerOfTwo(Constant([8]), 3), r"must be 0 or \+-2\^k up to 4, found 8"),
        (PowerOfTwo(Constant([1]), 5), "power-of-two weights must have 2..4 bits, not 5"),
        (Basis(Constant([[[3]]]), Constant([[[1]]]), 1, 0, (1,)), "coefficients must be 0 or"),
        (Basis(Constant([[[1]]]), Constant([[[128]]]), 1, 0, (1,)), "basis must hold 8-bit"),
        (Basis(Constant([[[1]]]), Constant([[[1]]]), 1, 16, (1,)), "shift must be in 0..15"),
        (Basis(Constant([[[1]]]), Constant([[[1]]]), 1, 0, (2,)), "1 runs of 1 must just hold"),
        (
            Basis(Constant([[[1]], [[1]]]), Constant([[[1]]]), 1, 0, (1,)),
            r"basis must have shape \(outputs / group, 1, 1\)",
        ),
        (
            StructuredSparse(Binary(Constant([1])), (6,), 4, 1, Constant([[[0]]])),
            "block must be in 2..256 and divide the 6 weights of a row, not 4",
        ),
        (
            StructuredSparse(Binary(Constant([1, 1])), (4,), 4, 1, Constant([[[2, 1]]])),
            "positions of a block must ascend",
        ),
        (
            StructuredSparse(Binary(Constant([1, 1])), (4,), 4, 1, Constant([[[2]]])),
            r"kept weights must have shape \(1,\).* found \(2,\)",
        ),
    ],
)
def test_illegal_weights_are_refused(code, says):
    with pytest.raises(RuleViolation, match=says):
        code.verify()


def test_power_of_two_codes():
    """Sign and exponent, every value of every width; shift and add gives the product."""
    for bits in (2, 3, 4):
        magnitudes = (1 << (bits - 1)) - 1
        levels = [0] + [1 << k for k in range(magnitudes)]
        values = np.array(levels + [-v for v in levels[1:]])
        code = PowerOfTwo(Constant(values), bits)
        code.verify()
        stored = code.codes(values)
        assert sorted(stored) == sorted(set(range(1 << bits)) - {1 << (bits - 1)})
        for value, field in zip(values.tolist(), stored.tolist(), strict=True):
            k, negative = field & magnitudes, field >> (bits - 1)
            for x in range(-128, 128):
                shifted = x << (k - 1) if k else 0
                assert (-shifted if negative else shifted) == value * x


def test_every_coefficient_of_a_basis():
    """The rebuilt weights are those of the rule, for every coefficient and shift."""
    rng = np.random.default_rng(0)
    levels = [0] + [sign << p if sign > 0 else -(1 << p) for p in range(7) for sign in (1, -1)]
    for shift in range(16):
        coefficients = np.array([[c, d] for c in levels for d in levels])[None]
        basis = rng.integers(-128, 128, (1, 2, 2))
        code = Basis(Constant(coefficients), Constant(basis), 1, shift, (2 * len(levels) ** 2,))
        code.verify()
        rows = code.decode().reshape(-1, 2).tolist()
        low, high = basis[0].tolist()
        for (first, second), row in zip(coefficients[0].tolist(), rows, strict=True):
            for t in range(2):
                total = first * low[t] + second * high[t] + (1 << shift >> 1)
                assert row[t] == min(127, max(-128, total // (1 << shift)))
