"""Random quantized networks: dense and convolutional, residual, with every layer of ``hwgen.nn``."""

from __future__ import annotations

import math
from functools import cache

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from hwgen import nn as q
from hwgen.errors import InvalidInput
from hwgen.frontend.module import lower
from hwgen.ir import Graph

__all__ = ["Residual", "drawn_graphs", "graph_of", "models"]


class Residual(nn.Module):
    """``add(left(x), right(x))``."""

    def __init__(self, left: nn.Module, right: nn.Module, add: nn.Module) -> None:
        super().__init__()
        self.left, self.right, self.add = left, right, add

    def forward(self, x):
        return self.add(self.left(x), self.right(x))


SCALES = st.sampled_from(["learned", "power_of_two"])


@st.composite
def weighted(draw, per_channel: bool = True) -> dict:
    """Options of a layer with weights; one scale for all outputs unless ``per_channel``."""
    code = draw(st.sampled_from(["uniform"] * 3 + ["binary", "ternary", "power_of_two", "basis"]))
    least, most = {"uniform": (2, 8), "power_of_two": (2, 4)}.get(code, (0, 0))
    return {
        "code": code,
        "bits": draw(st.integers(least, most)) if most else None,
        "bias": draw(st.booleans()),
        "per_channel": per_channel and code != "power_of_two" and draw(st.booleans()),
        "scale": draw(SCALES),
        "batch_norm": (per_channel or code == "uniform") and draw(st.booleans()),
    }


@st.composite
def activations(draw) -> nn.Module:
    kind = draw(st.sampled_from(["signed", "unsigned", "relu", "sigmoid", "tanh"]))
    if kind == "sigmoid":
        return q.Sigmoid(draw(st.integers(1, 8)), draw(st.integers(2, 6)))
    if kind == "tanh":
        return q.Tanh(draw(st.integers(2, 8)), draw(st.integers(2, 6)))
    # Two bits or more, signed sooner than not: so that not all of the network is zero.
    bits, scale = draw(st.integers(2, 8)), draw(SCALES)
    signed = q.Activation(bits, True, scale)
    if kind == "relu":
        return nn.Sequential(draw(st.sampled_from([nn.ReLU, q.ReLU]))(), signed)
    return signed if kind == "signed" else q.Activation(bits, False, scale)


@st.composite
def linears(
    draw, inputs: int, outputs: int, per_channel: bool = True, image: tuple | None = None
) -> nn.Module:
    return q.Linear(inputs, outputs, image=image, **draw(weighted(per_channel)))


@st.composite
def heads(draw, inputs: int, image: tuple | None = None) -> list[nn.Module]:
    """The last dense layer, sometimes with more behind it."""
    outputs = draw(st.integers(1, 6))
    end = draw(st.sampled_from(["plain", "argmax", "activation"]))
    linear = draw(linears(inputs, outputs, end != "argmax", image))
    more = {"plain": [], "argmax": [q.ArgMax()], "activation": []}[end]
    return [linear, *more, *([draw(activations())] if end == "activation" else [])]


@st.composite
def dense_models(draw) -> nn.Sequential:
    width = draw(st.integers(1, 10))
    layers = [draw(entrances((width,)))]
    for _ in range(draw(st.integers(0, 2))):
        outputs = draw(st.integers(1, 8))
        layer = draw(linears(width, outputs))
        if draw(st.integers(0, 2)) == 0:
            other = draw(linears(width, outputs))
            layer = Residual(layer, other, q.Add(draw(st.integers(2, 8)), scale=draw(SCALES)))
        layers += [layer, draw(activations())]
        width = outputs
    return nn.Sequential(*layers, *draw(heads(width)))


@st.composite
def convs(draw, channels: int, outputs: int, keep: bool = False) -> nn.Module:
    """A convolution; one that keeps the image's size if ``keep``."""
    kernel = draw(st.sampled_from([1, 3])) if keep else draw(st.integers(1, 3))
    padding = kernel // 2 if keep else draw(st.integers(0, kernel - 1))
    stride = 1 if keep else draw(st.integers(1, 2))
    groups = draw(st.sampled_from([g for g in (1, channels) if outputs % g == 0]))
    return q.Conv2d(channels, outputs, kernel, stride, padding, groups, **draw(weighted()))


