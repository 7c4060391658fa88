"""Yosys counts the cells of Verilog."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import HwgenError
from ..yosys import run_yosys, said_last
from .device import Device
from .lib.area import Area

__all__ = ["Count", "count_cells"]

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
    synthesis = device.flat_commands if flat else device.commands
    commands = (f"hierarchy -check -top {top}", "proc", *synthesis)
    paths = [Path(source).resolve() for source in sources]
    # Sources that nothing uses are read too, hence -defer.
    reads = tuple(f"read_verilog -defer {path.name}" for path in paths)
    with tempfile.TemporaryDirectory(prefix="hwgen-yosys-") as name:
        scratch = Path(name)
        steps = [(path.parent, read) for path, read in zip(paths, reads, strict=True)]
        for command in commands:
            report = f"tee -q -o {command.split()[0]}.json stat -json"
            steps += [(scratch, command), (scratch, report)]
        done, log = run_yosys(steps, scratch, "synthesis")
        last = scratch / f"{commands[-1].split()[0]}.json"
        if not done or not last.exists():
            raise HwgenError(f"Yosys could not synthesize {top}:\n{said_last(log)}")
        after_proc, modules = (_stat(scratch / "proc.json"), _stat(last))
    # Latches are counted before they are mapped: some devices have no cell for them.
    latches = sum(cells.get(kind, 0) for cells in after_proc.values() for kind in _LATCHES)
    return Count(device, top, (*reads, *commands), modules, latches)


def _stat(path: Path) -> dict[str, dict[str, int]]:
    modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
    return {name.lstrip("\\"): stat["num_cells_by_type"] for name, stat in modules.items()}
