"""The Python side of a build for a microcontroller: run, measure, and what they refuse."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import hwgen
from hwgen.errors import InvalidInput, Unsupported
from hwgen.mcu.target import find_target
from hwgen.sim.riscv.models import inferences, layer_times

needs_cross_compiler = pytest.mark.skipif(
    not (importlib.util.find_spec("ziglang") and importlib.util.find_spec("elftools")),
    reason="needs pip install hwgen[rv32]",
)


@pytest.fixture
def build(small, tmp_path):
    return hwgen.compile(small, tmp_path / "b", target="c", mcu="gap8", verify=False)


@needs_cross_compiler
def test_outputs_and_cycles(build):
    x, expected = build.vectors
    assert np.array_equal(build.run(x), expected)
    assert np.array_equal(build.run(x[:3], on="iss", cores=8), expected[:3])
    got, run = build.measure(x[:3], cores=np.int64(2))
    assert np.array_equal(got, expected[:3])
    assert len(run.instructions) == 2
    assert len(inferences(run)) == 3
    layers = layer_times(run, len(build.c.layers))
    assert 0 < sum(layer.cycles for layer in layers) <= inferences(run)[-1].cycles
    assert build.run(x[:0], on="iss").shape == (0, *expected.shape[1:])


@pytest.mark.parametrize("cores", [0, 9, -1, 2.5, "8"])
def test_wrong_numbers_of_cores(build, cores):
    with pytest.raises(InvalidInput, match="gap8 has 1 to 8 cores, not"):
        build.run(build.vectors[0][:1], on="iss", cores=cores)


def test_wrong_places(build):
    x = build.vectors[0][:1]
    for on in ("spike", None, 3):
        with pytest.raises(Unsupported, match="one of host, iss, cv32e40p, cv32e41p, not on"):
            build.run(x, on=on)
    with pytest.raises(Unsupported, match="measure on one of iss, cv32e40p, cv32e41p"):
        build.measure(x, "host")
    with pytest.raises(InvalidInput, match="sanitizers watch C on the host"):
        build.run(x, on="iss", sanitize=True)
    with pytest.raises(InvalidInput, match="a team of one core, not of 2"):
        build.run(x, cores=2)


@pytest.mark.parametrize("mcu", [None, 3, b"gap8", find_target("gap8")])
def test_a_target_is_a_name_or_a_file(small, tmp_path, mcu):
    with pytest.raises(InvalidInput, match="a name or the path of a file, found"):
        hwgen.compile(small, tmp_path / "b", target="c", mcu=mcu)
    assert not list(tmp_path.iterdir())
