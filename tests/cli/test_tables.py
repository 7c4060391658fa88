"""Tables on terminals and pipes of any width: numbers stay whole, lines stay inside."""

from __future__ import annotations

import pytest

from hwgen.report.table import print_table

TITLES = ("layer", "MACs", "result bytes", "constant bytes", "tile", "L1 bytes", "what it is")
ROWS = [
    ("conv1", 36_864, 512, 1_104, "8x8x8", 50_624, "a convolution of three rows and columns"),
    ("[red]fc[/red]", 2_048_000, 40, 2_064_000, "1x1x10", 26_088, "a fully connected layer"),
]


@pytest.fixture
def table(capsys, monkeypatch):
    def show(width: int | None) -> list[str]:
        monkeypatch.delenv("COLUMNS", raising=False)
        if width:
            monkeypatch.setenv("COLUMNS", str(width))
        print_table("a table", TITLES, ROWS)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return show


def test_a_pipe_takes_a_line_a_row(table):
    lines = table(None)
    assert lines[0] == "a table"
    (row,) = [line for line in lines if "conv1" in line]
    assert row.endswith("a convolution of three rows and columns │")
    assert len(lines) == 1 + 3 + len(ROWS) + 1


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_narrow_tables_keep_their_numbers(table, width):
    lines = table(width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for number in ("36 864", "2 048 000", "2 064 000", "50 624"):
        assert f" {number} " in text
    for word in ("MACs", "bytes", "constant", "convolution", "columns", "[red]fc[/red]"):
        assert word in text


def test_parts_begin_with_the_first_column(table):
    lines = table(60)
    parts = [line for line in lines if line.startswith("┏")]
    assert len(parts) > 1
    assert sum("conv1" in line for line in lines) == len(parts)
    assert lines.count("a table") == 1


def test_no_rows(capsys):
    print_table("nothing", ("layer", "MACs"), [])
    assert "layer" in capsys.readouterr().out
