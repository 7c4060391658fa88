"""Compiles emitted C for this machine and runs whole batches through it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ..errors import HwgenError, InvalidInput
from .build import CBuild, Port
from .compiler import WARNINGS, find_host_compiler, run_compiler

__all__ = ["RunFailed", "compile_batch", "run_batch", "run_on_host"]

FAST = ("-O2",)
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


class RunFailed(HwgenError):
    """A compiled model stopped with an error, such as a sanitizer's report."""

    exit_code = 1


def run_on_host(build: CBuild, x, sanitize: bool = False) -> np.ndarray:
    """Compile ``build`` and run a batch through it.

    Parameters
    ----------
    x
        Integers of shape (batch, *input shape), within the input's interval.
    sanitize
        Watch every access and operation with ASan and UBSan (slower by an order of magnitude).

    Returns
    -------
    int64 array of shape (batch, *output shape); comparing it is the caller's.

    Raises
    ------
    MissingTool
        There is no C compiler.
    RunFailed
        The program stopped; the message holds what it printed.
    """
    with tempfile.TemporaryDirectory(prefix="hwgen-") as folder:
        program = compile_batch(build, Path(folder), sanitize)
        return run_batch(build, program, x)


def compile_batch(build: CBuild, folder: Path, sanitize: bool = False) -> Path:
    """Compile the batch runner into ``folder`` and return the program's path."""
    program = folder / f"{build.model}_batch"
    options = SANITIZED if sanitize else FAST
    sources = (f"{build.model}_batch.c", *build.sources)
    command = [find_host_compiler(), *WARNINGS, *options, "-o", str(program), *sources]
    run_compiler(command, build.folder)
    return program


def run_batch(build: CBuild, program: Path, x) -> np.ndarray:
    """Run a compiled batch runner; parameters and result as of :func:`run_on_host`."""
    data = to_bytes(build.input, x)
    # Nothing is allocated, and looking for leaks fails under a debugger or in some containers.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run([str(program)], input=data, capture_output=True, env=environment)
    if done.returncode:
        said = "\n".join(done.stderr.decode(errors="replace").splitlines()[:20])
        raise RunFailed(f"{program.name} stopped with code {done.returncode}:\n{said}")
    return from_bytes(build.output, done.stdout, len(x))


def to_bytes(port: Port, x) -> bytes:
    """Samples as the batch runner reads them.

    Raises
    ------
    InvalidInput
        Their shape or a value is not legal.
    """
    x = np.asarray(x)
    if x.dtype.kind not in "iu" or x.shape[1:] != port.shape or x.ndim == 0:
        raise InvalidInput(
            f"input must be integers of shape (batch, {', '.join(map(str, port.shape))}), "
            f"found {x.dtype} of shape {x.shape}"
        )
    if x.size and (x.min() < port.lo or x.max() > port.hi):
        raise InvalidInput(
            f"input values must lie in [{port.lo}, {port.hi}], found [{x.min()}, {x.max()}]"
        )
    return np.ascontiguousarray(x.astype(port.ctype.dtype)).tobytes()


def from_bytes(port: Port, data: bytes, count: int) -> np.ndarray:
    """What the batch runner wrote for ``count`` samples, as int64.

    Raises
    ------
    RunFailed
        There are more or fewer bytes than that.
    """
    expected = count * port.size * port.ctype.bytes
    if len(data) != expected:
        raise RunFailed(f"{count} samples must give {expected} bytes, found {len(data)}")
    values = np.frombuffer(data, dtype=port.ctype.dtype).astype(np.int64)
    return values.reshape(count, *port.shape)
