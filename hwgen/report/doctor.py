"""Which tools are here, what each missing one would enable, and how to get it."""

from __future__ import annotations

import sys
from importlib import metadata

from .. import __version__
from ..errors import HwgenError, MissingTool
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
    ("ortools", "C tiled to a microcontroller's fast memory", "pip install 'ortools>=9.8'"),
    ("scipy", "invertible gates from truth tables", "pip install 'scipy>=1.11'"),
    ("ziglang", "compiling C for RISC-V", "pip install ziglang"),
    ("pyelftools", "running C on simulated RISC-V cores", "pip install pyelftools"),
    (
        "pythondata-cpu-cv32e40p",
        "running C on the RTL of CV32E40P",
        "pip install pythondata-cpu-cv32e40p==1.0.1.post1909",
    ),
    (
        "pythondata-cpu-cv32e41p",
        "running C on the RTL of CV32E41P",
        "pip install pythondata-cpu-cv32e41p==0.0.post1883",
    ),
    ("matplotlib", "plots of hwgen study", "pip install matplotlib"),
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
    for row in (_c_compiler(), _cross_compiler()):
        rows.append(row)
        lacking += row[1] == "missing"
    print_table("hwgen doctor", ("tool", "version", "enables", "how to get it"), rows)
    if lacking:
        print(f"{lacking} missing; everything that does not need them works without.")
    else:
        print("All tools are here.")


def _c_compiler() -> list[str]:
    from ..mcu.toolchain.compiler import find_host_compiler

    try:
        return ["C compiler", " ".join(find_host_compiler()), "running C on this machine", ""]
    except MissingTool:
        return ["C compiler", "missing", "running C on this machine", "apt install gcc libc6-dev"]


def _cross_compiler() -> list[str]:
    from ..mcu.target import find_target
    from ..mcu.toolchain.cross import find_cross_compiler

    name, enables = "RISC-V C compiler", "C for microcontrollers, and running it on their cores"
    try:
        compiler = find_cross_compiler(find_target("rv32imc"))
    except HwgenError:  # none, or HWGEN_RISCV_CC names one that is not there
        return [name, "missing", enables, "pip install ziglang"]
    # The path of this Python says nothing.
    words = ("zig", "cc") if compiler.command[1:] == ("-m", "ziglang", "cc") else compiler.command
    return [name, " ".join(words), enables, ""]
