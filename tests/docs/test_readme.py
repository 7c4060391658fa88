"""The README's code runs as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from hwgen.cli import cli
from hwgen.sim import simulator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_commands_are_all_the_set_up():
    # .ci/run takes them from here.
    assert blocks("sh")[0] == "make demo\nmake test\n"


def test_python(tmp_path, monkeypatch):
    missing = simulator("verilator").missing()
    if missing:
        pytest.skip(missing)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, block in enumerate(blocks("python")):
        exec(compile(block, f"README.md, Python block {number}", "exec"), names)
    assert (tmp_path / "build/mine/manifest.json").is_file()
    assert len(blocks("python")[0].splitlines()) <= 14


def test_commands(tmp_path, monkeypatch):
    for tool in ("icarus", "verilator"):
        missing = simulator(tool).missing()
        if missing:
            pytest.skip(missing)
    monkeypatch.chdir(tmp_path)
    for line in blocks("sh")[1].splitlines():
        command, *arguments = shlex.split(line)
        assert command == ".venv/bin/hwgen"
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"


def test_every_command_is_in_the_table():
    for name in cli.commands:
        assert re.search(rf"^\| `hwgen {name}\b", README, re.MULTILINE), name


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target
