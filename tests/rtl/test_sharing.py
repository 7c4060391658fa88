"""Verilog of constant matrices with and without sharing, proven equal by Yosys."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Fragment

from hwgen.ir.types import Int
from hwgen.rtl.design import StreamShape
from hwgen.rtl.lib import constant_matrix
from hwgen.rtl.lib.adder_graph import build_adder_graph
from hwgen.rtl.lib.constant_matrix import ConstantMatrix
from hwgen.rtl.platform import VerilogPlatform

SCRIPT = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
for command in (
    f"read_verilog {sys.argv[1]} {sys.argv[2]}",
    "proc",
    "opt_clean",
    "equiv_make gold_matrix gate_matrix proof",
    "hierarchy -top proof",
    "equiv_simple",
    "equiv_induct",
    "equiv_status -assert",
):
    ys.run_pass("tee -q " + command, design)
print("equal")
"""


def leaf(name: str, matrix, bias, element: Int, share: bool, monkeypatch) -> tuple[str, int]:
    """The Verilog of a constant matrix in one stage, and its adders."""
    outputs, inputs = matrix.shape
    source = StreamShape(inputs, element.width, element.signed, 1)
    target = StreamShape(outputs, 12, True, 1)
    build = partial(build_adder_graph, share=share)
    monkeypatch.setattr(constant_matrix, "build_adder_graph", build)
    part = ConstantMatrix(
        name, matrix, bias, (element.lo, element.hi), source, target, adders_per_stage=64
    )
    platform = VerilogPlatform("// header")
    Fragment.get(part, platform)
    return platform.leaves[f"{name}_matrix"], len(part.graph.adders)


def reference(matrix, bias, element: Int) -> str:
    """The same by Verilog's own multiplication."""
    outputs, inputs = matrix.shape
    wires, rows = [], []
    for k in range(inputs):
        bits = f"x[{(k + 1) * element.width - 1}:{k * element.width}]"
        extended = bits if element.signed else f"{{1'b0, {bits}}}"
        wires.append(f"wire signed [11:0] v{k} = $signed({extended});")
    for index in range(outputs):
        terms = [f"12'sd{abs(w)} * v{k}" for k, w in enumerate(matrix[index])]
        signs = ["-" if w < 0 else "+" for w in matrix[index]]
        total = " ".join(f"{s} {t}" for s, t in zip(signs, terms, strict=True))
        sign = "-" if bias[index] < 0 else "+"
        rows.append(
            f"reg signed [11:0] r{index};\n"
            f"always @(posedge clk) if (enable[0]) r{index} <= 12'sd0 {total} {sign} 12'sd{abs(bias[index])};\n"
            f"assign y[{12 * index + 11}:{12 * index}] = r{index};"
        )
    return "\n".join(
        [
            "module gold_matrix (input wire clk, input wire [0:0] enable,",
            f"input wire [{inputs * element.width - 1}:0] x, output wire [{12 * outputs - 1}:0] y);",
            *wires,
            *rows,
            "endmodule\n",
        ]
    )


def equal(folder: Path, gold: str, gate: str) -> bool:
    """Whether Yosys proves it."""
    gold = re.sub(r"\bn(\d+)", r"gold\1", gold)  # Yosys takes wires of one name for equal ones
    paths = [folder / "gold.v", folder / "gate.v"]
    for path, text in zip(paths, (gold, gate), strict=True):
        path.write_text(text)
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, paths)], capture_output=True, text=True
    )
    if result.returncode == 0:
        return "equal" in result.stdout
    assert "equiv_status" in result.stdout, result.stderr  # all commands before it went well
    return False


def drawn(seed: int, outputs: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(-7, 8, (outputs, inputs)), rng.integers(-50, 50, outputs)


@pytest.mark.parametrize("element", [Int(3, False), Int(3, True)], ids=str)
def test_sharing_changes_nothing(element, tmp_path, monkeypatch) -> None:
    matrix, bias = drawn(1, 4, 4)
    plain, most = leaf("gold", matrix, bias, element, False, monkeypatch)
    shared, fewer = leaf("gate", matrix, bias, element, True, monkeypatch)
    assert fewer < most
    assert equal(tmp_path, plain, shared)


@pytest.mark.parametrize("element", [Int(3, False), Int(3, True)], ids=str)
def test_shared_form_is_the_matrix(element, tmp_path, monkeypatch) -> None:
    matrix, bias = drawn(2, 3, 4)
    shared, _ = leaf("gate", matrix, bias, element, True, monkeypatch)
    assert equal(tmp_path, reference(matrix, bias, element), shared)


MUTATIONS = {
    "an operand": (r"~x(\d)", lambda m: f"~x{(int(m[1]) + 1) % 4}"),
    "a sign": (r"~(x\d)", r"\1"),
    "a carry": (
        r" \+ \{(\d)'b0+, ~(\w+)\}",
        lambda m: f" - {{{m[1]}'b{'1' * int(m[1])}, {m[2]}}}",
    ),
    "a constant": (r"(\d'd)(\d+) ([-+])", lambda m: f"{m[1]}{int(m[2]) ^ 1} {m[3]}"),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_proof_sees_mutations(mutation, tmp_path, monkeypatch) -> None:
    matrix, bias = drawn(1, 4, 4)
    element = Int(3, False)
    plain, _ = leaf("gold", matrix, bias, element, False, monkeypatch)
    shared, _ = leaf("gate", matrix, bias, element, True, monkeypatch)
    wrong, count = re.subn(*MUTATIONS[mutation], shared, count=1)
    assert count and wrong != shared
    assert not equal(tmp_path, plain, wrong)
