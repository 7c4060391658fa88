"""Tables of builds and graphs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from ..build import Build
from ..ir.graph import Graph, Node
from ..ir.op import Cost
from ..ir.schedule import Schedule
from ..rtl.design import Design
from ..rtl.lib.area import Area

__all__ = [
    "counted",
    "digits",
    "layer_table",
    "memory_traffic",
    "print_checks",
    "print_table",
    "summary",
]


WIDTH = 140  # of tables where nothing says how wide they may be
NARROW, UNBROKEN = 16, 40  # characters that a column of text keeps, and of a word that it keeps


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output; columns whose values are numbers are aligned right.

    Where it is too wide, text is wrapped; numbers never are. If that is not enough, it is printed
    in parts one below the other, each beginning with the first column.
    """
    from rich.console import Console

    console = Console(highlight=False)
    if not (console.is_terminal or os.environ.get("COLUMNS", "").isdigit()):
        console.width = WIDTH
    rows = [list(map(_text, row)) for row in rows]
    made = [_Column(name, [row[k] for row in rows]) for k, name in enumerate(columns)]
    for part in _parts(made, console.width):
        console.print(_table(title, part, console.width))
        title = ""


class _Column:
    """A column's texts, and how wide it is at most and at least."""

    def __init__(self, name: str, cells: Sequence[str]) -> None:
        self.name = name
        self.cells = cells
        self.numeric = any(cells) and all(map(_is_number, cells))
        from rich.cells import cell_len

        words = [word for text in (*cells, name) for word in text.split()]
        longest = max(map(cell_len, cells), default=0)
        word = min(max(map(cell_len, words), default=0), UNBROKEN)
        self.width = max(longest, cell_len(name))
        self.least = max(longest if self.numeric else min(longest, NARROW), word)


def _frame(columns: Sequence[_Column]) -> int:
    return 3 * len(columns) + 1


def _parts(columns: Sequence[_Column], width: int) -> list[list[_Column]]:
    """The columns, in parts of which each has a table that fits ``width`` if any can."""
    if _frame(columns) + sum(c.least for c in columns) <= width:
        return [list(columns)]
    first, *rest = columns
    parts = [[first]]
    for column in rest:
        wider = [*parts[-1], column]
        if len(wider) > 2 and _frame(wider) + sum(c.width for c in wider) > width:
            wider = [first, column]
            parts.append(wider)
        parts[-1] = wider
    return parts


def _table(title: str, columns: Sequence[_Column], width: int):
    from rich.table import Table
    from rich.text import Text

    widths = [c.width for c in columns]
    excess = _frame(columns) + sum(widths) - width
    while excess > 0:  # from the column that gives most
        k = max(range(len(columns)), key=lambda k: widths[k] - columns[k].least)
        if widths[k] <= columns[k].least:
            break
        widths[k] -= 1
        excess -= 1
    table = Table(title=Text(title) if title else None, title_justify="left", title_style="bold")
    for column, size in zip(columns, widths, strict=True):
        justify = "right" if column.numeric else "left"
        table.add_column(Text(column.name), justify=justify, width=size, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))  # names may look like rich's markup
    return table


def digits(value: int) -> str:
    """A whole number as tables and notes show it, in groups of three digits."""
    return f"{value:,}".replace(",", " ")


def counted(number: int, what: str) -> str:
    """A number of things, such as ``1 core`` and ``8 cores``."""
    return f"{digits(number)} {what}{'s' * (number != 1)}"


def _text(value: object) -> str:
    return digits(value) if isinstance(value, int) else str(value)


def _is_number(text: str) -> bool:
    return text.replace(" ", "").replace(".", "").replace("%", "").lstrip(
        "-"
    ).isdigit() or text in (
        "",
        "-",
    )


def _bits(node: Node, graph: Graph) -> str:
    """Widths of input, weights and output, such as ``u4 x s4 -> s12``."""
    inputs = " + ".join(str(t.element) for t in graph.operands(node))
    weights = getattr(node.op, "weights", None)
    middle = f" x {weights.element}" if weights is not None else ""
    return f"{inputs}{middle} -> {node.type.element}"


def _cost(node: Node, graph: Graph, schedules: Mapping[str, Schedule]) -> Cost:
    pick = schedules.get(node.name, Schedule())
    return node.op.cost(*graph.operands(node), schedule=pick)


