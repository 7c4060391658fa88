"""The ordinary fixed-point network with a stochastic network's weights: what to compare it with."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..frontend.exported import quantize
from ..ir.classes import classes
from ..ir.graph import Graph
from ..nn import Network
from ..nn.stochastic_dense import StochasticLinear
from ..nn.to_stream import ToStream

__all__ = ["FixedPoint", "fixed_point", "float_module"]

BITS = range(2, 9)


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A fixed-point network.

    Attributes
    ----------
    graph
        Its graph.
    bits
        Of weights and activations.
    error
        Share of the samples.
    """

    graph: Graph
    bits: int
    error: float


def float_module(network: Network) -> nn.Module:
    """A stochastic network's weights in a plain PyTorch module with exact activations."""
    layers: dict[str, nn.Module] = {}
    for step in network.steps:
        layer = network.layer(step.layer)
        if not isinstance(layer, StochasticLinear):
            continue
        linear = nn.Linear(layer.in_features, layer.out_features)
        with torch.no_grad():
            linear.weight.copy_(layer.weight)
            linear.bias.copy_(layer.bias)
        layers[f"layer{len(layers)}"] = linear
        if layer.activation is not None:
            activation = nn.Sigmoid() if layer.activation == "sigmoid" else nn.Tanh()
            layers[f"layer{len(layers)}"] = activation
    return nn.Sequential(OrderedDict(layers)).eval()


def fixed_point(
    network: Network,
    x: np.ndarray,
    labels: np.ndarray,
    error: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FixedPoint:
    """The narrowest fixed-point network that errs no more than ``error``, else the best one.

    Weights and activations have as many bits, scales are powers of two, so that no multiplier is needed
    between layers. They are set by the samples; labels are not looked at.
    """
    module = float_module(network)
    (entrance,) = (
        layer
        for layer in (network.layer(step.layer) for step in network.steps)
        if isinstance(layer, ToStream)
    )
    best: FixedPoint | None = None
    for bits in BITS:
        found, _ = quantize(
            module,
            x.astype(np.float32),
            bits,
            bits,
            input_bits=entrance.bits,
            scale="power_of_two",
            name=f"{network.name}_fixed",
        )
        graph = found.lower()
        rate = float((classes(graph.run(graph.quantize(x))) != labels).mean())
        progress(bits - BITS[0] + 1, len(BITS))
        if best is None or rate < best.error:
            best = FixedPoint(graph, bits, rate)
        if rate <= error:
            break
    return best
