"""Random models of ``hwgen.nn``, with the shapes and statistics that training could give them."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import nn

from hwgen import nn as q

__all__ = ["models", "samples"]


class Residual(nn.Module):
    """``add(x, branch(x))``."""

    def __init__(self, branch: nn.Module, add: nn.Module) -> None:
        super().__init__()
        self.branch, self.add = branch, add

    def forward(self, x):
        return self.add(x, self.branch(x))


class _Drawn:
    """A model under construction and the shape that it has reached."""

    def __init__(self, draw) -> None:
        self.draw = draw
        self.scale = draw(st.sampled_from(["learned", "power_of_two"]))
        self.layers: list[nn.Module] = []
        self.shape: tuple[int, ...] = ()
        self.moved_by_flatten = False  # a vector whose order differs in the graph
        self.image: tuple[int, ...] | None = None  # what it was flattened from, then
        self.wide = False  # an accumulator, perhaps with one scale a channel

    def integer(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def one_of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def weighted(self) -> dict:
        code = self.one_of(
            *("uniform", "uniform", "uniform", "binary", "ternary", "power_of_two", "basis")
        )
        own = {
            "uniform": lambda: {"bits": self.integer(1, 8)},
            "binary": lambda: {"stochastic": self.draw(st.booleans())},
            "ternary": lambda: {"stochastic": self.draw(st.booleans())},
            "power_of_two": lambda: {"bits": self.integer(2, 4), "tau": self.one_of(0.0, 0.5)},
            "basis": lambda: {"run": self.integer(1, 4), "group": self.integer(1, 4)},
        }[code]()
        return {
            "code": code,
            "scale": self.scale,
            "per_channel": code != "power_of_two" and self.draw(st.booleans()),
            "batch_norm": self.draw(st.booleans()),
            "bias": self.draw(st.booleans()),
            **own,
        }

    def activation(self) -> nn.Module:
        kind = self.integer(0, 9)
        if kind == 0:
            return q.Tanh(self.integer(2, 8), self.integer(2, 8), self.scale)
        if kind == 1:
            return q.Sigmoid(self.integer(1, 8), self.integer(2, 8), self.scale)
        signed = self.draw(st.booleans())
        limit = self.one_of(None, None, 1.0, 6.0)
        return q.Activation(self.integer(1 + signed, 8), signed, self.scale, limit)

    def narrow(self) -> None:
        if self.wide:
            if self.integer(0, 3) == 0:
                self.layers.append(nn.ReLU())
            self.layers.append(self.activation())
        self.wide = False

    def window(self, most: int) -> tuple[tuple[int, int], tuple[int, int]]:
        _, height, width = self.shape
        kernel = self.integer(1, min(most, height)), self.integer(1, min(most, width))
        return kernel, (self.integer(1, 3), self.integer(1, 3))

    def moved(self, kernel, stride, padding) -> tuple[int, int]:
        sizes = zip(self.shape[1:], kernel, stride, padding, strict=True)
        return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in sizes)

    def convolution(self) -> None:
        self.narrow()
        channels = self.shape[0]
        groups = self.one_of(1, 1, channels)
        outputs = groups * self.integer(1, 3)
        kernel, stride = self.window(3)
        padding = tuple(self.integer(0, k - 1) for k in kernel)
        convolution = q.Conv2d(
            channels, outputs, kernel, stride, padding, groups, **self.weighted()
        )
        self.layers.append(convolution)
        self.shape = (outputs, *self.moved(kernel, stride, padding))
        self.wide = True

    def pooling(self) -> None:
        kernel, stride = self.window(3)
        padding = tuple(self.integer(0, k // 2) for k in kernel)
        kind = self.integer(0, 3)
        if kind == 0:
            self.layers.append(q.AvgPool2d(kernel, stride, padding))
            self.wide = True
        elif kind == 1:
            self.layers.append(q.MaxPool2d(kernel, stride, padding))
        elif kind == 2:
            self.layers.append(nn.MaxPool2d(kernel, stride, padding))
        else:
            kernel, stride, padding = self.shape[1:], (1, 1), (0, 0)
            self.layers.append(q.GlobalAvgPool2d())
            self.wide = True
        self.shape = (self.shape[0], *self.moved(kernel, stride, padding))

    def residual(self) -> None:
        if self.moved_by_flatten:
            return
        self.narrow()
        channels = self.shape[0]
        if len(self.shape) == 3:
            inner = [q.Conv2d(channels, channels, 3, 1, 1, **self.weighted())]
        else:
            inner = [q.Linear(channels, channels, **self.weighted())]
        if self.draw(st.booleans()):
            inner.append(self.activation())
        signed = self.draw(st.booleans())
        add = q.Add(self.integer(1 + signed, 8), signed, self.scale)
        self.layers.append(Residual(nn.Sequential(*inner), add))
        self.wide = True

    def flatten(self) -> None:
        self.narrow()
        self.layers.append(self.one_of(nn.Flatten(), q.Flatten()))
        channels, height, width = self.shape
        self.shape = (channels * height * width,)
        self.moved_by_flatten = channels > 1 and height * width > 1
        self.image = (channels, height, width) if self.moved_by_flatten else None

    def linear(self) -> None:
        self.narrow()
        outputs = self.integer(1, 9)
        self.layers.append(q.Linear(self.shape[0], outputs, image=self.image, **self.weighted()))
        self.shape, self.image = (outputs,), None
        self.wide, self.moved_by_flatten = True, False

    def model(self) -> nn.Sequential:
        image = self.draw(st.booleans())
        self.shape = (
            (self.integer(1, 3), self.integer(1, 7), self.integer(1, 7))
            if image
            else (self.integer(1, 12),)
        )
        signed = self.draw(st.booleans())
        scale = self.one_of(self.scale, 0.25)
        bits = self.integer(1 + signed, 8)
        self.layers.append(q.InputQuantizer(bits, scale, signed, self.shape))
        for _ in range(self.integer(0, 4) if image else 0):
            self.one_of(self.convolution, self.convolution, self.pooling, self.residual)()
        if image and self.draw(st.booleans()):
            self.flatten()
        if len(self.shape) == 1:
            for _ in range(self.integer(0, 3)):
                self.one_of(self.linear, self.linear, self.residual)()
        if self.draw(st.booleans()):
            self.narrow()
        self.layers.insert(
            self.integer(1, len(self.layers)), self.one_of(nn.Identity(), nn.Dropout())
        )
        return nn.Sequential(*self.layers)


@st.composite
def models(draw) -> nn.Sequential:
    """A model in eval mode, with random weights, statistics and scales; its first layer knows the
    shape of a sample."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw(st.integers(0, 2**31)))
        model = _Drawn(draw).model()
        for layer in model.modules():
            if getattr(layer, "norm", None) is not None:
                nn.init.normal_(layer.norm.weight)
                nn.init.normal_(layer.norm.bias)
            if getattr(layer, "bias", None) is not None and isinstance(layer.bias, nn.Parameter):
                nn.init.normal_(layer.bias, std=draw(st.sampled_from([0.1, 3.0])))
        with torch.no_grad():
            model.train()(samples(model, 16))
        for layer in model.modules():
            if getattr(layer, "norm", None) is not None:
                nn.init.normal_(layer.norm.running_mean)
                nn.init.uniform_(layer.norm.running_var, 0.1, 4.0)
    return model.eval()


def samples(model: nn.Sequential, count: int, seed: int = 0) -> torch.Tensor:
    """Real inputs, within the input quantizer's range and beyond."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, *model[0].shape, generator=generator)
    size = torch.randint(-3, 4, (count, *[1] * len(model[0].shape)), generator=generator)
    return x * 2.0**size