def layer_table(graph: Graph, schedules: Mapping[str, Schedule], title: str) -> None:
    """One row a layer: op, shape, bits, schedule, cycles, multiplications, weight bits; then totals.

    Below it, what else is to be said of how weights are stored.

    Schedule and cycles are those of hardware, and left out where there is none.
    """
    titles = ["layer", "op", "output", "bits", "products", "weight bits"]
    rows: list[list[object]] = []
    total = Cost()
    slowest = 0

    def add(row: list[object], schedule: object, cycles: object) -> None:
        rows.append([*row[:4], schedule, cycles, *row[4:]] if schedules else row)

    if schedules:
        titles[4:4] = ["schedule", "cycles"]
    for node in graph.nodes:
        name = node.layer or node.name
        if node.op.name == "input":
            add([name, "input", _shape(node), node.type.element, "-", "-"], "-", "-")
            continue
        cost = _cost(node, graph, schedules)
        total = Cost(
            total.multiplications + cost.multiplications,
            weight_bits=total.weight_bits + cost.weight_bits,
        )
        slowest = max(slowest, cost.cycles)
        row = [name, node.op.name, _shape(node), _bits(node, graph)]
        row += [cost.multiplications, cost.weight_bits]
        add(row, schedules.get(node.name, "-"), cost.cycles)
    add(["total", "", "", "", total.multiplications, total.weight_bits], "", slowest)
    print_table(title, titles, rows)
    for line in _weight_notes(graph):
        print(line)


def _weight_notes(graph: Graph) -> list[str]:
    """How weights are stored, a line a layer: of layers where there is more to say than a number."""
    lines = []
    for node in graph.nodes:
        weights = getattr(node.op, "weights", None)
        if weights is not None and weights.notes():
            lines.append(f"{node.layer or node.name}  {weights.name}: {'; '.join(weights.notes())}")
    return lines


def _shape(node: Node) -> str:
    return "x".join(map(str, node.type.shape))


def summary(build: Build) -> list[str]:
    """What was built: interval and latency, C memory, where the files are."""
    lines = []
    target = build.manifest["options"]["target"]
    if target != "c":
        d = build.design
        most = "at most " if d.timing_is_bound else ""
        lines.append(
            f"Verilog  {build.folder / 'verilog'}: {len(d.sources)} modules, top {d.top}; "
            f"interval {most}{digits(d.interval)} cycles a frame, latency {most}{digits(d.latency)} "
            "cycles"
        )
        if d.area:
            lines.append(f"area     {area_text(d.area)}")
        lines += [
            f"memory   beside the design, weights of {m.name}: {counted(m.depth, 'word')} of "
            f"{counted(m.word_bytes, 'byte')} in {build.folder / 'verilog' / m.image}"
            for m in d.memories
        ]
    if target != "verilog":
        c = build.c
        lines.append(
            f"C        {build.folder / 'c'}: {c.entry}() in {c.header.name}; "
            f"arena {digits(c.arena_bytes)} bytes, constants {digits(c.constant_bytes)} bytes"
        )
    return lines


def memory_traffic(design: Design, requests: Sequence[int]) -> list[str]:
    """How much a simulation read of the memories beside a design; ``requests`` are columns."""
    return [
        f"weights of {memory.name}: {counted(number, 'column')} read, "
        f"{counted(number * memory.words * memory.word_bytes, 'byte')}"
        for memory, number in zip(design.memories, requests, strict=True)
    ]


def area_text(area: Area) -> str:
    """An estimate, in words."""
    parts = [
        f"about {rounded(area.lut)} LUT6",
        f"{rounded(area.ff)} flip-flops",
        f"{rounded(area.dsp)} DSP blocks" if area.dsp else "",
        f"{rounded(area.bram)} memory blocks of 18 Kbit" if area.bram else "",
    ]
    return f"{', '.join(filter(None, parts))}, estimated; 'hwgen synth' counts"


def rounded(value: int) -> str:
    """Two significant digits."""
    return digits(round(value, 2 - len(str(value))))


def print_checks(manifest: Mapping[str, object]) -> None:
    """One line a comparison that a build's manifest tells of, and one each that was not made."""
    for check in manifest["checks"]:
        print(f"{check['form']:<22} {check['differ']} of {check['samples']} outputs differ")
    for form, why in manifest.get("skipped", {}).items():
        print(f"{form:<22} not run: {why}")
