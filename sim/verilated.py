"""Designs compiled by Verilator behind a small C++ driver: whole data sets at full speed."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from time import monotonic

import numpy as np

from hwgen.rtl.design import ColumnMemory, Design

from . import tools
from .cache import build_once, digest
from .cplusplus import FLAGS, compilers, execute, shared_object
from .faults import Fault, SimulationFailed, Status, report
from .memory import read_image
from .packing import pack_bytes, unpack_bytes
from .result import Progress, SimulationResult
from .scenario import Scenario, drain_cycles, idle_limit
from .waves import wave_file

__all__ = ["WAIVED", "VerilatedSimulator", "lint"]

# What Yosys' Verilog writer does on purpose and Verilator calls style. Every other warning is fatal.
WAIVED = (
    "CASEOVERLAP",
    "DECLFILENAME",
    "PROCASSINIT",
    "UNUSEDSIGNAL",
    "WIDTHEXPAND",
    "WIDTHTRUNC",
)

HARNESS = ("harness.cpp", "column_memory.h")

_SLICE = 0.2  # seconds between two looks at the progress, and at Ctrl-C


@dataclass(frozen=True, slots=True)
class VerilatedSimulator:
    """The engine for data sets.

    A design is compiled once and kept in the user's cache; so is Verilator's runtime library.

    Attributes
    ----------
    optimize
        Level of the C++ compiler for the model: 1 compiles fast, 3 runs a little faster.
    """

    optimize: int = 1
    name: str = "verilator"

    def missing(self) -> str | None:
        return tools.missing("verilator", "g++")

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
        return self._run(design, x, Scenario(name, stalls=stalls), waves, progress)

    def run_scenarios(
        self, design: Design, x, scenarios: Sequence[Scenario]
    ) -> list[SimulationResult]:
        return [self._run(design, x, scenario, None, None) for scenario in scenarios]

    def _run(
        self,
        design: Design,
        x,
        scenario: Scenario,
        waves: Path | None,
        progress: Progress | None,
    ) -> SimulationResult:
        tools.require("verilator", "g++", purpose="simulation in Verilator")
        x = np.asarray(x)[: scenario.frames]
        noise = np.random.default_rng(scenario.seed) if scenario.stalls else None
        beats = pack_bytes(x, design.input, noise)
        frames = len(x)
        library = _load(design, self.optimize, trace=waves is not None)
        if waves is not None:
            waves = wave_file(waves, ".vcd")
        out = np.zeros((frames * design.output.beats, design.output.data_bits // 8), np.uint8)
        starts, ends = np.zeros((2, frames), np.int64)
        images = [read_image(design, memory) for memory in design.memories]
        memories = (_Memory * len(images))(
            *(_Memory.of(each, image) for each, image in zip(design.memories, images, strict=True))
        )
        config = _Config(
            beats=beats.ctypes.data,
            out=out.ctypes.data,
            starts=starts.ctypes.data,
            ends=ends.ctypes.data,
            frames=frames,
            in_beats=design.input.beats,
            out_beats=design.output.beats,
            idle_limit=idle_limit(design),
            drain=drain_cycles(design),
            settle=design.interval,
            reset_at=-1 if scenario.reset_at is None else scenario.reset_at,
            seed=scenario.seed,
            stalls=scenario.stalls,
            isolated=scenario.isolated,
            slow_memory=scenario.slow_memory,
            waves=str(waves).encode() if waves else None,
            memories=ctypes.addressof(memories),
            memory_count=len(memories),
        )
        status = _Status()
        where = f"{design.top} in Verilator, {scenario.name}"
        session = library.hwgen_open(ctypes.byref(config))
        if not session:
            raise SimulationFailed(f"{where}: cannot start; is {waves} writable?")
        try:
            cycles = 1000
            while not (status.done or status.fault):
                clock = monotonic()
                if library.hwgen_run(session, cycles, ctypes.byref(status)):
                    raise SimulationFailed(f"{where}: {status.message.decode(errors='replace')}")
                cycles = int(cycles * min(8.0, _SLICE / max(1e-6, monotonic() - clock))) + 1
                if progress:
                    progress(status.received // design.output.beats, frames)
        finally:
            library.hwgen_close(session)
        if status.fault:
            raise report(Fault(status.fault), status.public(design, frames), where)
        outputs = unpack_bytes(out, design.output)
        taken = int(ends[-1]) + 1 if frames else 0
        requests = [memory.requests for memory in memories]
        return SimulationResult.of(scenario, outputs, taken, starts, ends, waves, requests)


def lint(design: Design) -> None:
    """Raise SimulationFailed if Verilator warns of anything in ``design`` that is not WAIVED."""
    tools.require("verilator", purpose="lint")
    for top in filter(None, (design.top, design.register_top)):
        _verilator(replace(design, top=top), ["--lint-only", "-Wall"], cwd=design.folder)


class _Memory(ctypes.Structure):
    _fields_ = (
        ("image", ctypes.c_void_p),
        ("depth", ctypes.c_int64),
        ("words", ctypes.c_int64),
        ("word_bytes", ctypes.c_int64),
        ("ahead", ctypes.c_int64),
        ("latency", ctypes.c_int64),
        ("requests", ctypes.c_int64),
    )

    @classmethod
    def of(cls, memory: ColumnMemory, image: np.ndarray) -> _Memory:
        """A memory whose content ``image`` outlives it."""
        return cls(
            image=image.ctypes.data,
            depth=memory.depth,
            words=memory.words,
            word_bytes=memory.word_bytes,
            ahead=memory.ahead,
            latency=memory.latency,
        )


class _Config(ctypes.Structure):
    _fields_ = (
        ("beats", ctypes.c_void_p),
        ("out", ctypes.c_void_p),
        ("starts", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("frames", ctypes.c_int64),
        ("in_beats", ctypes.c_int64),
        ("out_beats", ctypes.c_int64),
        ("idle_limit", ctypes.c_int64),
        ("drain", ctypes.c_int64),
        ("settle", ctypes.c_int64),
        ("reset_at", ctypes.c_int64),
        ("seed", ctypes.c_uint64),
        ("stalls", ctypes.c_int32),
        ("isolated", ctypes.c_int32),
        ("slow_memory", ctypes.c_int32),
        ("waves", ctypes.c_char_p),
        ("memories", ctypes.c_void_p),
        ("memory_count", ctypes.c_int64),
    )


class _Status(ctypes.Structure):
    _fields_ = (
        ("cycle", ctypes.c_int64),
        ("sent", ctypes.c_int64),
        ("received", ctypes.c_int64),
        ("idle", ctypes.c_int64),
        ("fault", ctypes.c_int32),
        ("done", ctypes.c_int32),
        ("in_ready", ctypes.c_int32),
        ("out_valid", ctypes.c_int32),
        ("patient", ctypes.c_int32),
        ("message", ctypes.c_char * 256),
    )

    def public(self, design: Design, frames: int) -> Status:
        return Status(
            cycle=self.cycle,
            sent=self.sent,
            received=self.received,
            in_beats=design.input.beats,
            out_beats=design.output.beats,
            frames=frames,
            in_ready=bool(self.in_ready),
            out_valid=bool(self.out_valid),
            patient=bool(self.patient),
            idle=self.idle,
        )


def _load(design: Design, level: int, trace: bool) -> ctypes.CDLL:
    """The shared object of a design, built if it is not in the cache."""
    sources = {name: files("hwgen.sim").joinpath(name).read_text("utf-8") for name in HARNESS}
    prologue = _prologue(design)
    options = f"{design.top} {prologue} {level} {trace} {FLAGS} {WAIVED}"
    key = digest(compilers(), options, *sources.values(), *design.paths)

    def build(folder: Path) -> None:
        _compile(design, folder, sources, level, trace, prologue)

    library = ctypes.CDLL(str(build_once("verilated", key, build) / "model.so"))
    library.hwgen_open.restype = ctypes.c_void_p
    library.hwgen_open.argtypes = [ctypes.c_void_p]
    library.hwgen_run.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    library.hwgen_close.argtypes = [ctypes.c_void_p]
    return library


def _prologue(design: Design) -> str:
    """What the harness must know of a design."""
    memories = " ".join(
        f"X({number}, {memory.name}, {memory.address_bytes}, {memory.word_bytes})"
        for number, memory in enumerate(design.memories)
    )
    return (
        f"#define IN_BYTES {design.input.data_bits // 8}\n"
        f"#define OUT_BYTES {design.output.data_bits // 8}\n"
        f"#define HWGEN_MEMORIES(X) {memories}\n"
    )


def _compile(
    design: Design,
    folder: Path,
    harness: Mapping[str, str],
    level: int,
    trace: bool,
    prologue: str,
) -> None:
    """Verilog to ``folder/model.so``; everything else that was written there is removed."""
    work = folder / "cpp"
    work.mkdir()
    options = ["--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--prefix", "Vmodel"]
    options += ["--Mdir", str(work)] + (["--trace"] if trace else [])
    _verilator(design, options, cwd=folder)
    for name, text in harness.items():
        (work / name).write_text(text, encoding="utf-8")
    shared_object(work, folder / "model.so", level, trace, prologue)
    shutil.rmtree(work)


def _verilator(design: Design, options: Sequence[str], cwd: Path) -> None:
    command = [str(tools.tool("verilator").path), *options, "--top-module", design.top]
    command += [f"-Wno-{name}" for name in WAIVED]
    command += [str(path.resolve()) for path in design.paths]
    execute(command, f"Verilator on {design.top}", cwd)
