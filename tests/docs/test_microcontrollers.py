"""What docs/microcontrollers.md says holds: commands, targets, the functions of a port."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import hwgen.kernels
from hwgen.cli import cli
from hwgen.mcu.target import find_target
from hwgen.mcu.target_file import bundled_targets

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "microcontrollers.md").read_text(encoding="utf-8")
PORTS = Path(hwgen.kernels.__path__[0]) / "targets"


def test_commands(tmp_path, monkeypatch):
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("no cross compiler here")
    monkeypatch.chdir(tmp_path)
    block = re.search(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[1]
    for line in block.splitlines():
        command, *arguments = shlex.split(line)
        assert command == ".venv/bin/hwgen"
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"
    assert "Every report says so" in " ".join(TEXT.split())
    assert "instruction fetch is ideal" in result.output


def test_python(tmp_path, monkeypatch):
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("no cross compiler here")
    monkeypatch.chdir(tmp_path)
    block = re.search(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[1]
    exec(compile(block, "microcontrollers.md", "exec"), {})


def test_targets():
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:up to )?(\d+) \|", TEXT, re.MULTILINE))
    assert rows == {name: str(find_target(name).cores) for name in bundled_targets()}


@pytest.mark.parametrize("port", ["host", "bare", "pmsis"])
def test_functions_of_a_port(port):
    header = (PORTS / port / "hwgen_port.h").read_text(encoding="utf-8")
    table = TEXT[TEXT.index("| function | meaning |") : TEXT.index("Only core 0 starts copies")]
    names = re.findall(r"(hwgen_\w+)\(", table)
    assert len(set(names)) == 10
    for name in names:
        assert re.search(rf"\b{name}\(", header), name


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
