"""The Python and the commands of docs/recurrent.md run, and its links are true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

import hwgen
from hwgen.cli import cli
from hwgen.ops.lib.recurrent import MEMORY_LATENCY, STEP_OVERHEAD, STREAM_LATENCY
from hwgen.rtl.lib.column_stream import AHEAD

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "recurrent.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_python():
    names: dict[str, object] = {}
    for number, block in enumerate(blocks("python")):
        exec(compile(block, f"recurrent.md, Python block {number}", "exec"), names)
    op = hwgen.lower(names["model"].eval()).nodes[1].op
    assert op.name == "lstm"
    assert op.recurrent_weights.name == "ternary"
    assert names["layer"].threshold == 0.2


def test_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) == 3
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == ".venv/bin/hwgen"
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        assert "outputs differ" in result.output


def test_clocks_of_a_step_are_those_of_the_cost():
    assert f"+ {STEP_OVERHEAD}  clocks" in TEXT
    assert f"{STREAM_LATENCY} clocks more than with ROM" in TEXT
    assert f"the first {MEMORY_LATENCY} clocks after its request" in TEXT
    assert f"up to {AHEAD} columns ahead of the lanes" in TEXT


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
