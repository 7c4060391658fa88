"""The output folder of a compilation: everything needed to run any check again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import InvalidInput, Unsupported
from .ir.graph import Graph
from .ir.schedule import Schedule
from .ir.serialize import load_graph

if TYPE_CHECKING:
    from .mcu.build import CBuild
    from .rtl.design import Design
    from .rtl.synthesis import Synthesis
    from .sim import SimulationResult
    from .sim.riscv import CoreRun

__all__ = ["MANIFEST", "Build", "file_digests"]

MANIFEST = "manifest.json"
FORMAT = "hwgen-build"
VERSION = 1
PARTS = {
    "model": str,
    "graph": str,
    "schedules": dict,
    "options": dict,
    "checks": list,
    "files": dict,
}


class Build:
    """A compiled model on disk.

    ====================  =====================================================
    ``manifest.json``     versions, graph hash, options, every file's digest
    ``model.ir.json``     the graph, with ``model.safetensors``
    ``verilog/``          one module a file, ``design.json``
    ``c/``                C sources and header, ``build.json``
    ``vectors/``          ``input.npy`` and ``expected.npy``, integers
    ``sim/``              logs and waveforms of simulations
    ``synth/``            cells that a synthesizer counted, by device
    ====================  =====================================================

    Parameters
    ----------
    folder
        Where it lies.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Build:
        """A build folder that ``compile`` wrote.

        Raises
        ------
        InvalidInput
            The folder is missing or holds no build.
        """
        build = cls(folder)
        if not build.folder.is_dir():
            raise InvalidInput(f"{folder}: no such folder; make it with 'hwgen compile'")
        build.manifest  # noqa: B018  reads and checks it
        return build

    @cached_property
    def manifest(self) -> dict:
        """The content of ``manifest.json``."""
        path = self.folder / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InvalidInput(
                f"{self.folder}: not a build folder (no {MANIFEST}); make one with 'hwgen compile'"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path}: damaged: {error}; compile again") from None
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise InvalidInput(f"{path}: must be the manifest of an hwgen build")
        if manifest.get("version") != VERSION:
            raise InvalidInput(
                f"{path}: version must be {VERSION}, found {manifest.get('version')!r}; compile again"
            )
        for key, kind in PARTS.items():
            if not isinstance(manifest.get(key), kind):
                raise InvalidInput(f"{path}: damaged: holds no {key}; compile again")
        return manifest

    @cached_property
    def graph(self) -> Graph:
        """The compiled graph."""
        return load_graph(self.folder / "model.ir.json")

    @cached_property
    def schedules(self) -> dict[str, Schedule]:
        """Schedules by node name."""
        try:
            return {name: Schedule(**entry) for name, entry in self.manifest["schedules"].items()}
        except TypeError as error:
            raise InvalidInput(
                f"{self.folder / MANIFEST}: damaged: {error}; compile again"
            ) from None

    @cached_property
    def design(self) -> Design:
        """The Verilog design."""
        from .rtl.design import Design

        design = Design.load(self.folder / "verilog")
        self._require(design.folder, (*design.sources, *design.images))
        return design

    @cached_property
    def c(self) -> CBuild:
        """The C sources."""
        from .mcu.build import CBuild

        c = CBuild.load(self.folder / "c")
        self._require(c.folder, (*c.sources, c.header.name))
        return c

    @staticmethod
    def _require(folder: Path, names) -> None:
        for name in names:
            if not (folder / name).is_file():
                raise InvalidInput(f"{folder / name}: no such file; compile again")

    @cached_property
    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Golden inputs and outputs, int64, in the graph's shapes."""
        try:
            x = np.load(self.folder / "vectors" / "input.npy", allow_pickle=False)
            expected = np.load(self.folder / "vectors" / "expected.npy", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InvalidInput(
                f"{self.folder / 'vectors'}: damaged: {error}; compile again"
            ) from None
        return x, expected

    def damage(self) -> list[str]:
        """Files that are missing or differ from the manifest's digests."""
        digests = file_digests(self.folder)
        return [name for name, want in self.manifest["files"].items() if digests.get(name) != want]

    def simulate(
        self,
        x,
        simulator: str = "verilator",
        *,
        stalls: bool = False,
        waves: str | Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Run samples through the Verilog.

        Parameters
        ----------
        x
            Integers of shape (batch, *input shape).
        simulator
            ``verilator`` (compiled, for data sets), ``icarus``, ``verilator-cocotb``, or
            ``amaranth``, which needs no tool outside Python.
        stalls
            Let source and sink pause at random.
        waves
            Write waveforms to this file.

        Returns
        -------
        int64 array of shape (batch, *output shape): equal to ``graph.run(x)``.
        """
        result = self.simulation(x, simulator, stalls=stalls, waves=waves, progress=progress)
        return result.outputs

    def simulation(
        self,
        x,
        simulator: str = "verilator",
        *,
        stalls: bool = False,
        waves: str | Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> SimulationResult:
        """Like :meth:`simulate`, with measured cycles, interval and latency."""
        from dataclasses import replace

        engine = self.engine(simulator)
        x = self.graph.check_input(x)
        result = engine.run(
            self.design,
            x,
            stalls=stalls,
            waves=Path(waves) if waves is not None else None,
            progress=progress,
        )
        shape = (len(x), *self.graph.output_type.shape)
        return replace(result, outputs=result.outputs.reshape(shape))

    def engine(self, simulator: str):
        """A simulator for this build; see :mod:`hwgen.sim`."""
        from . import sim
        from .rtl.network import Network

        return sim.simulator(
            simulator,
            core=lambda: Network(self.graph, self.schedules),
            logs=self.folder / "sim",
        )

    def synthesize(self, device: str = "xilinx", *, flat: bool = False) -> Synthesis:
        """Count with Yosys what the Verilog takes of a device, layer by layer.

        The result is also written as ``synth/<device>.json``.

        Parameters
        ----------
        device
            ``ice40``, ``ecp5``, ``xilinx`` (UltraScale+) or ``generic``: look-up tables of six
            inputs and flip-flops alone.
        flat
            Count the whole once more with the hierarchy dissolved.

        Raises
        ------
        InvalidInput
            There is no such device, or the build has no Verilog.
        MissingTool
            Yosys is not installed.
        """
        from .rtl.device import find_device
        from .rtl.network import Network
        from .rtl.synthesis import synthesize

        found = find_device(device)
        network = Network(self.graph, self.schedules)
        result = synthesize(self.design, network, found, flat=flat)
        result.save(self.folder / "synth" / f"{device}.json")
        return result

    def run(
        self, x, on: str = "host", *, cores: int | None = None, sanitize: bool = False
    ) -> np.ndarray:
        """Run samples through the C code.

        Parameters
        ----------
        x
            Integers of shape (batch, *input shape).
        on
            ``host``: this machine. ``iss``: the instruction-set simulator. ``cv32e40p``,
            ``cv32e41p``: the RTL of such a core under Verilator.
        cores
            Of a simulated team, 1 to the target's; by default all that have an L1, else one.
        sanitize
            On the host: with the address and undefined behaviour sanitizers.

        Returns
        -------
        int64 array of shape (batch, *output shape): equal to ``graph.run(x)``.

        Raises
        ------
        InvalidInput
            Samples, cores or options are not legal.
        Unsupported
            There is no such engine, or it does not run the code of this build's target.
        MissingTool
            A compiler or a simulator is not here; the message says how to get it.
        RunFailed, CoreTrap
            The program stopped with an error.
        """
        if on == "host":
            from .mcu.toolchain.host import run_on_host

            if cores not in (None, 1):
                raise InvalidInput(f"the host runs a team of one core, not of {cores}")
            x = self.graph.check_input(x)
            y = run_on_host(self.c, x, sanitize=sanitize)
        else:
            if sanitize:
                raise InvalidInput(f"sanitizers watch C on the host, not on {on!r}")
            y, _ = self.measure(x, on, cores=cores)
        return y.reshape(len(x), *self.graph.output_type.shape)

    def measure(
        self,
        x,
        on: str = "iss",
        *,
        cores: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[np.ndarray, CoreRun]:
        """Like :meth:`run` on a simulated core, with its cycles, layer by layer.

        Instruction fetch is ideal in all of them.

        Parameters
        ----------
        x, on, cores
            As of :meth:`run`.
        progress
            Called now and then with the samples that are done, and all.

        Returns
        -------
        The outputs, and the run: :func:`hwgen.sim.riscv.models.inferences` gives the cycles and
        instructions of every inference, ``layer_times(run, len(build.c.layers))`` those of every
        layer in the last one.
        """
        from .sim.riscv import ENGINES
        from .sim.riscv.models import run_on_core

        if on not in ENGINES:
            known = ", ".join(ENGINES)
            if on == "host":
                raise Unsupported(f"cycles are those of a core: measure on one of {known}")
            raise Unsupported(f"C code runs on one of host, {known}, not on {on!r}")
        x = self.graph.check_input(x)
        y, run = run_on_core(self.c, x, on, cores, profile=True, progress=progress)
        return y.reshape(len(x), *self.graph.output_type.shape), run


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a build but the manifest and what later commands left."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != MANIFEST and not name.startswith(("sim/", "synth/")):
            digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def write_manifest(folder: Path, graph: Graph, schedules: dict[str, Schedule], **more) -> None:
    """Write ``manifest.json`` over the files that lie in ``folder`` now."""
    from . import __version__

    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "hwgen": __version__,
        "model": graph.name,
        "graph": graph.hash,
        "schedules": {name: asdict(pick) for name, pick in schedules.items()},
        **more,
        "files": file_digests(folder),
    }
    text = json.dumps(manifest, indent=1) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
