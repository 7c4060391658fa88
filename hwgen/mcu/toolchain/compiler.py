"""Running compilers: where they are, and what they say when they fail."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import HwgenError, MissingTool

__all__ = ["WARNINGS", "CompilerFailed", "find_host_compiler", "run_compiler"]

# Emitted C is held to these; -Wconversion makes every narrowing explicit.
WARNINGS = ("-std=c11", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror")


SHOWN = 20  # lines of a compiler's message


class CompilerFailed(HwgenError):
    """A compiler refused emitted C, which is a defect of hwgen."""


def find_host_compiler() -> list[str]:
    """The command of this machine's C compiler: ``$CC`` if set, else cc, gcc or clang.

    Raises
    ------
    MissingTool
        There is none.
    """
    chosen = shlex.split(os.environ.get("CC", ""))
    if chosen and shutil.which(chosen[0]) is None:
        raise MissingTool(f"CC must name a C compiler, and {chosen[0]!r} was not found; unset CC")
    if chosen:
        return chosen
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    raise MissingTool(
        "a C compiler is needed to run emitted C, and none of $CC, cc, gcc, clang was found; "
        "on Debian: apt install gcc libc6-dev"
    )


def run_compiler(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    what: str = "the C compiler",
) -> None:
    """Run a compiler in ``folder``.

    Parameters
    ----------
    environment
        Its environment variables; this process's own if None.
    what
        What messages call it.

    Raises
    ------
    CompilerFailed
        It returned an error; the message holds what it printed, and the command.
    """
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        if len(said) > SHOWN:
            said = [*said[:SHOWN], f"... and {len(said) - SHOWN} more lines"]
        text = "\n".join(said) or "it printed nothing"
        raise CompilerFailed(
            f"{what} failed with exit status {done.returncode}:\n{text}\n"
            f"the command was: {shlex.join(command)}"
        )
