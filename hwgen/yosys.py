"""Yosys in a process of its own: it ends the process on an error."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from .errors import MissingTool

__all__ = ["run_yosys", "said_last", "yosys_version"]

_SCRIPT = """
import json, os, sys
from pyosys import libyosys as ys
design = ys.Design()
for folder, command in json.loads(sys.argv[1]):
    os.chdir(folder)
    ys.run_pass(command, design)
"""


def run_yosys(steps: Sequence[tuple[Path, str]], scratch: Path, what: str) -> tuple[bool, Path]:
    """Run commands on one design.

    Parameters
    ----------
    steps
        Absolute folder to run it in, and command: a file is read from its own folder, as a name
        without a path needs no quotes.
    scratch
        A folder for the log and for Yosys' own files.
    what
        What needs Yosys, for the message.

    Returns
    -------
    Whether all went well, and the log.

    Raises
    ------
    MissingTool
        Yosys is not installed.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise MissingTool(f"{what} needs Yosys: pip install pyosys")
    commands = json.dumps([(str(folder), command) for folder, command in steps])
    log = scratch / "log"
    return not _run([sys.executable, "-c", _SCRIPT, commands], log), log


def _run(arguments: list[str], log: Path) -> int:
    """Run a process in the folder of its log; interrupted, it ends with all that it started."""
    environment = dict(os.environ, TMPDIR=str(log.parent))
    with log.open("wb") as file:
        process = subprocess.Popen(
            arguments,
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def said_last(log: Path, lines: int = 3) -> str:
    """What Yosys said last, its error among it."""
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in said if line.strip()]
    return "\n".join(f"  {line[:200]}" for line in kept[-lines:]) or "  no message"


@cache
def yosys_version() -> str:
    """``Yosys 0.70``, as the Python package says."""
    return f"Yosys {metadata.version('pyosys')}"
