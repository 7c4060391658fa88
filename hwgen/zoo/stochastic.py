"""What the recipes of stochastic networks share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

from .. import nn as q
from .training import fit

__all__ = ["stochastic_mlp", "train_stochastic"]


def stochastic_mlp(
    sizes: tuple[int, ...], *, bits: int, length: int, components: int, limit: float = 4.0
) -> nn.Module:
    """A multilayer perceptron of sigmoid neurons on streams, 8-bit weights.

    Parameters
    ----------
    sizes
        Inputs, hidden layers, outputs.
    bits
        Of the pixels.
    length
        Steps of a stream.
    components, limit
        As of :class:`hwgen.nn.StochasticLinear`.
    """
    layers: dict[str, nn.Module] = {
        "pixels": q.InputQuantizer(bits, 2.0**-bits, signed=False, shape=(sizes[0],)),
        "stream": q.ToStream(sizes[0], length, bits=bits),
    }
    last = len(sizes) - 1
    for at in range(1, last + 1):
        layers[f"fc{at}"] = q.StochasticLinear(
            sizes[at - 1],
            sizes[at],
            activation=None if at == last else "sigmoid",
            components=components,
            limit=limit,
            noise=length,
        )
    layers["class"] = q.StreamArgMax()
    return q.number_sources(nn.Sequential(OrderedDict(layers)))


def train_stochastic(
    build: Callable[[], nn.Module],
    teacher: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    check: tuple[torch.Tensor, torch.Tensor],
    samples: int = 2000,
    allowed: float = 0.001,
    say: Callable[[str], None] | None = None,
    **options,
) -> nn.Module:
    """Train a stochastic network, distilled from ``teacher``, and find its margin.

    Parameters
    ----------
    x, y
        Samples as the model takes them, and labels.
    check
        Samples and labels to report on.
    samples, allowed
        Training samples that the margin is calibrated with, and the share of them that may change.
    options
        As for :func:`~hwgen.zoo.training.fit`.
    """
    model = build()
    fit(model, x, y, teacher=teacher, **options)
    for layer in model:
        if isinstance(layer, q.StochasticLinear):
            layer.settle()
    trained, whole = q.accuracies(model, *check)
    margin = q.calibrate_margin(model, x[:samples], allowed=allowed)
    if say is not None:
        _, early = q.accuracies(model, *check)
        say(
            f"stationary mean {100 * trained:.2f} %, streams {100 * whole:.2f} %, decided at a lead of "
            f"{margin:.0f}: {100 * early:.2f} %"
        )
    return model
