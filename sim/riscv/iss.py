"""The instruction-set simulator, compiled by this machine's C compiler on first use."""

from __future__ import annotations

from pathlib import Path

from hwgen.mcu.toolchain.compiler import find_host_compiler, run_compiler
from hwgen.sim.cache import build_once, digest

from .engine import sources

__all__ = ["iss_library"]

_OPTIONS = ("-std=c99", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")


def iss_library() -> Path:
    """The shared library of `iss.c`, from the cache or compiled now.

    Raises
    ------
    MissingTool
        There is no C compiler.
    """
    compiler = find_host_compiler()
    files = sources(".c", ".h")

    def build(folder: Path) -> None:
        source = next(path for path in files if path.name == "iss.c")
        run_compiler([*compiler, *_OPTIONS, "-o", "iss.so", str(source)], folder)

    return build_once("iss", digest(*compiler, *_OPTIONS, *files), build) / "iss.so"
