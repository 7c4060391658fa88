"""Running compilers: where they are, and what they say when they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..errors import HwgenError, MissingTool

__all__ = ["WARNINGS", "CompilerFailed", "find_host_compiler", "run_compiler"]

# Emitted C is held to these; -Wconversion makes every narrowing explicit.
WARNINGS = ("-std=c11", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror")


class CompilerFailed(HwgenError):
    """A compiler refused emitted C, which is a defect of hwgen."""


def find_host_compiler() -> str:
    """The C compiler of this machine: ``$CC``, else cc, gcc or clang.

    Raises
    ------
    MissingTool
        There is none.
    """
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise MissingTool(
        "a C compiler is needed to run emitted C, and none of $CC, cc, gcc, clang was found; "
        "on Debian: apt install gcc libc6-dev"
    )


def run_compiler(command: Sequence[str], folder: Path) -> None:
    """Run a compiler in ``folder``.

    Raises
    ------
    CompilerFailed
        It returned an error; the message holds what it printed.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).splitlines()[:20])
        raise CompilerFailed(f"{' '.join(command)} failed in {folder}:\n{said}")
