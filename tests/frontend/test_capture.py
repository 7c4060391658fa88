"""Users' own modules: what is taken, and how the rest is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hwgen import nn as q
from hwgen.errors import HwgenError, InvalidInput, Unsupported
from hwgen.frontend.capture import capture
from hwgen.frontend.layout import to_graph_layout
from hwgen.frontend.module import lower
from hwgen.nn import integers


class Residual(nn.Module):
    """A user's class with a branch, functions and methods."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = q.InputQuantizer(8, scale=1 / 64)
        self.stem = nn.Sequential(q.Conv2d(3, 6, 3, padding=1), q.Activation())
        self.body = nn.ModuleDict({"conv": q.Conv2d(6, 6, 3, padding=1, groups=3)})
        self.add = q.Add()
        self.act = q.Activation(signed=True)
        self.head = q.Linear(6 * 2 * 3, 4)

    def forward(self, x):
        x = self.stem(self.pixels(x))
        x = self.act(self.add(x, self.body["conv"](x)))
        x = F.max_pool2d(x, 2)
        x = F.dropout(x, 0.3, training=self.training)
        x = F.relu(x)
        return self.head(x.view(x.size(0), -1))


def prepared(model: nn.Module, *shape: int) -> nn.Module:
    torch.manual_seed(0)
    with torch.no_grad():
        model.train()(torch.randn(20, *shape))
    return model.eval()


def check_equal(model: nn.Module, *shape: int) -> None:
    x = torch.randn(30, *shape, generator=torch.Generator().manual_seed(1))
    graph = lower(model, x)
    assert np.array_equal(integers(model(x)), graph.run(graph.quantize(to_graph_layout(x))))


def test_a_users_class_goes_through():
    model = prepared(Residual(), 3, 4, 6)
    check_equal(model, 3, 4, 6)
    names = [node.name for node in lower(model).nodes]
    assert names[:4] == ["x", "stem_0", "stem_1", "body_conv"]
    assert {node.layer for node in lower(model).nodes} >= {"stem.0", "body.conv", "head"}


@pytest.mark.parametrize(
    "flatten",
    [
        lambda x: torch.flatten(x, 1),
        lambda x: torch.flatten(x, start_dim=1),
        lambda x: x.flatten(1),
        lambda x: x.reshape(x.shape[0], -1),
        lambda x: torch.reshape(x, (x.size(0), -1)),
        lambda x: x.contiguous().view(x.size(0), -1),
    ],
)
def test_ways_to_flatten(flatten):
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.head = q.InputQuantizer(), q.Linear(24, 3)

        def forward(self, x):
            return self.head(flatten(self.enter(x)))

    check_equal(prepared(Model(), 2, 3, 4), 2, 3, 4)


def test_a_shared_layer_and_an_unused_one():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.fc = q.InputQuantizer(), q.Linear(5, 5)
            self.act, self.extra = q.Activation(), q.Linear(5, 2)

        def forward(self, x):
            x = self.act(self.fc(self.act(self.fc(self.enter(x)))))
            self.extra(x)
            return x

    model = prepared(Model(), 5)
    check_equal(model, 5)
    assert [n.name for n in lower(model).nodes] == ["x", "fc", "act", "fc_2", "act_2"]


def test_functions_and_layers_of_one_name_stay_apart():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.fc = q.InputQuantizer(), q.Linear(5, 5)
            self.relu, self.relu_2 = q.Activation(3, signed=True), q.Activation(2)

        def forward(self, x):
            return self.relu(F.relu(self.relu_2(F.relu(self.fc(self.enter(x))))))

    model = prepared(Model(), 5)
    check_equal(model, 5)
    kinds = [node.op.name for node in lower(model).nodes]
    assert kinds == ["input", "dense", "clip", "requantize", "clip", "requantize"]


def test_in_place_where_nothing_else_reads():
    model = nn.Sequential(
        q.InputQuantizer(),
        q.Linear(5, 4),
        nn.ReLU(inplace=True),
        nn.Dropout(inplace=True),
        q.Activation(),
    )
    check_equal(prepared(model, 5), 5)


def test_the_mode_of_the_model_is_kept():
    model = Residual()
    prepared(model, 3, 4, 6).train()
    model.stem.eval()
    capture(model)
    assert model.training
    assert model.head.training
    assert not model.stem.training


def test_layout():
    x = np.arange(24).reshape(1, 2, 3, 4)
    assert to_graph_layout(x).shape == (1, 3, 4, 2)
    assert to_graph_layout(x)[0, 2, 3, 1] == x[0, 1, 2, 3]
    assert to_graph_layout(torch.zeros(5, 3)).shape == (5, 3)
    assert to_graph_layout(torch.zeros(5, 7, 3)).shape == (5, 7, 3)
    with pytest.raises(InvalidInput, match="samples must be"):
        to_graph_layout(np.zeros((2, 3, 4, 5, 6)))


class Wrapped(nn.Module):
    """``function`` behind an input quantizer."""

    def __init__(self, function) -> None:
        super().__init__()
        self.enter, self.function = q.InputQuantizer(scale=1.0, shape=(2, 8, 8)), function
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.function(self.enter(x))


class Calls(nn.Module):
    """Calls ``layer`` in a way of its own."""

    def __init__(self, layer, way) -> None:
        super().__init__()
        self.layer, self.way = layer, way

    def forward(self, x):
        return self.way(self.layer, x)


class Odd(q.Linear):
    """A subclass that nobody registered."""


def hooked() -> nn.Module:
    layer = nn.Flatten()
    layer.register_forward_hook(lambda *_: None)
    return layer


def decorated() -> nn.Module:
    layer = nn.MaxPool2d(2)
    layer.flavour = "sour"
    return layer


