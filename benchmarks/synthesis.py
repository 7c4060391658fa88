"""Sizes of Verilog through Yosys, in a process of its own: Yosys ends the process on an error."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from .measure import ChildFailed, cpu_seconds

__all__ = ["COMMAND", "count", "yosys_version"]

COMMAND = "synth_xilinx -family xcup -flatten -noiopad"

_SCRIPT = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
out, top, *sources = sys.argv[1:]
for source in sources:
    ys.run_pass(f"tee -q read_verilog -defer {source}", design)  # some sources are not used
ys.run_pass(f"tee -q COMMAND -top {top}", design)
ys.run_pass(f"tee -q -o {out} stat -json", design)
"""


def count(top: str, sources: Sequence[Path]) -> tuple[dict[str, int], float]:
    """Cells by type after synthesis, and its CPU seconds."""
    start = cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stat.json"
        script = _SCRIPT.replace("COMMAND", COMMAND)
        command = [sys.executable, "-c", script, str(out), top, *map(str, sources)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not out.exists():
            text = (done.stderr + done.stdout).strip().splitlines() or ["no message"]
            raise ChildFailed(f"Yosys: {text[-1][:200]}")
        cells = json.loads(out.read_text())["design"]["num_cells_by_type"]
    return cells, cpu_seconds() - start


@cache
def yosys_version() -> str:
    """``Yosys 0.70``, as the Python package says."""
    return f"Yosys {metadata.version('pyosys')}"
