"""What recurrent layers skip: columns, clocks and products, against the same layer without skipping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..ir.graph import Graph, Node
from ..ir.schedule import Schedule
from ..ops.lib.recurrent import Recurrent, step_cycles
from .table import print_table

__all__ = ["Activity", "activities", "activity_table"]


@dataclass(frozen=True)
class Activity:
    """A recurrent layer on some sequences, in hardware.

    Attributes
    ----------
    layer
        Its name.
    rows, columns
        Gate rows, and elements of state and input together.
    schedule
        Of the layer.
    events
        Columns that are added in a step, shape (sequences, steps).
    idle
        The part of the states fed back that is skipped.
    """

    layer: str
    rows: int
    columns: int
    schedule: Schedule
    events: np.ndarray
    idle: float

    @classmethod
    def of(cls, graph: Graph, node: Node, schedule: Schedule, x: np.ndarray) -> Activity:
        """Of a node of ``graph``, whose input is ``x``."""
        op = node.op
        columns = op.units + graph.operands(node)[0].channels
        events, idle = op.events(x), op.idle_states(x)
        return cls(node.layer or node.name, op.rows, columns, schedule, events, idle)

    @property
    def column_clocks(self) -> int:
        """Clocks of a column."""
        return -(-self.rows // self.schedule.pe)

    @property
    def lanes_in_use(self) -> float:
        """The part of the lanes' clocks, while columns are added, that adds a weight."""
        return self.rows / (self.column_clocks * self.schedule.pe)

    @property
    def dense_clocks(self) -> int:
        """Clocks of a step without skipping."""
        return step_cycles(self.rows, self.columns, self.schedule)

    @property
    def clocks(self) -> float:
        """Mean clocks of a step."""
        if self.schedule.form != "events":
            return self.dense_clocks
        return float(step_cycles(self.rows, self.events, self.schedule).mean())

    @property
    def column_ratio(self) -> float:
        """All columns over those that are added."""
        return self.columns / max(float(self.events.mean()), 1e-9)


def activities(graph: Graph, schedules: Mapping[str, Schedule], x: np.ndarray) -> list[Activity]:
    """Of every recurrent layer of a network in hardware, on integer samples."""
    nodes = [node for node in graph.nodes if isinstance(node.op, Recurrent)]
    if not nodes:
        return []
    values = graph.run_all(x)
    return [
        Activity.of(graph, node, schedules[node.name], values[node.inputs[0]]) for node in nodes
    ]


def activity_table(
    graph: Graph, schedules: Mapping[str, Schedule], x: np.ndarray, what: str
) -> None:
    """A row a recurrent layer, if there are any.

    Parameters
    ----------
    what
        What the samples are, for the title.
    """
    rows = []
    for a in activities(graph, schedules, x):
        mean, worst = a.events.mean(), np.percentile(a.events, 99)
        rows.append(
            [
                a.layer,
                f"{100 * a.idle:.1f} %",
                f"{mean:.1f}, {worst:.0f} of {a.columns}",
                f"{a.clocks:.0f} of {a.dense_clocks}",
                f"{a.dense_clocks / a.clocks:.2f}x",
                f"{a.rows * (mean if a.schedule.form == 'events' else a.columns) / a.clocks:.1f}",
                f"{a.rows * a.columns / a.clocks:.1f}",
                f"{100 * a.lanes_in_use:.0f} %",
            ]
        )
    if not rows:
        return
    print_table(
        f"recurrent layers on {what}",
        (
            "layer",
            "states skipped",
            "columns a step: mean, 99 %",
            "clocks a step, of dense",
            "faster than dense",
            "MACs a clock",
            "dense-equivalent",
            "lanes in use",
        ),
        rows,
    )
