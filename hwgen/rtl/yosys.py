"""Yosys counts the cells of Verilog, in a process of its own: it ends the process on an error."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from ..errors import HwgenError, MissingTool
from .device import Device
from .lib.area import Area

__all__ = ["Count", "count_cells", "yosys_version"]

# Sources that nothing uses are read too, hence -defer. Latches are counted before they are mapped:
# some devices have no cell for them.
_SCRIPT = """
import json, os, sys
from pyosys import libyosys as ys
design = ys.Design()
sources, commands = json.loads(sys.argv[1]), json.loads(sys.argv[2])
home = os.getcwd()
for source in sources:
    folder, name = os.path.split(source)
    os.chdir(folder)  # a name without a path needs no quotes
    ys.run_pass(f"read_verilog -defer {name}", design)
os.chdir(home)
for command in commands:
    ys.run_pass(command, design)
    ys.run_pass("tee -q -o {}.json stat -json".format(command.split()[0]), design)
"""
_LATCHES = ("$dlatch", "$adlatch", "$dlatchsr")


@dataclass(frozen=True, slots=True)
class Count:
    """The cells of a design after synthesis.

    Attributes
    ----------
    commands
        Yosys' commands, in order.
    modules
        Cells by module and type; instances of other modules are cells of the module's name.
    latches
        In the whole design; those of one signal count once.
    """

    device: Device
    top: str
    commands: tuple[str, ...]
    modules: Mapping[str, Mapping[str, int]]
    latches: int

    def own(self, module: str) -> Area:
        """What a module takes without the modules within it."""
        return self.device.area(self._cells(module))[0]

    def within(self, module: str) -> Area:
        """What a module takes with all that is within it."""
        total = self.own(module)
        for inner, number in self.instances(module).items():
            for _ in range(number):
                total += self.within(inner)
        return total

    def instances(self, module: str) -> dict[str, int]:
        """How often a module instantiates others, by name."""
        return {kind: n for kind, n in self.modules[module].items() if kind in self.modules}

    @property
    def unknown(self) -> dict[str, int]:
        """Cells of types that the device does not count, by type, one instance of each module."""
        found: dict[str, int] = {}
        for module in self.modules:
            for kind, number in self.device.area(self._cells(module))[1].items():
                found[kind] = found.get(kind, 0) + number
        return found

    def _cells(self, module: str) -> dict[str, int]:
        return {kind: n for kind, n in self.modules[module].items() if kind not in self.modules}


def count_cells(device: Device, top: str, sources: Sequence[Path], *, flat: bool = False) -> Count:
    """Synthesize Verilog for a device and count its cells.

    Parameters
    ----------
    top
        Name of the top module.
    sources
        Files; some may go unused.
    flat
        Dissolve the hierarchy first: logic is then shared across modules, and ``top`` is the only
        one that is left.

    Raises
    ------
    MissingTool
        Yosys is not installed.
    HwgenError
        Yosys refused the Verilog.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise MissingTool("synthesis needs Yosys: pip install pyosys")
    steps = device.flat_commands if flat else device.commands
    commands = (f"hierarchy -check -top {top}", "proc", *steps)
    with tempfile.TemporaryDirectory(prefix="hwgen-yosys-") as name:
        scratch = Path(name)
        paths = json.dumps([str(Path(source).resolve()) for source in sources])
        arguments = [sys.executable, "-c", _SCRIPT, paths, json.dumps(commands)]
        log, last = scratch / "log", scratch / f"{commands[-1].split()[0]}.json"
        returncode = _run(arguments, log)
        if returncode or not last.exists():
            raise HwgenError(f"Yosys could not synthesize {top}:\n{_tail(log)}")
        after_proc, modules = (_stat(scratch / "proc.json"), _stat(last))
    latches = sum(cells.get(kind, 0) for cells in after_proc.values() for kind in _LATCHES)
    shown = (*(f"read_verilog -defer {Path(source).name}" for source in sources), *commands)
    return Count(device, top, shown, modules, latches)


def _run(arguments: list[str], log: Path) -> int:
    """Run a process in the folder of its log; interrupted, it ends with all that it started."""
    environment = dict(os.environ, TMPDIR=str(log.parent))
    with log.open("wb") as file:
        process = subprocess.Popen(
            arguments,
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _stat(path: Path) -> dict[str, dict[str, int]]:
    modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
    return {name.lstrip("\\"): stat["num_cells_by_type"] for name, stat in modules.items()}


def _tail(log: Path, lines: int = 3) -> str:
    """What Yosys said last, its error among it."""
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in said if line.strip()]
    return "\n".join(f"  {line[:200]}" for line in kept[-lines:]) or "  no message"


@cache
def yosys_version() -> str:
    """``Yosys 0.70``, as the Python package says."""
    return f"Yosys {metadata.version('pyosys')}"
