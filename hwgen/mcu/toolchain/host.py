"""Compiles emitted C for this machine and runs whole batches through it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ...errors import HwgenError, InvalidInput
from ..build import CBuild, Port
from ..templates import TEMPLATES
from .compiler import WARNINGS, find_host_compiler, run_compiler

__all__ = ["RunFailed", "compile_batch", "run_batch", "run_many_on_host", "run_on_host"]

FAST = ("-O2",)
_RUNNER_FIELDS = ("input", "output", "arena_bytes", "arena_align", "l1_bytes", "state_bytes")
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
    options = (*options, *host_options(build))
    command = [*find_host_compiler(), *WARNINGS, *options, "-o", str(program), *sources]
    run_compiler(command, build.folder)
    return program


def host_options(build: CBuild) -> list[str]:
    """Options with which a model for any target compiles for this machine."""
    options = ["-Iports/host"]
    if build.l3_bytes:
        file = (build.folder / f"{build.model}_l3.bin").absolute()
        options += ["-DHWGEN_EXTERNAL_RAM", f'-D{build.model.upper()}_L3_FILE="{file}"']
    return options


def run_batch(build: CBuild, program: Path, x) -> np.ndarray:
    """Run a compiled batch runner; parameters and result as of :func:`run_on_host`."""
    output = _execute(program, to_bytes(build.input, x))
    return from_bytes(build.output, output, len(x))


def run_many_on_host(
    jobs: Sequence[tuple[CBuild, np.ndarray]], sanitize: bool = False
) -> list[np.ndarray]:
    """Like :func:`run_on_host` for many small models at once: one program, one start.

    Models may have the same name.

    Parameters
    ----------
    jobs
        Builds, each with its samples.

    Returns
    -------
    The outputs of every job, in order.
    """
    options = SANITIZED if sanitize else FAST
    compiler = find_host_compiler()
    with tempfile.TemporaryDirectory(prefix="hwgen-") as name:
        folder = Path(name)
        text = TEMPLATES.get_template("many.c.j2").render(
            jobs=[
                {
                    "name": f"job_{i}",
                    "count": len(x),
                    **{f: getattr(build, f) for f in _RUNNER_FIELDS},
                }
                for i, (build, x) in enumerate(jobs)
            ]
        )
        (folder / "many.c").write_text(text, encoding="utf-8")

        def compile_object(i: int) -> list[str]:
            build, _ = jobs[i]
            objects = []
            for j, source in enumerate(build.sources):
                objects.append(str(folder / f"{i}_{j}.o"))
                more = [*options, *host_options(build), *build.renamed(f"job_{i}")]
                command = [*compiler, *WARNINGS, *more, "-c", "-o", objects[-1], source]
                run_compiler(command, build.folder)
            return objects

        with ThreadPoolExecutor(max_workers=2) as pool:
            objects = [
                path for paths in pool.map(compile_object, range(len(jobs))) for path in paths
            ]
        program = folder / "many"
        command = [*compiler, *WARNINGS, *options, "-o", str(program), "many.c", *objects]
        run_compiler(command, folder)
        output = _execute(program, b"".join(to_bytes(build.input, x) for build, x in jobs))
    results = []
    for build, x in jobs:
        length = len(x) * build.output.size * build.output.ctype.bytes
        results.append(from_bytes(build.output, output[:length], len(x)))
        output = output[length:]
    return results


def _execute(program: Path, data: bytes) -> bytes:
    """What ``program`` writes when it reads ``data``."""
    # Nothing is allocated, and looking for leaks fails under a debugger or in some containers.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run([str(program)], input=data, capture_output=True, env=environment)
    if done.returncode:
        said = "\n".join(done.stderr.decode(errors="replace").splitlines()[:20])
        raise RunFailed(f"{program.name} stopped with code {done.returncode}:\n{said}")
    return done.stdout


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
