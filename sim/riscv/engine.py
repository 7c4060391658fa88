"""Runs programs on an engine: a shared library with the functions of `engine.h`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from time import monotonic

from hwgen.errors import HwgenError, InvalidInput

from .machine import ISAS, CoreRun, CoreTrap, Machine, Mark
from .program import Program, read_program

__all__ = ["ENGINES", "LIMIT", "Progress", "run_program"]

ENGINES = ("iss", "cv32e40p", "cv32e41p")
LIMIT = 20_000_000_000  # cycles

Progress = Callable[[int, int], None]
"""Called now and then with the samples that have been handed in, and all."""

_SLICE = 0.2  # seconds between two looks at the progress, and at Ctrl-C
_RUNNING, _EXITED = 0, 1
_CORES = 64


class _Config(ctypes.Structure):
    """MachineConfig of state.h."""

    _fields_ = (
        ("samples", ctypes.c_char_p),
        ("outputs", ctypes.c_void_p),
        *(
            (name, ctypes.c_uint32)
            for name in (
                "count", "input_bytes", "output_bytes", "isa", "cores", "banks", "l1_bytes",
                "l2_bytes", "l3_bytes", "l2_wait", "dma_setup", "dma_bytes", "l3_setup",
                "l3_bytes_per_cycle",
            )
        ),
    )  # fmt: skip


class _Mark(ctypes.Structure):
    """MachineMark of state.h."""

    _fields_ = (
        ("core", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("cycle", ctypes.c_uint64),
        ("instructions", ctypes.c_uint64),
    )


class _Status(ctypes.Structure):
    """MachineStatus of state.h."""

    _fields_ = (
        ("cycle", ctypes.c_uint64),
        ("state", ctypes.c_uint32),
        ("exit_code", ctypes.c_uint32),
        ("taken", ctypes.c_uint32),
        ("given", ctypes.c_uint32),
        ("core", ctypes.c_uint32),
        ("pc", ctypes.c_uint32),
        ("instruction", ctypes.c_uint32),
        ("message", ctypes.c_char * 200),
        ("marks", ctypes.POINTER(_Mark)),
        ("printed", ctypes.POINTER(ctypes.c_char)),
        ("mark_count", ctypes.c_uint64),
        ("printed_bytes", ctypes.c_uint64),
        ("dma_cycles", ctypes.c_uint64 * 2),
        ("dma_bytes", ctypes.c_uint64 * 2),
        ("instructions", ctypes.c_uint64 * _CORES),
        ("conflicts", ctypes.c_uint64 * _CORES),
        ("waits", ctypes.c_uint64 * _CORES),
        ("pcs", ctypes.c_uint32 * _CORES),
    )


def run_program(
    elf: Path | Program,
    machine: Machine,
    engine: str = "iss",
    samples: bytes = b"",
    count: int = 0,
    input_bytes: int = 0,
    output_bytes: int = 0,
    progress: Progress | None = None,
    limit: int = LIMIT,
) -> CoreRun:
    """Run a program on the simulated machine until it ends.

    Parameters
    ----------
    elf
        Linked for the memory map of :class:`Machine`, beginning at 0x1C00_0080; or what
        :func:`read_program` has read from it.
    engine
        ``iss``: the instruction-set simulator; ``cv32e40p``, ``cv32e41p``: the core's RTL.
    samples
        ``count * input_bytes`` bytes: what the host hands to the program, sample by sample.
    output_bytes
        What the program hands back for a sample.
    limit
        Cycles after which the program counts as hung.

    Raises
    ------
    CoreTrap
        A core did what it cannot do, or ``limit`` has been passed.
    InvalidInput
        The file is no such program or does not fit into the memory, or sizes do not agree.
    MissingTool
        No C compiler, no pyelftools, or what the engine needs is not here.
    """
    if len(samples) != count * input_bytes:
        raise InvalidInput(
            f"samples must be {count} times {input_bytes} bytes, and are {len(samples)} bytes"
        )
    program = elf if isinstance(elf, Program) else read_program(elf)
    library = _load(_library(engine))
    outputs = ctypes.create_string_buffer(max(1, count * output_bytes))
    settings = {name: getattr(machine, name) for name in machine.__slots__ if name != "isa"}
    config = _Config(
        samples=samples,
        outputs=ctypes.addressof(outputs),
        count=count,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        isa=ISAS.index(machine.isa),
        **settings,
    )
    session = library.hwgen_open(ctypes.byref(config))
    if not session:
        raise HwgenError(f"{engine}: no memory is left for a machine of {machine}")
    try:
        for address, data in program.segments:
            if not library.hwgen_load(session, address, data, len(data)):
                raise InvalidInput(
                    f"the program does not fit: {len(data)} bytes at 0x{address:08x} lie outside the "
                    f"memory (L1 {machine.l1_bytes}, L2 {machine.l2_bytes}, "
                    f"L3 {machine.l3_bytes} bytes)"
                )
        status = _run(library, session, program, machine, count, progress, limit)
        return _result(status, machine.cores, outputs.raw[: status.given * output_bytes])
    finally:
        library.hwgen_close(session)


def _run(
    library, session, program: Program, machine: Machine, count: int, progress, limit: int
) -> _Status:
    """The status at the end of the program."""
    cycles, done = 10_000, 0
    while True:
        clock = monotonic()
        status = library.hwgen_run(session, min(cycles, limit - done)).contents
        cycles = int(cycles * min(8.0, _SLICE / max(1e-6, monotonic() - clock))) + 1
        done = status.cycle
        if progress:
            progress(status.given, count)
        if status.state == _EXITED:
            return status
        if status.state != _RUNNING:
            cause = status.message.decode(errors="replace")
            symbol = program.symbol(status.pc)
            word = status.instruction if machine.holds(status.pc) else None
            raise CoreTrap(status.core, status.pc, word, cause, symbol)
        if done >= limit:
            pc = status.pcs[0]
            cause = f"the program has not ended after {limit} cycles"
            raise CoreTrap(0, pc, None, cause, program.symbol(pc))


def _result(status: _Status, cores: int, outputs: bytes) -> CoreRun:
    marks = (status.marks[i] for i in range(status.mark_count))
    printed = ctypes.string_at(status.printed, status.printed_bytes) if status.printed else b""
    return CoreRun(
        outputs=outputs,
        exit_code=status.exit_code,
        cycles=status.cycle,
        instructions=tuple(status.instructions[:cores]),
        marks=tuple(Mark(m.core, m.id, m.cycle, m.instructions) for m in marks),
        printed=printed.decode(errors="replace"),
        conflicts=tuple(status.conflicts[:cores]),
        waits=tuple(status.waits[:cores]),
        dma_cycles=status.dma_cycles[0],
        dma_bytes=status.dma_bytes[0],
        l3_cycles=status.dma_cycles[1],
        l3_bytes=status.dma_bytes[1],
    )


def _library(engine: str) -> Path:
    """The engine's shared library, compiled if it has to be."""
    if engine == "iss":
        from .iss import iss_library

        return iss_library()
    if engine in ENGINES:
        from .rtl import program

        return program(engine)
    raise InvalidInput(f"an engine must be one of {', '.join(ENGINES)}, not {engine!r}")


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.hwgen_open.restype = ctypes.c_void_p
    library.hwgen_open.argtypes = (ctypes.POINTER(_Config),)
    library.hwgen_load.restype = ctypes.c_int
    library.hwgen_load.argtypes = (
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_uint32,
    )  # fmt: skip
    library.hwgen_run.restype = ctypes.POINTER(_Status)
    library.hwgen_run.argtypes = (ctypes.c_void_p, ctypes.c_uint64)
    library.hwgen_close.restype = None
    library.hwgen_close.argtypes = (ctypes.c_void_p,)
    return library


def sources(*suffixes: str) -> list[Path]:
    """This package's C and C++ files with these suffixes, in alphabetical order."""
    folder = Path(str(files(__package__)))
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes)
