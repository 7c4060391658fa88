"""The Python and the commands of docs/invertible.md run, its links are true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hwgen import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "invertible.md").read_text(encoding="utf-8")


def test_python(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S)
    assert len(blocks) == 3
    for number, block in enumerate(blocks):
        exec(compile(block, f"invertible.md, Python block {number}", "exec"), names)
    assert re.fullmatch(r"\d+ [0-9a-f]{8}\n", capsys.readouterr().out)


def test_commands(tmp_path, monkeypatch, capsys):
    """Those that need no file, and neither a compiler nor a library for plots."""
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^hwgen solve .*$", TEXT, re.M)
    wanted = [line for line in lines if not re.search(r"\.v |\.txt|--on c|--plot", line)]
    assert len(wanted) >= 3
    for line in wanted:
        monkeypatch.setattr("sys.argv", shlex.split(line.partition("#")[0]))
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert not stop.value.code, line
    assert "143 = 1" in capsys.readouterr().out


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
