"""A stochastic classifier at other lengths, components, codings and seeds, without training again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InvalidInput, Unsupported
from ..ir.graph import Graph
from ..nn import Network, number_sources
from ..nn.stochastic_dense import StochasticLinear
from ..nn.stream_argmax import StreamArgMax
from ..nn.to_stream import ToStream
from .interval import wilson
from .running import Prepare, interpreted

__all__ = ["Point", "Variant", "check_network", "streams", "surface", "vary"]

Progress = Callable[[int, int], None]
SPACING = 101  # sources between two seeds: other numbers for every operand
_MOST = 1 << 23  # elements of sums at once


@dataclass(frozen=True, slots=True)
class Variant:
    """What is chosen of a network beside its weights.

    Attributes
    ----------
    coding, components
        As of :class:`hwgen.nn.StochasticLinear`.
    length
        Steps of the streams.
    seed
        Number of the first random source.
    """

    coding: str
    components: int
    length: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the surface: errors are shares of the samples, averaged over the seeds.

    Attributes
    ----------
    error, low, high
        Over whole streams, and its interval of 95 % confidence over the samples.
    early_error, steps
        Decided early at the network's own margin: the error, and the mean of the deciding steps.
    """

    coding: str
    components: int
    length: int
    seeds: int
    samples: int
    error: float
    low: float
    high: float
    early_error: float
    steps: float


def check_network(network: Network) -> tuple[ToStream, StreamArgMax]:
    """Entrance and exit of a stochastic classifier.

    Raises
    ------
    Unsupported
        The network is none.
    """
    layers = [network.layer(step.layer) for step in network.steps]
    entrances = [layer for layer in layers if isinstance(layer, ToStream)]
    hidden = [layer for layer in layers if isinstance(layer, StochasticLinear)]
    if len(entrances) != 1 or not hidden or not isinstance(layers[-1], StreamArgMax):
        found = ", ".join(type(layer).__name__ for layer in layers)
        raise Unsupported(
            f"network {network.name!r} must be a stochastic classifier, a ToStream, StochasticLinear "
            f"layers and a StreamArgMax, found {found}"
        )
    return entrances[0], layers[-1]


def vary(network: Network, variant: Variant) -> Graph:
    """The graph of a network with the same weights as ``variant`` says."""
    changed = copy.deepcopy(network).eval()
    entrance, _ = check_network(changed)
    entrance.length = variant.length
    for step in changed.steps:
        layer = changed.layer(step.layer)
        if isinstance(layer, StochasticLinear):
            layer.coding, layer.components = variant.coding, variant.components
    number_sources(changed, variant.seed)
    return changed.lower()


def streams(graph: Graph) -> Graph:
    """The graph without its last op: the sums of every step."""
    (last,) = graph[graph.output].inputs
    return Graph(graph.name, tuple(n for n in graph.nodes if n.name != graph.output), last)


def surface(
    network: Network,
    x: np.ndarray,
    labels: np.ndarray,
    *,
    codings: Sequence[str],
    components: Sequence[int],
    lengths: Sequence[int],
    seeds: int,
    prepare: Prepare = interpreted,
    progress: Progress = lambda done, total: None,
) -> list[Point]:
    """Errors over components and lengths.

    A stream's first steps are a shorter stream, so that one run gives all lengths.

    Parameters
    ----------
    x, labels
        Real samples as ``Graph.quantize`` takes them, and their classes.
    seeds
        How many sets of random sources.
    prepare
        Makes a function on integers of a graph; see :func:`hwgen.study.running.runner`.
    """
    if not len(x) or len(x) != len(labels):
        raise InvalidInput(f"there must be a label a sample, found {len(labels)} for {len(x)}")
    _, exit_ = check_network(network)
    total = len(codings) * len(components) * seeds
    done, points = 0, []
    for coding in codings:
        for m in components:
            wrong = {length: [] for length in lengths}
            early = {length: [] for length in lengths}
            steps = {length: [] for length in lengths}
            for seed in range(seeds):
                graph = vary(network, Variant(coding, m, max(lengths), seed * SPACING))
                run = prepare(streams(graph))
                for part, truth in _parts(graph, x, labels):
                    sums = run(part).reshape(len(part), max(lengths), -1)
                    for length, (whole, early_class, step) in _told(
                        graph, exit_.margin, sums, lengths
                    ).items():
                        wrong[length].append(whole != truth)
                        early[length].append(early_class != truth)
                        steps[length].append(step + 1)
                done += 1
                progress(done, total)
            for length in lengths:
                error = float(np.concatenate(wrong[length]).mean())
                points.append(
                    Point(
                        coding,
                        m,
                        length,
                        seeds,
                        len(x),
                        error,
                        *wilson(error, len(x)),
                        float(np.concatenate(early[length]).mean()),
                        float(np.concatenate(steps[length]).mean()),
                    )
                )
    return points


def _parts(
    graph: Graph, x: np.ndarray, labels: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Samples as integers, as many at a time as memory holds."""
    sums = graph[graph[graph.output].inputs[0]].type
    rows = max(1, _MOST // sums.size)
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        yield graph.quantize(x[part]), labels[part]


def _told(
    graph: Graph, margin: float, sums: np.ndarray, lengths: Sequence[int]
) -> dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Class of the whole stream, class decided early, and deciding step, for every length."""
    node = graph[graph.output]
    kind = graph.operands(node)[0]
    lead = int(np.ceil(margin / kind.scale - 1e-9)) if margin else 0
    early = type(node.op)(True, kind.hi - kind.lo, lead)
    plain = type(node.op)()
    return {
        length: (plain.decide(sums[:, :length])[0], *early.decide(sums[:, :length]))
        for length in lengths
    }
