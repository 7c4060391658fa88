"""Layers behind recurrent ones, step by step: exact results, and what is refused."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from hwgen import nn as q
from hwgen.errors import HwgenError, InvalidInput, Unsupported
from hwgen.frontend import checkpoint
from hwgen.frontend.module import lower
from hwgen.nn import integers

STEPS, FEATURES = 6, 3


def network(*layers: nn.Module) -> tuple[nn.Sequential, torch.Tensor]:
    """A model of these layers in eval mode, its scales set, and samples."""
    torch.manual_seed(len(layers))
    x = torch.randn(40, STEPS, FEATURES)
    entrance = q.InputQuantizer(5, scale=1 / 16, shape=(STEPS, FEATURES))
    model = nn.Sequential(entrance, *layers)
    model.train()(x)
    return model.eval(), x


def checked(model: nn.Sequential, x: torch.Tensor) -> np.ndarray:
    """What the model gives in eval mode, which its graph gives as well."""
    graph = lower(model, x)
    want = graph.run(graph.quantize(x.numpy()))
    assert np.array_equal(integers(model(x)), want)
    assert len(np.unique(want)) > 1
    return want


@pytest.mark.filterwarnings("ignore::hwgen.nn.masked.UnreadInputs")
def test_dense_layers_of_every_step(tmp_path):
    model, x = network(
        q.LSTM(FEATURES, 8, every_step=True),
        q.Linear(8, 5, per_channel=True, batch_norm=True),
        q.Activation(5, signed=True),
        q.SparseLinear(5, 4, sparsity="2:5", code="ternary", batch_norm=True),
        q.Sigmoid(),
        q.Linear(4, 3, per_channel=False),
        nn.ReLU(),
    )
    want = checked(model, x)
    assert want.shape == (40, STEPS, 3)
    checkpoint.save(model, tmp_path / "m.pt")
    graph = checkpoint.load(tmp_path / "m.pt")
    assert np.array_equal(graph.run(graph.quantize(x.numpy())), want)


@pytest.mark.parametrize("code", ["uniform", "ternary"])
def test_steps_are_trained_as_samples_are(code):
    torch.manual_seed(1)
    layer = q.Linear(4, 5, code=code, batch_norm=True, per_channel=True)
    x, again = torch.randn(10, 7, 4), deepcopy(layer)
    y = layer.train()(x)
    assert torch.allclose(again.train()(x.flatten(0, 1)).reshape(10, 7, 5), y)
    assert torch.allclose(again.norm.running_var, layer.norm.running_var)
    assert not torch.allclose(layer.norm.running_mean, torch.zeros(5))


@pytest.mark.parametrize("code", ["uniform", "binary"])
def test_batch_norm_of_steps_is_folded(code):
    """The deployed layer differs from training with frozen statistics by roundings only."""
    layers = (q.LSTM(FEATURES, 8, every_step=True), q.Linear(8, 5, code=code, batch_norm=True))
    model, x = network(*layers)
    for _ in range(100):
        model.train()(x)
    model[2].freeze_statistics()
    with torch.no_grad():
        real = model.train()(x)
    deployed = model.eval()(x).plain()
    assert float((real - deployed).abs().mean()) < 0.05
    assert float(real.abs().mean()) > 0.3
    assert checked(model, x).shape == (40, STEPS, 5)


def test_statistics_are_collected_over_all_steps():
    layers = (q.LSTM(FEATURES, 8, every_step=True), q.Linear(8, 2, batch_norm=True))
    model, x = network(*layers)
    labels = torch.randint(2, (40, STEPS))
    report = q.recalibrate(model, x, labels, batch=16)
    assert report.layers == 1
    y = model(x).plain().flatten(0, 1)
    assert torch.allclose(y.mean(0), model[2].norm.bias.double(), atol=0.02)
    assert torch.allclose(y.std(0), model[2].norm.weight.double(), atol=0.05)
    right = model(x).plain().argmax(2) == labels
    assert report.after == pytest.approx(float(right.double().mean()))


def test_a_class_of_every_step():
    model, x = network(q.GRU(FEATURES, 8, every_step=True), q.Linear(8, 4), q.ArgMax())
    assert checked(model, x).shape == (40, STEPS, 1)


@pytest.mark.parametrize("flatten", [q.Flatten, nn.Flatten])
def test_sequences_are_flattened(flatten):
    model, x = network(
        q.LSTM(FEATURES, 4, every_step=True), flatten(), q.Linear(4 * STEPS, 3), q.ArgMax()
    )
    assert checked(model, x).shape == (40, 1)


def test_sums_of_every_step():
    class Residual(nn.Sequential):
        def forward(self, x):
            entrance, cell, left, right, add = self
            x = cell(entrance(x))
            return add(left(x), right(x))

    torch.manual_seed(0)
    model = Residual(
        q.InputQuantizer(5, scale=1 / 16, shape=(STEPS, FEATURES)),
        q.GRU(FEATURES, 6, every_step=True),
        q.Linear(6, 4, per_channel=True),
        q.Linear(6, 4, code="ternary"),
        q.Add(6),
    )
    x = torch.randn(40, STEPS, FEATURES)
    model.train()(x)
    assert checked(model.eval(), x).shape == (40, STEPS, 4)


def test_what_does_not_fit_is_named():
    cell = q.LSTM(FEATURES, 4, every_step=True)
    with pytest.raises(InvalidInput, match=r"input must have 5 features, found shape \(6, 4\)"):
        network(cell, q.Linear(5, 2))
    model, x = network(cell, q.Linear(4, 3, per_channel=True), q.Flatten())
    for call in (lambda: model(x), lambda: lower(model, x)):
        with pytest.raises(Unsupported, match="must not follow values that have one scale a chan"):
            integers(call())
    model, x = network(cell, q.MaxPool2d(2))
    with pytest.raises(HwgenError, match=r"input must be \(height, width, channels\)"):
        lower(model, x)
