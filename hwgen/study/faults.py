"""Bits that flip: in every stage of a stochastic network, and in every word of a fixed-point one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import Unsupported
from ..ir.classes import classes
from ..ir.graph import Graph, Node
from ..ops.saturating_counter import SaturatingCounter
from ..ops.stochastic_dense import StochasticDense
from ..ops.to_stream import ToStream

__all__ = ["error_with_faults", "run_with_faults"]

_BLOCK = 1 << 21  # words of weights at once


def error_with_faults(
    graph: Graph,
    x: np.ndarray,
    labels: np.ndarray,
    shares: Sequence[float],
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[float]:
    """Errors of a network whose bits flip with the probabilities ``shares``."""
    found = []
    rows = max(1, (1 << 22) // max(node.type.size for node in graph.nodes))
    for at, share in enumerate(shares):
        rng = np.random.default_rng(seed)
        wrong = 0
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            y = run_with_faults(graph, graph.quantize(x[part]), share, rng)
            wrong += int((classes(y) != labels[part]).sum())
        found.append(wrong / len(x))
        progress(at + 1, len(shares))
    return found


def run_with_faults(
    graph: Graph, x: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """What a graph gives when every bit flips with probability ``share``, by itself and in every step.

    Of stochastic ops: the bits of all streams, those of inputs, of every weight and bias at every
    neuron, and of the neurons. Of others: the bits of every value but the last one. A number that then
    lies outside its interval is the nearest end.
    """
    values: dict[str, np.ndarray] = {}
    for node in graph.nodes:
        operands = [values[name] for name in node.inputs]
        rule = _RULES.get(type(node.op), _words)
        last = node.name == graph.output
        if node.op.name == "input":
            streams = any(graph[user].op.name == "to_stream" for user in graph.users[node.name])
            values[node.name] = x if streams else _flipped(node, x, share, rng)
        elif last and rule is _words:
            values[node.name] = node.op.run(*operands)
        else:
            values[node.name] = rule(node, operands, share, rng)
    return values[graph.output]


def _words(node: Node, operands, share: float, rng: np.random.Generator) -> np.ndarray:
    return _flipped(node, node.op.run(*operands), share, rng)


def _flipped(node: Node, y: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """``y`` with flipped bits of its element's two's complement."""
    kind = node.type.element
    mask = np.zeros_like(y)
    for bit in range(kind.width):
        mask |= (rng.random(y.shape) < share).astype(np.int64) << bit
    turned = (y ^ mask) & ((1 << kind.width) - 1)
    if kind.signed:
        turned -= (turned >> (kind.width - 1)) << kind.width
    return np.clip(turned, node.type.lo, node.type.hi)


def _ones(ones: np.ndarray, total, share: float, rng: np.random.Generator) -> np.ndarray:
    """How many of ``total`` bits are 1 when some flip, ``ones`` of which were."""
    return ones - rng.binomial(ones, share) + rng.binomial(total - ones, share)


def _stream(node: Node, operands, share: float, rng: np.random.Generator) -> np.ndarray:
    op: ToStream = node.op
    y, m = op.run(*operands), op.components
    ones = (y + m) // 2 if op.bipolar else y
    ones = _ones(ones, m, share, rng)
    return 2 * ones - m if op.bipolar else ones


def _counter(node: Node, operands, share: float, rng: np.random.Generator) -> np.ndarray:
    op: SaturatingCounter = node.op
    y = op.run(*operands)
    other = -y if op.bipolar else 1 - y
    return np.where(rng.random(y.shape) < share, other, y)


def _products(node: Node, operands, share: float, rng: np.random.Generator) -> np.ndarray:
    """Sums with weights of which every component's bit may flip.

    Flips are not drawn singly but counted, among the bits that meet an input of 1, which has their law.
    """
    op: StochasticDense = node.op
    (x,) = operands
    if x.min(initial=0) < 0:
        raise Unsupported(f"{node.where}: faults are for streams of 0 and 1, found -1")
    batch, length, inputs = x.shape
    m, bipolar = op.components, op.coding == "bipolar"
    signs = np.ones_like(op.operands) if bipolar else np.sign(op.operands)
    sides = (signs > 0).astype(np.float32).T, (signs < 0).astype(np.float32).T
    y = np.empty((batch, length, len(signs)), dtype=np.int64)
    steps = max(1, _BLOCK // signs.size)
    for start in range(0, length, steps):
        stop = min(start + steps, length)
        bits = np.ones((stop - start, batch, inputs + 1), dtype=np.float32)
        bits[..., :-1] = x[:, start:stop].transpose(1, 0, 2)
        words = op.words(start, stop)
        counts = np.abs(words) if not bipolar else (words + np.int8(m)) // 2
        counts = counts.astype(np.float32)
        positive, negative = (
            _ones(
                (bits @ (counts * side)).astype(np.int64),
                (bits @ (m * side)).astype(np.int64),
                share,
                rng,
            )
            for side in sides
        )
        sums = positive - negative
        if bipolar:
            sums = 2 * sums - m * bits.sum(axis=2, keepdims=True).astype(np.int64)
        y[:, start:stop] = sums.transpose(1, 0, 2)
    return np.clip(y, node.type.lo, node.type.hi)


_RULES = {ToStream: _stream, SaturatingCounter: _counter, StochasticDense: _products}