@st.composite
def pools(draw) -> nn.Module:
    kernel, stride = draw(st.integers(2, 3)), draw(st.integers(1, 2))
    padding = draw(st.integers(0, kernel // 2))
    kind = draw(st.sampled_from([nn.MaxPool2d, q.MaxPool2d, q.AvgPool2d]))
    return kind(kernel, stride, padding)


@st.composite
def conv_models(draw) -> nn.Sequential:
    channels = draw(st.integers(1, 3))
    height, width = draw(st.integers(2, 6)), draw(st.integers(2, 6))
    layers = [draw(entrances((channels, height, width)))]
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        outputs = channels * draw(st.integers(1, 2))
        kind = draw(st.sampled_from(["conv", "residual", "skip", "pool", "pool"]))
        if kind == "pool":
            layer, outputs = draw(pools()), channels
        elif kind == "conv":
            layer = draw(convs(channels, outputs))
        else:
            left = draw(convs(channels, channels if kind == "skip" else outputs, keep=True))
            right = nn.Identity() if kind == "skip" else draw(convs(channels, outputs, keep=True))
            outputs = channels if kind == "skip" else outputs
            layer = Residual(left, right, q.Add(draw(st.integers(2, 8)), scale=draw(SCALES)))
        size = _size([*layers, layer])
        if size is None:  # the window no longer fits
            break
        layers += [layer, draw(activations())]
        channels = outputs
    end = draw(st.sampled_from(["image", "global", "flatten"]))
    if end == "global":
        layers += [q.GlobalAvgPool2d(), draw(activations())]
    if end != "image":
        image = _size(layers)
        layers.append(draw(st.sampled_from([nn.Flatten, q.Flatten]))())
        layers += draw(heads(math.prod(image), image))
    return nn.Sequential(*layers)


def _size(layers: list[nn.Module]) -> tuple[int, ...] | None:
    """Shape of a sample behind the layers, None if they do not fit."""
    x = torch.zeros(2, *layers[0].shape)
    try:
        with torch.no_grad():
            for layer in layers[1:]:
                x = _shape_only(layer, x)
    except RuntimeError:
        return None
    return tuple(x.shape[1:])


def _shape_only(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    if isinstance(layer, Residual):
        return _shape_only(layer.left, x)
    if isinstance(layer, q.Conv2d | q.Linear):
        return layer.product(x, layer.weight)
    if isinstance(layer, nn.Sequential | q.Activation | q.Sigmoid | q.Tanh):
        return x
    return layer(x) if not isinstance(layer, q.Layer) else layer.train_forward(x)


@st.composite
def entrances(draw, shape: tuple[int, ...]) -> nn.Module:
    signed = draw(st.booleans())
    scale = draw(st.sampled_from([0.25, 0.1, 1.0]))
    return q.InputQuantizer(draw(st.integers(1 + signed, 8)), scale, signed, shape)


@st.composite
def models(draw) -> tuple[nn.Sequential, torch.Tensor]:
    """A model in eval mode, scales and statistics set, and real samples for it."""
    seed = draw(st.integers(0, 2**31))
    torch.manual_seed(seed)
    model = draw(st.one_of(dense_models(), conv_models()))
    real = torch.randn(16, *model[0].shape)
    model.train()
    model(real)
    model.eval()
    return model, real


def graph_of(model: nn.Sequential, real: torch.Tensor) -> Graph:
    try:
        return lower(model, real, name="net")
    except InvalidInput as error:
        # Batch norm of a constant: its deviation is none, and no multiplier is as large.
        assert "rescaling factors must lie" in str(error), error
        hypothesis.reject()


@cache
def drawn_graphs(count: int, seed: int, drawing=models) -> tuple[Graph, ...]:
    """``count`` different graphs, others for every ``seed``, the same ones on every machine.

    ``drawing`` is the strategy that draws models and samples.
    """
    found: dict[str, Graph] = {}

    @hypothesis.seed(seed)
    @settings(
        max_examples=2 * count,
        derandomize=False,  # the seed says which
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawing())
    def collect(drawn) -> None:
        graph = graph_of(*drawn)
        found.setdefault(graph.hash, graph)

    collect()
    # Hypothesis draws the simplest ones first.
    rest = list(found.values())
    return tuple(rest[-count:])
