"""The AXI4-Stream top reads well and every tool takes it; test_engines.py runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hwgen.rtl.design import StreamShape
from hwgen.rtl.top import render_top
from hwgen.sim.verilated import lint
from tests.sim.designs import ADDER, PASSTHROUGH, Example, passthrough

# pyosys ends its process on an error.
YOSYS = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
for command in (*(f"read_verilog {path}" for path in sys.argv[2:]),
                f"hierarchy -check -top {sys.argv[1]}", "proc", "check -assert"):
    ys.run_pass("tee -q " + command, design)
"""


def test_snapshot(snapshot) -> None:
    header = "// Generated for a test.\n"
    text = render_top(
        "tiny",
        "tiny_core",
        StreamShape(lanes=3, width=5, signed=True, beats=4),
        StreamShape(lanes=2, width=10, signed=True, beats=10),
        header,
    )
    snapshot.check(text, "axi_stream_top.v")


def test_one_beat_a_frame_needs_no_counter() -> None:
    shape = StreamShape(lanes=1, width=8, signed=False, beats=1)
    text = render_top("one", "one_core", shape, shape, "// header")
    assert "assign m_axis_tlast = 1'b1;" in text
    assert "output_beat" not in text and "always" not in text


@pytest.mark.parametrize("signed", [False, True])
def test_extension(signed: bool) -> None:
    shape = StreamShape(lanes=2, width=6, signed=signed, beats=1)
    text = render_top("m", "m_core", shape, shape, "// header")
    extension = re.search(r"\+: 2\] = (.*);", text)
    assert extension is not None
    assert extension[1] == ("{2{o_payload[lane * 6 + 5]}}" if signed else "2'd0")


@pytest.mark.parametrize(
    "example",
    [ADDER, PASSTHROUGH, passthrough(1, 1, True, 3)],
    ids=lambda e: f"{e.name}-{e.input.width}",
)
def test_yosys_and_lint_take_it(example: Example, tmp_path: Path) -> None:
    design = example.build(tmp_path)
    lint(design)
    command = [sys.executable, "-c", YOSYS, design.top, *map(str, design.paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
