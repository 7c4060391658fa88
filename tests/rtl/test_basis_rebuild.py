"""Weights rebuilt from a basis: every coefficient, and in front of a folded array."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.errors import HwgenError
from hwgen.ir import Constant, Schedule, Type
from hwgen.ops.codes.basis import Basis
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.rtl.emit import emit
from hwgen.rtl.lib.basis_rebuild import STAGES, BasisRebuild
from hwgen.sim import protocol_check, simulator
from hwgen.sim.verilated import lint
from tests.ops import draw as d
from tests.rtl.bench import check_design, check_network
from tests.rtl.draw import samples
from tests.rtl.test_layers import one


def rebuilt(code: Basis) -> np.ndarray:
    """What the block makes of all runs of a code of one basis, a word of two runs a clock."""
    words = code.codes().reshape(-1, 2 * code.run).tolist()
    block = BasisRebuild(code.run, code.shift, [0, 0])
    entries = (code.basis.array.reshape(-1) & 0xFF).tolist()
    found = []

    async def bench(ctx) -> None:
        ctx.set(block.basis, sum(entry << (8 * k) for k, entry in enumerate(entries)))
        for at in range(len(words) + STAGES):
            word = words[min(at, len(words) - 1)]
            ctx.set(block.coefficients, sum(c << (4 * k) for k, c in enumerate(word)))
            if at % 5 == 3:  # it stands still now and then
                ctx.set(block.enable, 0)
                await ctx.tick()
            ctx.set(block.enable, 1)
            if at >= STAGES:
                found.append(ctx.get(block.weights))
            await ctx.tick()

    sim = Simulator(block)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    raw = np.array([w >> (8 * k) & 0xFF for w in found for k in range(2 * code.run)])
    return raw - ((raw >> 7) << 8)


LEVELS = [0, *(sign << p if sign > 0 else -(1 << p) for p in range(7) for sign in (1, -1))]


@pytest.mark.parametrize("shift", [0, 1, 6, 15])
def test_every_pair_of_coefficients(shift) -> None:
    """The integer rule, for every coefficient beside every other."""
    pairs = np.array([[a, b] for a in LEVELS for b in LEVELS])
    pairs = np.concatenate([pairs, pairs[:1]])  # an even number
    basis = np.array([[[-128, 127], [127, -77]]])
    code = Basis(Constant(pairs[None]), Constant(basis), 1, shift, (2 * len(pairs),))
    code.verify()
    weights = code.decode().reshape(-1)
    assert rebuilt(code).tolist() == weights.tolist()
    if shift <= 1:
        assert (weights.min(), weights.max()) == (-128, 127)  # saturated


@settings(max_examples=10)
@given(d.seeds, st.integers(1, 5), st.integers(0, 15))
def test_runs_of_any_length(seed, size, shift) -> None:
    rng = np.random.default_rng(seed)
    coefficients = rng.choice(LEVELS, (1, 20, size))
    basis = rng.integers(-128, 127, (1, size, size), endpoint=True)
    code = Basis(Constant(coefficients), Constant(basis), 1, shift, (20 * size,))
    assert rebuilt(code).tolist() == code.decode().reshape(-1).tolist()


def layer(size: int, group: int, inputs: int = 12, outputs: int = 8, shift: int = 6):
    rng = np.random.default_rng(size + group)
    coefficients = rng.choice(LEVELS, (outputs, -(-inputs // size), size))
    basis = rng.integers(-128, 127, (-(-outputs // group), size, size), endpoint=True)
    code = Basis(Constant(coefficients), Constant(basis), group, shift, (inputs,))
    bias = Constant(rng.integers(-99, 99, outputs))
    return one(Dense(code, bias), Type.of((inputs,), -8, 7))


# One basis for all; a basis a turn, for several turns, for several in a turn; lanes of their own.
@pytest.mark.parametrize(
    ("size", "group", "pe", "simd"),
    [(3, 8, 2, 3), (2, 2, 2, 4), (4, 4, 2, 4), (2, 2, 4, 2), (1, 3, 2, 2), (3, 5, 1, 6)],
)
def test_dense_layers(size, group, pe, simd) -> None:
    check_network(layer(size, group), {"node": Schedule("folded", pe=pe, simd=simd)})


@pytest.mark.slow
@settings(max_examples=15)
@given(d.seeds)
def test_any_layer(seed) -> None:
    rng = np.random.default_rng(seed)
    inputs, outputs = int(rng.choice([4, 6, 8, 12])), int(rng.integers(1, 13))
    if rng.integers(2):
        code = d.draw_weights(rng, (outputs, inputs), "basis")
        graph = one(Dense(code, Constant(np.zeros(outputs, int))), Type.of((inputs,), -8, 7))
    else:
        code = d.draw_weights(rng, (outputs, 2, 2, inputs), "basis")
        op = Conv2d(code, Constant(np.zeros(outputs, int)), (1, 1), (1, 0))
        graph = one(op, Type.of((3, 3, inputs), -8, 7))
    node = graph["node"]
    choices = [
        s
        for s in node.op.schedules(*graph.operands(node))
        if s.form == "folded" and s.simd % code.run == 0
    ]
    if choices:
        check_network(graph, {"node": choices[rng.integers(len(choices))]})


def test_the_rom_holds_coefficients(tmp_path) -> None:
    """Where a run lies within a step; where it does not, the ROM holds the weights."""
    if missing := simulator("verilator").missing():
        pytest.skip(missing)
    graph = layer(4, 2)
    for simd, bits, rebuilds in ((4, 4, True), (2, 8, False)):
        folder = tmp_path / str(simd)
        design = emit(graph, {"node": Schedule("folded", pe=2, simd=simd)}, folder)
        lint(design)
        check_design(design, graph, frames=40)
        text = (folder / "unit_node_dense.v").read_text()
        (width,) = re.findall(r"reg \[(\d+):0\] (?:coefficient|weight)_rom \[", text)
        assert int(width) + 1 == 2 * simd * bits
        assert (folder / "unit_node_dense_rebuild.v").is_file() == rebuilds


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        pytest.param(
            "unit_node_dense.v",
            r"(coefficient_rom\[3\] = \d+'h)(\w+)",
            marks=pytest.mark.slow,
        ),
        ("unit_node_dense.v", r"(basis0_rom\[1\] = \d+'h)(\w+)"),
        pytest.param("unit_node_dense_rebuild.v", r"(\$signed\(\d+'h)(20)", marks=pytest.mark.slow),
    ],
)
def test_benches_see_mutations(file, pattern, tmp_path: Path) -> None:
    if missing := simulator("verilator").missing():
        pytest.skip(missing)
    graph = layer(4, 2)
    design = emit(graph, {"node": Schedule("folded", pe=2, simd=4)}, tmp_path)
    path = tmp_path / file
    change = lambda m: f"{m[1]}{int(m[2], 16) ^ 8:x}"  # noqa: E731
    text, count = re.subn(pattern, change, path.read_text(), count=1)
    assert count, path.read_text()
    path.write_text(text)
    x = samples(graph, 200)
    with pytest.raises(HwgenError):
        protocol_check(design, simulator("verilator"), x, graph.run(x))
