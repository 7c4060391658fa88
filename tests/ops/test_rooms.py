"""One op, one name, five rooms: every op is complete, and adding one edits no list."""

from __future__ import annotations

import importlib
import inspect
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from hwgen.errors import RuleViolation
from hwgen.ir import Op, register
from hwgen.ir.op import find_op, snake_case
from hwgen.ops import op_names
from tests.ops.harness import OpTests

OPS = [name for name in op_names() if name != "input"]  # an input computes nothing
ROOMS = {
    "semantics": ("hwgen.ops", "{}.py"),
    "training": ("hwgen.nn", "{}.py"),
    "Verilog": ("hwgen.rtl", "{}.py"),
    "C values": ("hwgen.mcu.ops", "{}.py"),
    "C text": ("hwgen.kernels", "{}.c.j2"),
}
WITHOUT = {
    ("flatten", "Verilog"): "the order of the stream is kept: wires only, see hwgen/rtl/network.py",
    ("flatten", "C text"): "the result is the input's memory",
    ("ising", "training"): "there is nothing to train",
}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("name", OPS)
def test_every_op_has_its_rooms(name, room):
    package, file = ROOMS[room]
    there = files(package).joinpath(file.format(name)).is_file()
    assert there != ((name, room) in WITHOUT), f"{package}: {file.format(name)}"


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_its_tests(name):
    assert Path(__file__).with_name(f"test_{name}.py").is_file()
    module = importlib.import_module(f"tests.ops.test_{name}")
    (tests,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, OpTests) and value is not OpTests
    )
    is_trained = (name, "training") not in WITHOUT
    for needed in ("naive", *(["model"] if is_trained else [])):
        assert getattr(tests, needed) is not getattr(OpTests, needed)
    assert tests.corners
    assert {case.op.name for case in tests.corners} == {name}
    # Nothing that the harness demands is switched off, but for what the op has not.
    inherited = [attribute for attribute in vars(OpTests) if attribute.startswith("test_")]
    without = [] if is_trained else ["test_torch_equals_run"]
    assert [attribute for attribute in inherited if attribute in vars(tests)] == without


@pytest.mark.parametrize("name", op_names())
def test_every_op_is_found_by_its_name(name):
    op = find_op(name)
    assert op.name == name == snake_case(op.__name__)
    assert inspect.getdoc(op)
    assert op.__module__ == f"hwgen.ops.{name}"


def test_an_unknown_op_is_named():
    with pytest.raises(RuleViolation, match="there is no op called 'softmax'"):
        find_op("softmax")


def test_a_name_is_taken_once():
    class Clip(Op):
        def run(self, x: np.ndarray) -> np.ndarray:
            return x

    with pytest.raises(RuleViolation, match=r"op 'clip' is already registered by hwgen\.ops\.clip"):
        register(Clip)
