"""Emitted C compiles for a 32-bit RISC-V core without an operating system."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from hwgen.errors import MissingTool, Unsupported
from hwgen.mcu.cross import measure, section_sizes
from hwgen.mcu.emit import emit
from tests.mcu.graphs import draw, network

needs_cross_compiler = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None,
    reason="needs the cross compiler: pip install ziglang",
)


@needs_cross_compiler
def test_small(small, tmp_path):
    build = emit(small, tmp_path, target="rv32imc")
    sizes = measure(build)
    # The compiler may fold a small table into the code.
    assert build.constant_bytes - 32 <= sizes.rodata <= build.constant_bytes
    assert 0 < sizes.text < 4000
    assert (sizes.data, sizes.bss) == (0, 0)


@needs_cross_compiler
def test_random_networks(tmp_path):
    rng = np.random.default_rng(5)
    for i in range(6):
        build = emit(draw(network, rng, f"n{i}"), tmp_path / str(i), target="rv32imc")
        sizes = measure(build)
        assert (sizes.data, sizes.bss) == (0, 0)


def test_what_is_missing_is_named(small, tmp_path, monkeypatch):
    build = emit(small, tmp_path)
    with pytest.raises(Unsupported, match="needs no cross compiler"):
        measure(build, "host")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingTool, match="pip install ziglang"):
        measure(build)
    with pytest.raises(Unsupported, match="32-bit little-endian ELF"):
        section_sizes(b"\x7fELF\x02\x01" + bytes(60))
