"""C++ that Verilator writes, compiled: its flags, its runtime library, its objects."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

from . import tools
from .cache import build_once, digest
from .faults import SimulationFailed

__all__ = ["FLAGS", "compilers", "execute", "shared_object"]

FLAGS = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-w")

_LONG = 100_000  # bytes from which a C++ file is compiled by itself


def compilers() -> str:
    """The versions of Verilator and g++, for the key of what they made."""
    return f"{tools.tool('verilator').version} {tools.tool('g++').version}"


def shared_object(work: Path, target: Path, level: int, trace: bool, prologue: str = "") -> None:
    """Compile all C++ files in the folder ``work`` and link them, with Verilator's runtime library.

    Parameters
    ----------
    level
        Of the compiler's optimization.
    trace
        The model was made with ``--trace``.
    prologue
        Text before the short files.
    """
    # Reading headers is most of the work of a small file: those are compiled as one, and the
    # headers are precompiled. What runs only once (__Slow) is not worth optimizing if it is long.
    runtime = _runtime(trace)
    sources = sorted(work.glob("*.cpp"))
    long = [source for source in sources if source.stat().st_size > _LONG]
    unity = work / "unity.cpp"
    unity.write_text(
        prologue
        + "".join(f'#include "{source.name}"\n' for source in sources if source not in long)
    )
    flags = [f"-O{level}", *_defines(trace)]
    if (runtime / "runtime.h.gch").exists() and level == 1:
        flags += ["-include", str(runtime / "runtime.h")]
    fast = [unity, *(source for source in long if not source.stem.endswith("__Slow"))]
    objects = _objects(fast, work, flags)
    objects += _objects([s for s in long if s not in fast], work, ["-O0", *_defines(trace)])
    link = ["g++", "-shared", "-Wl,-Bsymbolic", "-Wl,--exclude-libs,ALL", "-pthread"]
    execute([*link, "-o", str(target), *objects, str(runtime / "runtime.a")], "g++")


def _runtime(trace: bool) -> Path:
    """The folder with Verilator's runtime library as an archive, compiled once.

    Without tracing there is also its header, precompiled for models at -O1.
    """
    sources = ["verilated.cpp", "verilated_threads.cpp"]
    sources += ["verilated_vcd_c.cpp"] if trace else []
    include = tools.verilator_include()

    def build(folder: Path) -> None:
        paths = [include / source for source in sources]
        objects = _objects(paths, folder, ["-O2", "-DVL_USER_FATAL", *_defines(trace)])
        execute(["ar", "rcs", str(folder / "runtime.a"), *objects], "ar")
        for path in objects:
            Path(path).unlink()
        if not trace:
            header = folder / "runtime.h"
            header.write_text('#include "verilated.h"\n')
            command = ["g++", *FLAGS, "-O1", *_defines(trace), "-x", "c++-header", str(header)]
            execute([*command, "-o", f"{header}.gch"], "g++")

    key = digest(compilers(), f"{FLAGS} {sources} archive -O2, header -O1", str(include))
    return build_once("runtime", key, build)


def _defines(trace: bool) -> list[str]:
    include = tools.verilator_include()
    return [
        f"-I{include}",
        f"-I{include / 'vltstd'}",
        "-DVM_COVERAGE=0",
        "-DVM_SC=0",
        "-DVM_TIMING=0",
        f"-DVM_TRACE={trace:d}",
        "-DVM_TRACE_FST=0",
        "-DVM_TRACE_SAIF=0",
        f"-DVM_TRACE_VCD={trace:d}",
        f"-DHWGEN_TRACE={trace:d}",
    ]


def _objects(sources: Sequence[Path], folder: Path, flags: Sequence[str]) -> list[str]:
    """Compile ``sources`` into ``folder``, as many at once as there are processors."""

    def compile_one(source: Path) -> str:
        target = str(folder / f"{source.stem}.o")
        execute(["g++", *FLAGS, *flags, "-c", str(source), "-o", target], "g++")
        return target

    with ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(compile_one, sources))


def execute(command: list[str], what: str, cwd: Path | None = None) -> None:
    """Run ``command``; SimulationFailed with the first lines that it printed if it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=tools.tool_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        text = (done.stderr + done.stdout).strip().splitlines()
        raise SimulationFailed(f"{what} failed:\n" + "\n".join(text[:20]))
