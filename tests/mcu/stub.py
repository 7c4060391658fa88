"""Programs on the stand-in for the GAP SDK: how tests build and run them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import hwgen.kernels
from hwgen.mcu.toolchain.compiler import WARNINGS, find_host_compiler

__all__ = ["ADDRESSES", "MOMENTS", "THREADS", "build", "needs_threads", "run"]

KERNELS = Path(hwgen.kernels.__path__[0])
PORT = KERNELS / "targets" / "pmsis"
STUB = PORT / "stub"
ADDRESSES = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THREADS = ("-fsanitize=thread",)
MOMENTS = ("late", "early", "crossed", "thread")  # when transfers are made, see transfers.c
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=0",
    "TSAN_OPTIONS": "halt_on_error=1 exitcode=66",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def build(folder: Path, name: str, *sources: Path, options=(), includes=()) -> Path:
    """A program of ``sources`` with the port and the stub, held to the warnings of emitted C."""
    program = folder / name
    sanitizers = tuple(option for option in options if option.startswith("-fsanitize="))
    _compile(
        *(*options, *(f"-I{path}" for path in (*includes, PORT, STUB, KERNELS / "runtime"))),
        *("-o", program, *sources, PORT / "hwgen_port.c", *_stub(sanitizers), "-pthread"),
    )
    return program


@functools.cache
def _stub(sanitizers: tuple[str, ...]) -> list[Path]:
    """The stub's object files, compiled once in a run of the tests."""
    folder = Path(_objects().name) / str(hash(sanitizers))
    folder.mkdir()
    objects = []
    for source in sorted(STUB.glob("*.c")):
        objects.append(folder / source.with_suffix(".o").name)
        _compile(*sanitizers, f"-I{STUB}", "-c", "-o", objects[-1], source)
    return objects


@functools.cache
def _objects() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="hwgen-")


def _compile(*arguments: str | Path) -> None:
    command = [*find_host_compiler(), *WARNINGS, "-O1", "-g", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run(program: Path, cores: int = 8, moment: str = "late", flash: Path | None = None):
    """Run it on so many cores, with its files in flash in a folder (its own if None)."""
    environment = {
        **os.environ,
        **SANITIZERS,
        "HWGEN_STUB_CORES": str(cores),
        "HWGEN_STUB_DMA": moment,
        "HWGEN_STUB_FLASH": str(flash or program.parent),
    }
    command = [str(program)]
    if shutil.which("setarch"):  # ThreadSanitizer wants the usual layout of memory
        command = ["setarch", "-R", *command]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@functools.cache
def _finds_races() -> bool:
    with tempfile.TemporaryDirectory() as name:
        source, program = Path(name) / "empty.c", Path(name) / "empty"
        source.write_text("int main(void) { return 0; }\n")
        command = [*find_host_compiler(), *THREADS, "-o", program, source]
        done = subprocess.run(command, capture_output=True)
        return done.returncode == 0 and run(program).returncode == 0


def needs_threads() -> None:
    """Skip the test where ThreadSanitizer is missing or does not run."""
    if not _finds_races():
        pytest.skip("no ThreadSanitizer here")
