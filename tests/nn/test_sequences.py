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
from hwgen.frontend.evaluate import evaluate
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


# ---- Sequences whose first axis is time ---------------------------------------------------------


def sequence_first_pair(shape=None) -> tuple[nn.Sequential, nn.Sequential, torch.Tensor]:
    """Two models of the same weights, of which the second takes (steps, batch, features)."""
    models = []
    for sequence_first in (False, True):
        torch.manual_seed(5)
        entrance = q.InputQuantizer(5, 1 / 16, shape=shape, sequence_first=sequence_first)
        norm = q.Linear(4, 2, batch_norm=True)
        models.append(nn.Sequential(entrance, q.LSTM(FEATURES, 4, every_step=True), norm))
    return *models, torch.randn(20, STEPS, FEATURES)


def test_the_first_axis_may_be_time(tmp_path):
    one, two, x = sequence_first_pair()
    turned = x.transpose(0, 1)
    assert torch.equal(one.train()(x), two.train()(turned))
    one.eval(), two.eval()
    want = integers(one(x))
    assert want.shape == (20, STEPS, 2)
    assert np.array_equal(integers(two(turned)), want)
    assert lower(two, turned).hash == lower(one, x).hash
    path = checkpoint.save(two, tmp_path / "m.pt")
    network = checkpoint.load_network(path)
    assert network.entrance.sequence_first
    assert network.input_shape == (STEPS, FEATURES)
    assert np.array_equal(integers(network(turned)), want)
    graph = checkpoint.load(path)
    ints = graph.quantize(x.numpy())
    assert np.array_equal(graph.run(ints), want)
    for source in (path, two):
        assert np.array_equal(evaluate(source, graph, ints), want)


def test_recalibration_takes_samples_as_the_model_does():
    one, two, x = sequence_first_pair()
    one.train()(x), two.train()(x.transpose(0, 1))
    labels = torch.randint(2, (20, STEPS))
    turned = x.transpose(0, 1)
    first = q.recalibrate(one, x, labels, check=(x[:9], labels[:9]), batch=7)
    second = q.recalibrate(two, turned, labels, check=(turned[:, :9], labels[:9]), batch=7)
    assert first == second
    assert torch.equal(one[2].norm.running_mean, two[2].norm.running_mean)
    assert len(set(one[2].norm.running_var.tolist())) == 2


@pytest.mark.parametrize("shape", [(5,), (2, 4, 3)])
def test_only_sequences_can_come_first(shape):
    with pytest.raises(InvalidInput, match=r"sequence_first must be False unless .* found \("):
        q.InputQuantizer(shape=shape, sequence_first=True)
    _, model, _ = sequence_first_pair()
    says = r"layer '0' \(InputQuantizer\): input must be sequences \(steps, batch, features\)"
    with pytest.raises(InvalidInput, match=says):
        lower(model, torch.zeros(2, *shape))
    model[0].path = "0"
    with pytest.raises(InvalidInput, match=says):
        model.train()(torch.zeros(2, *shape))
    with pytest.raises(InvalidInput, match="sequence_first must be False unless"):
        checkpoint.save(model, "never.pt", example_shape=shape)


def test_other_samples_than_declared_are_refused():
    _, model, x = sequence_first_pair(shape=(STEPS, FEATURES))
    with pytest.raises(InvalidInput, match=r"shape \(6, 3\), found \(20, 3\)"):
        model.train()(x)


def test_the_order_of_a_layer_is_fixed():
    with pytest.raises(Unsupported, match=r"batch_first .*InputQuantizer\(sequence_first=True\)"):
        q.GRU(3, 4, batch_first=False)
