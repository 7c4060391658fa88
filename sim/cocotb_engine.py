"""Icarus and Verilator through cocotb: the AXI4-Stream protocol, cycle by cycle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from hwgen.rtl.design import Design

from . import tools
from .cache import build_once, digest
from .cocotb_job import JOB_VARIABLE, Job
from .faults import SimulationFailed, SimulationHang
from .result import Progress, SimulationResult
from .scenario import Scenario
from .verilated import WAIVED
from .waves import wave_file

__all__ = ["CocotbSimulator", "icarus", "verilator_cocotb"]

# Run by its path, it starts without the imports of this package.
CHILD = Path(__file__).with_name("cocotb_child.py")
BUILD_LIMIT = 1800.0  # seconds
STILL_LIMIT = 300.0  # seconds in which no clock cycle passes


@dataclass(frozen=True, slots=True)
class CocotbSimulator:
    """A simulator driven through cocotb, in a process of its own.

    Attributes
    ----------
    name
        ``icarus`` or ``verilator-cocotb``.
    runner
        What cocotb calls it.
    needs
        Tools it takes.
    build_options
        Of the compiler.
    waves_suffix, waves_options
        Format of its waveforms, and how the running simulator is told the file.
    logs
        Folder for the logs ``<name>.build.log`` and ``<name>.log``; None keeps them only in the
        messages of errors.
    """

    name: str
    runner: str
    title: str
    needs: tuple[str, ...]
    build_options: tuple[str, ...]
    waves_suffix: str
    waves_options: Callable[[Path], dict[str, list[str]]]
    logs: Path | None = None

    def missing(self) -> str | None:
        return tools.missing(*self.needs)

    def run(
        self,
        design: Design,
        x,
        *,
        stalls: bool = False,
        waves: Path | None = None,
        progress: Progress | None = None,
    ) -> SimulationResult:
        name = "random stalls" if stalls else "back to back"
        return self._run(design, x, [Scenario(name, stalls=stalls)], waves, progress)[0]

    def run_scenarios(
        self, design: Design, x, scenarios: Sequence[Scenario]
    ) -> list[SimulationResult]:
        return self._run(design, x, scenarios, None, None)

    def _run(
        self,
        design: Design,
        x,
        scenarios: Sequence[Scenario],
        waves: Path | None,
        progress: Progress | None,
    ) -> list[SimulationResult]:
        tools.require(*self.needs, purpose=f"simulation in {self.title}")
        if waves is not None:
            waves = wave_file(waves, self.waves_suffix)
        frames = len(np.asarray(x))
        with tempfile.TemporaryDirectory(prefix="hwgen-") as name:
            folder = Path(name)
            job = Job.create(folder, design, x, scenarios)
            build = self._build(design, trace=waves is not None)
            log = folder / f"{self.name}.log"
            # Relative: Icarus writes no file whose path has a letter outside ASCII.
            dump = Path(f"waves{self.waves_suffix}")
            options = {
                "simulator": self.runner,
                "test_module": "hwgen.sim.bench_stream",
                "hdl_toplevel": design.top,
                "build_dir": str(build),
                "test_dir": str(folder),
                "results_xml": str(folder / "results.xml"),
                "log_file": str(log),
                "waves": waves is not None,
                **(self.waves_options(dump) if waves else {}),
            }

            def watch() -> tuple[int, ...]:
                beat = job.heartbeat()
                if progress and beat:
                    progress(beat[-1], frames)
                return beat

            try:
                still = _child("test", options, folder, {JOB_VARIABLE: name}, watch, STILL_LIMIT)
            finally:
                self._keep(log)
                if waves is not None and (folder / dump).exists():
                    shutil.copyfile(folder / dump, waves)
            results = [job.result(index, self.title, waves) for index in range(len(scenarios))]
            where = f"{design.top} in {self.title}"
            if still:
                raise SimulationHang(
                    f"{where}: no clock cycle passed for {STILL_LIMIT:.0f} s (last seen: scenario, "
                    f"cycle, frames out {watch()}); is there a combinational loop?"
                )
            if None in results:
                raise SimulationFailed(f"{where}: the simulator stopped early:\n{_tail(log)}")
            if progress:
                progress(frames, frames)
            return results  # type: ignore[return-value]

    def _build(self, design: Design, trace: bool) -> Path:
        """The folder with the compiled simulation, from the cache if it is there."""

        def build(folder: Path) -> None:
            log = folder / f"{self.name}.build.log"
            options = {
                "simulator": self.runner,
                "sources": [str(path.resolve()) for path in design.paths],
                "hdl_toplevel": design.top,
                "build_dir": str(folder),
                "build_args": list(self.build_options),
                "waves": trace,
                "log_file": str(log),
            }
            clock = time.monotonic() + BUILD_LIMIT
            _child("build", options, folder, {}, lambda: time.monotonic() > clock, BUILD_LIMIT)
            self._keep(log)
            made = [folder / name for name in ("sim.vvp", design.top)]
            if not any(path.is_file() for path in made):
                text = _tail(log, at_end=False)
                raise SimulationFailed(f"{self.title} cannot compile {design.top}:\n{text}")
            for path in folder.iterdir():  # keep only what runs
                if path not in made:
                    path.unlink() if path.is_file() else shutil.rmtree(path)

        versions = " ".join(f"{name} {tools.tool(name).version}" for name in self.needs)
        options = f"{metadata.version('cocotb')} {self.build_options} {design.top} {trace}"
        return build_once(self.name, digest(versions, options, *design.paths), build)

    def _keep(self, log: Path) -> None:
        if self.logs is not None and log.exists():
            with suppress(OSError):  # a build that can only be read needs no logs
                self.logs.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(log, self.logs / log.name)


def icarus(logs: Path | None = None) -> CocotbSimulator:
    """Icarus Verilog, which writes FST waveforms."""
    return CocotbSimulator(
        name="icarus",
        runner="icarus",
        title="Icarus",
        needs=("iverilog", "vvp"),
        build_options=(),
        waves_suffix=".fst",
        waves_options=lambda path: {"plusargs": [f"+dumpfile_path={path}"]},
        logs=logs,
    )


def verilator_cocotb(logs: Path | None = None) -> CocotbSimulator:
    """Verilator below cocotb, which writes VCD waveforms."""
    return CocotbSimulator(
        name="verilator-cocotb",
        runner="verilator",
        title="Verilator (cocotb)",
        needs=("verilator", "g++", "make", "perl"),
        build_options=(*(f"-Wno-{name}" for name in WAIVED), "-O1"),
        waves_suffix=".vcd",
        waves_options=lambda path: {"test_args": ["--trace-file", str(path)]},
        logs=logs,
    )


def _child(
    action: str,
    options: dict,
    folder: Path,
    variables: dict[str, str],
    watch: Callable[[], object],
    limit: float,
) -> bool:
    """Run cocotb_child.py until it ends, or until ``watch()`` gives the same for ``limit`` seconds.

    Returns
    -------
    Whether it was stopped.
    """
    path = folder / f"{action}.json"
    path.write_text(json.dumps(options), encoding="utf-8")
    environment = tools.tool_environment() | variables
    with (
        (folder / f"{action}.out").open("w") as output,
        _process(
            [sys.executable, str(CHILD), action, str(path)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        seen, since = watch(), time.monotonic()
        while process.poll() is None:
            try:
                process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                now = watch()
                if now != seen:
                    seen, since = now, time.monotonic()
                elif time.monotonic() - since > limit:
                    return True
    return False


@contextmanager
def _process(command: list[str], **options) -> Iterator[subprocess.Popen]:
    """A process that ends, with all that it started, when the block is left."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: Path, lines: int = 15, at_end: bool = True) -> str:
    """Some lines of a log, and of what the child process itself said."""
    text = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    child = [p for name in ("build.out", "test.out") if (p := log.parent / name).exists()]
    said = [line for p in child for line in p.read_text(errors="replace").splitlines()]
    return "\n".join((text[-lines:] if at_end else text[:lines]) + said[-3:])
