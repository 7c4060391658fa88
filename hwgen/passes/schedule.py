"""Which hardware every layer becomes: the smallest that meets the user's goal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ..errors import InvalidInput
from ..ir.graph import Graph, Node
from ..ir.schedule import Schedule
from ..ops.lib.linear import digits

__all__ = ["best_cycles", "parse_schedule", "schedule"]

DEFAULT_CYCLES = 1024  # of a folded layer, or of a step of a sequence, if the user states no goal
SPATIAL_DIGITS = 20_000  # non-zero weight bits up to which a layer goes into logic by default
LARGEST = 200_000  # adders, or multipliers, of a layer; minutes to lay out
PIPELINES = range(1, 65)  # adders in a row between registers


def parse_schedule(text: str) -> Schedule:
    """A schedule as the command line writes it.

    ``spatial``, ``folded:4x8``, ``folded:9x1x4``, ``serial:4``, ``scan:4x16``: the numbers are
    PE x SIMD, and parallel groups; of ``scan``, PE and mask bits a clock; of ``columns:64x4`` and
    ``events:64x4``, lanes and gate rows a clock. ``events:64x4:streamed`` takes their weights from a
    port.
    """
    if text == "spatial":
        return Schedule("spatial")
    if match := re.fullmatch(r"serial:(\d+)", text):
        return Schedule("serial", pe=int(match[1]))
    if match := re.fullmatch(r"scan:(\d+)x(\d+)", text):
        return Schedule("scan", pe=int(match[1]), simd=int(match[2]))
    if match := re.fullmatch(r"(columns|events):(\d+)x(\d+)(:streamed)?", text):
        form, pe, simd, streamed = match.groups()
        return Schedule(form, pe=int(pe), simd=int(simd), streamed=bool(streamed))  # type: ignore[arg-type]
    match = re.fullmatch(r"folded:(\d+)x(\d+)(?:x(\d+))?", text)
    if not match:
        raise InvalidInput(
            "a schedule must be 'spatial', 'folded:PExSIMD', 'folded:PExSIMDxGROUPS', 'serial:PE', "
            "'scan:PExBITS', or of recurrent cells 'columns:LANESxROWS' or 'events:LANESxROWS', or "
            f"with weights from a port 'events:LANESxROWS:streamed', not {text!r}"
        )
    pe, simd, parallel = (int(n or 1) for n in match.groups())
    return Schedule("folded", pe=pe, simd=simd, parallel=parallel)


def schedule(
    graph: Graph,
    cycles: int | None = None,
    choices: Mapping[str, Schedule] | None = None,
    pipeline: int | None = None,
) -> dict[str, Schedule]:
    """A schedule for every op of ``graph``.

    Parameters
    ----------
    cycles
        Most cycles a frame. Every layer gets the smallest hardware that meets it. None: small
        layers go into logic, and the others are folded to 1024 cycles, or recurrent ones to as
        many a step.
    choices
        Schedules that the user fixes, by node or layer name.
    pipeline
        Most adders in a row between two registers of the spatial layers, 1 to 64. None: what
        ``choices`` say, else 4.

    Returns
    -------
    Schedules by node name.

    Raises
    ------
    InvalidInput
        The goal cannot be met (the message says the best possible), or a choice does not fit.
    """
    if cycles is not None and cycles < 1:
        raise InvalidInput(f"--cycles must be 1 or more, not {cycles}")
    if pipeline is not None and pipeline not in PIPELINES:
        raise InvalidInput(
            f"--pipeline must be 1 to {PIPELINES[-1]} adders between registers, not {pipeline}"
        )
    chosen = _resolve(graph, choices or {})
    lanes: dict[str, int] = {}
    result: dict[str, Schedule] = {}
    for node in graph.nodes:
        if node.op.name == "input":
            lanes[node.name] = 0
            continue
        if node.name in chosen:
            pick = chosen[node.name]
        elif node.op.name == "flatten":
            pick = _flatten_lanes(graph, node, lanes[node.inputs[0]])
        else:
            pick = _pick(graph, node, cycles, lanes[node.inputs[0]])
        if pipeline is not None and pick.form == "spatial":
            pick = replace(pick, pipeline=pipeline)
        result[node.name] = pick
        lanes[node.name] = _lanes_out(graph, node, pick)
    return result


def best_cycles(graph: Graph) -> tuple[int, Node]:
    """The fewest cycles a frame of any schedule, and the layer that sets the limit."""
    worst: tuple[int, Node] | None = None
    for node in graph.nodes:
        if node.op.name in ("input", "flatten"):
            continue
        types = graph.operands(node)
        least = min(node.op.cost(*types, schedule=s).cycles for s in _options(graph, node))
        if worst is None or least > worst[0]:
            worst = least, node
    if worst is None:
        raise InvalidInput(f"graph {graph.name!r} has no layers")
    return worst


def _resolve(graph: Graph, choices: Mapping[str, Schedule]) -> dict[str, Schedule]:
    """The user's choices by node name; a layer's name means its weighted op."""
    chosen = {}
    for key, pick in choices.items():
        nodes = [n for n in graph.nodes if key in (n.name, n.layer)]
        fitting = [n for n in nodes if pick in n.op.schedules(*graph.operands(n))]
        if not nodes:
            named = [n.name for n in graph.nodes if _is_weighted(graph, n)]
            raise InvalidInput(
                f"--schedule {key}: no such layer; layers with a choice are {', '.join(named)}"
            )
        if not fitting:
            options = _describe_options(graph, nodes[0])
            raise InvalidInput(f"--schedule {key}: '{pick}' does not fit; {options}")
        chosen[fitting[0].name] = _checked(graph, fitting[0], key, pick)
    return chosen


def _checked(graph: Graph, node: Node, key: str, pick: Schedule) -> Schedule:
    """``pick``, if it is not too large to be laid out."""
    if pick.form == "spatial" and pick.pipeline not in PIPELINES:
        raise InvalidInput(
            f"--schedule {key}: pipeline must be 1 to {PIPELINES[-1]} adders between registers, "
            f"not {pick.pipeline}"
        )
    size = _size(node, pick)
    if size > LARGEST:
        what = "adders" if pick.form == "spatial" else "multipliers"
        raise InvalidInput(
            f"--schedule {key}: '{pick}' would take {size} {what}, and the limit is {LARGEST}; "
            f"{_describe_options(graph, node)}"
        )
    return pick


def _options(graph: Graph, node: Node) -> list[Schedule]:
    """Schedules that are not too large to be laid out, and need no memory beside the design."""
    fitting = node.op.schedules(*graph.operands(node))
    return [s for s in fitting if not s.streamed and _size(node, s) <= LARGEST]


def _size(node: Node, pick: Schedule) -> int:
    """Adders of a spatial form with nothing shared, multipliers of a folded one."""
    if pick.form == "spatial":
        return digits(node.op.weights) - len(node.op.weights.decode())  # type: ignore[attr-defined]
    return pick.multipliers if pick.form == "folded" else 0


def _is_weighted(graph: Graph, node: Node) -> bool:
    if node.op.name == "input":
        return False
    return any(s.form != "stream" for s in node.op.schedules(*graph.operands(node)))


def _describe_options(graph: Graph, node: Node) -> str:
    options = _options(graph, node)
    folded = [s for s in options if s.form == "folded"]
    if columns := [s for s in options if s.form == "columns"]:
        lanes, rows = (sorted({getattr(s, k) for s in columns}) for k in ("pe", "simd"))
        return (
            f"{node.where} takes columns or events with LANES in {{{', '.join(map(str, lanes))}}} "
            f"and ROWS in {{{', '.join(map(str, rows))}}} that divide them, streamed or not"
        )
    if not folded:
        return f"{node.where} has no weights and follows its neighbours"
    pe = sorted({s.pe for s in folded if s.parallel == 1})
    simd = sorted({s.simd for s in folded if s.parallel == 1})
    spatial = "spatial, or " if Schedule("spatial") in options else ""
    text = (
        f"{node.where} takes {spatial}folded with PE in {{{', '.join(map(str, pe))}}} "
        f"and SIMD in {{{', '.join(map(str, simd))}}}"
    )
    bits = sorted({s.simd for s in options if s.form == "scan"})
    if bits:
        choice = ", ".join(map(str, bits))
        text += f", or serial with such a PE, or scan with such a PE and BITS in {{{choice}}}"
    return text


def _lanes_out(graph: Graph, node: Node, pick: Schedule) -> int:
    return node.op.lanes(*graph.operands(node), schedule=pick)[1]


def _flatten_lanes(graph: Graph, node: Node, before: int) -> Schedule:
    """Flatten moves nothing: the lanes stay as they are."""
    return Schedule("stream", lanes=before or graph.operands(node)[0].channels)


def _pick(graph: Graph, node: Node, cycles: int | None, before: int) -> Schedule:
    """The smallest schedule that meets the goal."""
    types = graph.operands(node)
    options = _options(graph, node)
    goal = cycles
    if goal is None:
        if Schedule("spatial") in options and digits(node.op.weights) <= SPATIAL_DIGITS:
            return Schedule("spatial")
        floor = min(node.op.cost(*types, schedule=s).cycles for s in options)
        usual = max(DEFAULT_CYCLES * node.op.steps(*types), floor)
        goal = usual if _is_weighted(graph, node) else None
    fitting = [
        s for s in options if goal is None or node.op.cost(*types, schedule=s).cycles <= goal
    ]
    if not fitting:
        best, limit = best_cycles(graph)
        raise InvalidInput(
            f"--cycles {cycles} cannot be met: {limit.where} needs {best} cycles a frame at best; "
            f"the best possible for this network is --cycles {best}"
        )
    return min(fitting, key=lambda s: _rank(node, types, s, before))


def _rank(node: Node, types, pick: Schedule, before: int) -> tuple:
    """What makes a schedule smaller than another one; lanes that need no adapter come first."""
    takes, _ = node.op.lanes(*types, schedule=pick)
    fits = 0 if before in (0, takes) else 1
    if pick.form == "stream":
        # As many lanes as arrive, else the fewest.
        return (fits, takes)
    return (node.op.rough_luts(*types, result=node.type, schedule=pick), fits, -pick.simd)