def add_parameter(model: Wrapped) -> Wrapped:
    model.function = lambda x: F.relu(x + model.weight)
    return model


REFUSED = {
    "linear": Wrapped(nn.Sequential(nn.Flatten(), nn.Linear(128, 2))),
    "batch norm": Wrapped(nn.BatchNorm2d(2)),
    "lstm": Wrapped(nn.LSTM(8, 8)),
    "plus": Wrapped(lambda x: x + x),
    "times": Wrapped(lambda x: x * 2.0),
    "mean": Wrapped(lambda x: x.mean((2, 3))),
    "sigmoid": Wrapped(nn.Sigmoid()),
    "function pool": Wrapped(lambda x: F.avg_pool2d(x, 2)),
    "dilation": Wrapped(nn.MaxPool2d(2, dilation=2)),
    "ceil mode": Wrapped(nn.MaxPool2d(2, ceil_mode=True)),
    "indices": Wrapped(nn.MaxPool2d(2, return_indices=True)),
    "function ceil mode": Wrapped(lambda x: F.max_pool2d(x, 2, ceil_mode=True)),
    "flatten from 2": Wrapped(nn.Flatten(2)),
    "function flatten": Wrapped(torch.flatten),
    "view": Wrapped(lambda x: x.view(-1, 128)),
    "dropout in training": Wrapped(lambda x: F.dropout(x)),
    "hook": Wrapped(hooked()),
    "unknown attribute": Wrapped(decorated()),
    "subclass": Wrapped(nn.Sequential(nn.Flatten(), Odd(128, 2))),
    "control flow": Wrapped(lambda x: x if x.sum() > 0 else torch.relu(x)),
    "parameter": add_parameter(Wrapped(None)),
    "two outputs": Wrapped(lambda x: (x, x)),
    "one scale a channel": Wrapped(
        nn.Sequential(q.Conv2d(2, 3, 3, per_channel=True), nn.Flatten(), q.Linear(108, 2))
    ),
    "flattened argmax": Wrapped(nn.Sequential(nn.Flatten(), q.ArgMax())),
    "wrong size": Wrapped(nn.Sequential(nn.Flatten(), q.Linear(100, 2))),
    "kernel too large": Wrapped(q.Conv2d(2, 3, 9)),
    "no input quantizer": nn.Sequential(q.Linear(4, 2)),
    "second input quantizer": Wrapped(q.InputQuantizer(scale=1.0)),
    "shape unknown": nn.Sequential(q.InputQuantizer(scale=1.0), q.Linear(4, 2)),
    "not calibrated": Wrapped(q.Activation()),
    "a number to a layer": Wrapped(Calls(q.Add(scale=1.0), lambda f, x: f(x, 1.0))),
    "one input for two": Wrapped(Calls(q.Add(scale=1.0), lambda f, x: f(x))),
    "input by name": Wrapped(Calls(q.Add(scale=1.0), lambda f, x: f(x, b=x))),
    "in place": Wrapped(Calls(q.Add(scale=1.0), lambda f, x: f(F.relu(x, inplace=True), x))),
    "in place, a view": Wrapped(
        Calls(q.Add(scale=1.0), lambda f, x: f(F.relu(x.flatten(1), inplace=True), x.flatten(1)))
    ),
    "nothing": nn.Sequential(),
    "no module": "model.pt",
}


def test_messages(snapshot):
    lines = []
    for name, model in REFUSED.items():
        with pytest.raises((InvalidInput, HwgenError)) as caught:
            lower(model)
        message = str(caught.value)
        assert "\n" not in message
        lines.append(f"{name}: {type(caught.value).__name__}: {message}")
    snapshot.check("\n".join(lines) + "\n", "capture.txt")


def test_two_inputs_are_refused():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.add = q.InputQuantizer(scale=1.0, shape=(2,)), q.Add(scale=1.0)

        def forward(self, x, y):
            return self.add(self.enter(x), self.enter(y))

    with pytest.raises(Unsupported, match="model must have one input, found a second one, 'y'"):
        lower(Two())


def test_scripted_modules_are_refused():
    with pytest.raises(Unsupported, match="found a TorchScript module"):
        lower(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (q.Linear(3, 3), "model must begin with hwgen.nn.InputQuantizer, found Linear"),
        (nn.Linear(3, 3), "use hwgen.nn.Linear, or hwgen.quantize for a float model"),
        (nn.LSTM(3, 3), "layer '0' (LSTM): is not exact in integers; use hwgen.nn.LSTM"),
        (nn.Sequential(), "found no layer at all"),
    ],
)
def test_models_that_are_one_layer(model, message):
    with pytest.raises(Unsupported, match=re.escape(message)):
        lower(model)


def test_layers_may_be_called_as_methods_of_dictionaries():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.keys = q.InputQuantizer(4, 1.0, shape=(2,))
            self.values = q.Linear(2, 2, scale=1.0)
            with torch.no_grad():
                self.values.weight.fill_(1.0)

        def forward(self, x):
            return self.values(self.keys(x))

    assert [node.layer for node in lower(Model()).nodes] == ["keys", "values"]


@pytest.mark.parametrize("example", [5, [[1.0, 2.0]], (3, 2), torch.zeros(2)])
def test_examples_must_be_batches(example):
    with pytest.raises(InvalidInput, match="example must be a batch of samples"):
        lower(nn.Sequential(q.InputQuantizer(scale=1.0), nn.ReLU()), example)


def test_an_example_that_does_not_fit_is_forgotten():
    model = nn.Sequential(q.InputQuantizer(scale=1.0, shape=(2,)), q.Linear(2, 2, scale=0.01))
    with pytest.raises(InvalidInput, match="input must have 2 features"):
        lower(model, torch.zeros(1, 3))
    assert lower(model).input_type.shape == (2,)
