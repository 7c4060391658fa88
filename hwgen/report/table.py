"""Tables of builds and graphs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..build import Build
from ..ir.graph import Graph, Node
from ..ir.op import Cost
from ..ir.schedule import Schedule

__all__ = ["layer_table", "print_checks", "print_table", "summary"]


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output; columns whose values are numbers are aligned right."""
    from rich.console import Console
    from rich.table import Table

    rows = [list(map(_text, row)) for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold")
    for k, column in enumerate(columns):
        numeric = rows and all(_is_number(row[k]) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140
    console.print(table)


def _text(value: object) -> str:
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)


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
    """One row a layer: op, shape, bits, schedule, cycles, multiplications, weight bits; then totals."""
    rows: list[list[object]] = []
    total = Cost()
    slowest = 0
    for node in graph.nodes:
        if node.op.name == "input":
            rows.append(
                [node.layer or node.name, "input", _shape(node), node.type.element, *"----"]
            )
            continue
        cost = _cost(node, graph, schedules)
        total = Cost(
            total.multiplications + cost.multiplications,
            weight_bits=total.weight_bits + cost.weight_bits,
        )
        slowest = max(slowest, cost.cycles)
        rows.append(
            [
                node.layer or node.name,
                node.op.name,
                _shape(node),
                _bits(node, graph),
                schedules.get(node.name, "-"),
                cost.cycles if schedules else "-",
                cost.multiplications,
                cost.weight_bits,
            ]
        )
    last = slowest if schedules else "-"
    rows.append(["total", "", "", "", "", last, total.multiplications, total.weight_bits])
    print_table(
        title,
        ("layer", "op", "output", "bits", "schedule", "cycles", "products", "weight bits"),
        rows,
    )


def _shape(node: Node) -> str:
    return "x".join(map(str, node.type.shape))


def summary(build: Build) -> list[str]:
    """What was built: interval and latency, C memory, where the files are."""
    lines = []
    target = build.manifest["options"]["target"]
    if target != "c":
        d = build.design
        lines.append(
            f"Verilog  {build.folder / 'verilog'}: {len(d.sources)} modules, top {d.top}; "
            f"interval {d.interval} cycles a frame, latency {d.latency} cycles"
        )
    if target != "verilog":
        c = build.c
        lines.append(
            f"C        {build.folder / 'c'}: {c.entry}() in {c.header.name}; "
            f"arena {c.arena_bytes} bytes, constants {c.constant_bytes} bytes"
        )
    return lines


def print_checks(checks: Iterable[Mapping[str, object]]) -> None:
    """One line a comparison, the last word of a compilation."""
    for check in checks:
        print(f"{check['form']:<22} {check['differ']} of {check['samples']} outputs differ")
