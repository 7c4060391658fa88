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
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.uniform import Uniform
from tests.ops import draw as d

NAMES = sorted(module.name for module in pkgutil.iter_modules(hwgen.ops.codes.__path__))


@pytest.mark.parametrize("name", NAMES)
def test_every_code_is_found_by_its_name(name):
    assert find_code(name).name == name
    for package in ("hwgen.rtl.codes", "hwgen.mcu.codes"):
        assert files(package).joinpath(f"{name}.py").is_file()


def test_an_unknown_code_is_named():
    with pytest.raises(RuleViolation, match="there is no weight code called 'ternary'"):
        find_code("ternary")


@given(d.weights((3, 4)))
def test_decoding_is_exact_and_read_only(code):
    decoded = code.decode()
    assert decoded.dtype == np.int64
    assert decoded.shape == code.shape == (3, 4)
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
