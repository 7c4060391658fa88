"""What a stochastic network takes of an FPGA: synthesized whole, or extrapolated layer by layer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..ir.constant import Constant
from ..ir.graph import Graph, GraphBuilder, Node
from ..ir.schedule import Schedule
from ..ops.codes.uniform import Uniform
from ..ops.saturating_counter import SaturatingCounter
from ..ops.stochastic_dense import StochasticDense
from ..passes.schedule import schedule
from ..rtl.device import DEVICES
from ..rtl.emit import emit
from ..rtl.lib.area import Area
from ..rtl.network import Network
from ..rtl.synthesis import synthesize

__all__ = ["WHOLE", "Size", "fixed_point_size", "stochastic_size"]

WHOLE = 12_000  # products a step up to which a network is synthesized whole: some minutes
NEURONS = (2, 8)  # of a layer that are synthesized to extrapolate from

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Size:
    """A network's hardware.

    Attributes
    ----------
    area
        Counted by Yosys, or extrapolated from such counts.
    interval
        Clocks between frames, at most.
    latency
        Clocks from a frame's first beat to its result, at most; 0 where that was not measured.
    method
        How the area was found, for people.
    """

    area: Area
    interval: int
    latency: int
    method: str


def stochastic_size(
    graph: Graph, device: str = "xilinx", progress: Progress = lambda done, total: None
) -> Size:
    """The fully parallel hardware of a stochastic network."""
    layers = [node for node in graph.nodes if isinstance(node.op, StochasticDense)]
    products = sum(n.op.operands.size * n.op.components for n in layers)
    if products <= WHOLE:
        progress(0, 1)
        picks = {node.name: Schedule("spatial") for node in layers}
        found = _synthesized(graph, schedule(graph, choices=picks), device)
        progress(1, 1)
        return replace(found, method="synthesized whole, layer by layer")
    total, done = Area(), 0
    steps = len(layers) * len(NEURONS)
    for layer in layers:
        counts = []
        for neurons in NEURONS:
            counts.append(_layer_area(graph, layer, neurons, device))
            done += 1
            progress(done, steps)
        total += _extrapolated(counts, layer.op.weights.shape[0])
    length = layers[0].type.shape[0]
    few, many = NEURONS
    return Size(
        total,
        length,
        0,
        f"every layer synthesized with {few} and with {many} of its neurons, sources and inputs as they "
        f"are, and extrapolated to all of them; without entrance and exit",
    )


def fixed_point_size(graph: Graph, cycles: int, device: str = "xilinx") -> Size:
    """The hardware of an ordinary network that takes a frame in ``cycles`` clocks."""
    return _synthesized(graph, schedule(graph, cycles), device)


def _synthesized(graph: Graph, schedules: dict[str, Schedule], device: str) -> Size:
    network = Network(graph, schedules)
    with tempfile.TemporaryDirectory(prefix="hwgen-study-") as folder:
        design = emit(graph, schedules, Path(folder), network)
        found = synthesize(design, network, DEVICES[device])
    return Size(found.total, network.interval, network.latency, "synthesized whole, layer by layer")


def _layer_area(graph: Graph, layer: Node, neurons: int, device: str) -> Area:
    """A layer with its counters, but of some of its neurons only: evenly spread ones."""
    op: StochasticDense = layer.op
    rows = np.linspace(0, op.weights.shape[0] - 1, neurons).round().astype(int)
    builder = GraphBuilder("part")
    x = builder.input(graph.operands(layer)[0])
    few = replace(
        op,
        weights=Uniform(Constant(op.weights.decode()[rows]), op.bits + 1),
        bias=Constant(op.bias.array[rows]),
    )
    y = builder.add(few, x, name="layer")
    (reader,) = graph.users[layer.name]
    counter = graph[reader].op
    picks = {"layer": Schedule("spatial")}
    if isinstance(counter, SaturatingCounter):
        own = replace(
            counter,
            states=Constant(counter.states.array[rows]),
            threshold=Constant(counter.threshold.array[rows]),
        )
        y = builder.add(own, y, name="counters")
    part = builder.build(y)
    return _synthesized(part, schedule(part, choices=picks), device).area


def _extrapolated(counts: list[Area], neurons: int) -> Area:
    """The line through the counts of :data:`NEURONS` neurons, at ``neurons`` of them."""
    few, many = NEURONS
    first, second = counts

    def at(name: str) -> int:
        a, b = getattr(first, name), getattr(second, name)
        return round(a + (b - a) * (neurons - few) / (many - few))

    return Area(*(at(name) for name in ("lut", "ff", "carry", "bram", "dsp")))
