"""What the head of every Verilog file says about its module."""

from __future__ import annotations

from collections.abc import Mapping

from ..ir.graph import Graph
from ..ir.op import Op
from ..ir.schedule import Schedule
from .codes import weight_lane
from .lib.flow import Fork, Queue, Repack
from .network import Network

__all__ = ["descriptions"]


def descriptions(
    graph: Graph, schedules: Mapping[str, Schedule], network: Network, modules: list[str]
) -> dict[str, str]:
    """Comment lines for every module, in Verilog.

    Parameters
    ----------
    modules
        Names of all modules of the design.
    """
    prefix = f"{graph.name}_"
    known = {
        f"{prefix}core": f"All layers: {_most(network)}{network.interval} cycles a frame, latency "
        f"{network.latency}."
    }
    for name, component in network.components.items():
        if isinstance(component, Fork):
            text = f"Gives every beat to {component.outputs} readers."
        elif isinstance(component, Queue):
            text = f"Holds up to {component.depth} beats while another branch catches up."
        elif isinstance(component, Repack):
            source, target = component.inputs[0], component.output
            text = f"{source.lanes} to {target.lanes} elements a beat."
        else:
            continue
        known[prefix + name] = text
    for node in graph.nodes:
        if node.op.name in ("input", "flatten") or node.name not in schedules:
            continue
        operands = graph.operands(node)
        cycles = node.op.cost(*operands, schedule=schedules[node.name]).cycles
        plural = "s" if cycles > 1 else ""
        component = network.components[network.module_name(node.name).removeprefix(prefix)]
        most = _most(component)
        known[network.module_name(node.name)] = "\n// ".join(
            [
                f"{node.where}, {schedules[node.name]}: {most}{cycles} cycle{plural} a frame.",
                *(f"Input {operand}." for operand in operands),
                f"Output {node.type}.",
                *_weight_notes(node.op, schedules[node.name]),
                *component.notes,
            ]
        )
    result = {}
    for module in modules:
        owner = max(
            (name for name in known if f"{module}_".startswith(f"{name}_")), key=len, default=""
        )
        if owner:
            part = module.removeprefix(owner).strip("_")
            first = known[owner].partition("\n")[0]
            result[module] = f"// Part ({part}) of {first}" if part else f"// {known[owner]}"
    return result


def _most(timed) -> str:
    return "at most " if timed.timing_is_bound else ""


def _weight_notes(op: Op, schedule: Schedule) -> list[str]:
    """How the weights of a layer are stored, where there is more to say than their number."""
    weights = getattr(op, "weights", None)
    if weights is None or not weights.notes():
        return []
    notes = [f"Weights: {note}." for note in weights.notes()]
    if schedule.form != "spatial":
        notes += weight_lane(weights).notes(schedule)
    return notes
