"""Batch norm statistics of the deployed weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwgen import nn as q
from hwgen.errors import InvalidInput
from hwgen.frontend.module import lower
from hwgen.nn import QTensor


def network(code: str, **options) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        q.InputQuantizer(6, scale=1 / 16, signed=False, shape=(2, 6, 6)),
        q.Conv2d(2, 6, 3, code=code, batch_norm=True, **options),
        q.Activation(6),
        q.Flatten(),
        nn.Dropout(0.05),
        q.Linear(96, 12, code=code, batch_norm=True, bias=False, image=(6, 4, 4), **options),
        q.Activation(6),
        q.Linear(12, 3),
    )


@pytest.mark.parametrize("code", ["uniform", "binary", "ternary", "power_of_two", "basis"])
def test_deployed_results_have_the_batch_norms_own_moments(code):
    """Mean beta and deviation gamma behind every recalibrated layer, over the whole set."""
    model, x = network(code), torch.rand(300, 2, 6, 6)
    for _ in range(30):
        model.train()(x[:100])
    with torch.no_grad():
        for at in (1, 5):
            norm = model[at].norm
            norm.running_mean.add_(0.5)
            if code != "uniform":  # whose scale was learned for these factors
                norm.bias.normal_()
                norm.running_var.mul_(3)
                norm.weight.uniform_(0.5, 2.0).mul_(torch.randn(len(norm.weight)).sign())
    report = q.recalibrate(model, x, batch=70)
    assert (report.layers, report.samples, report.after) == (2, 300, None)
    seen = {}
    for at in (1, 5):
        model[at].register_forward_hook(lambda _, __, y, at=at: seen.update({at: y}))
    model(x)
    for at, y in seen.items():
        norm, half = model[at].norm, y.scale / 2  # the bias is rounded to the accumulator's steps
        y = y.plain().transpose(0, 1).flatten(1)
        rounding = 0.05 if code == "uniform" else 1e-3  # folded weights are rounded anew
        assert ((y.mean(1) - norm.bias).abs() <= half + rounding).all()
        assert torch.allclose(y.std(1), norm.weight.double().abs(), rtol=2 * rounding)


def test_accuracies_are_those_of_the_forms():
    model, x = network("ternary", stochastic=True), torch.rand(200, 2, 6, 6)
    model.train()(x)
    y = model.eval()(x).plain().argmax(1)
    wrong = (y + 1) % 3
    labels = torch.where(torch.arange(200) < 150, y, wrong)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    report = q.recalibrate(model, x, labels)
    assert report.before == 0.75
    assert report.after == float((model(x).plain().argmax(1) == labels).double().mean())
    assert report.as_trained is not None
    changed = {n for n, v in model.state_dict().items() if not torch.equal(v, state[n])}
    assert changed == {f"{at}.norm.running_{what}" for at in (1, 5) for what in ("mean", "var")}
    assert not model.training
    assert not any(layer.training for layer in model.modules())
    assert not model[1].statistics_frozen
    assert str(report).startswith("batch norm of 2 layers recalibrated on 200 samples: ")
    assert "deployed 75.00 % before" in str(report)
    graph = lower(model, x)
    assert np.array_equal(
        q.integers(model(x)), graph.run(graph.quantize(x.permute(0, 2, 3, 1).numpy()))
    )


def test_as_trained_draws_weights():
    """The accuracy as trained is that of weights drawn at random, with running statistics."""
    torch.manual_seed(0)
    model = nn.Sequential(
        q.InputQuantizer(4, scale=1.0, shape=(8,)),
        q.Linear(8, 2, code="binary", stochastic=True, scale=1.0, batch_norm=True),
    )
    with torch.no_grad():
        model[1].weight.fill_(0.01)  # deployed all +1, drawn nearly a coin
        model[1].weight[1].fill_(-0.01)
        model[1].bias.zero_()
    x = torch.randint(1, 7, (400, 8)).float()
    labels = torch.zeros(400, dtype=torch.int64)
    report = q.recalibrate(model, x, labels)
    assert report.before == 1.0
    assert report.as_trained < 1.0


@pytest.mark.parametrize("kind", [q.LSTM, q.GRU])
def test_statistics_of_recurrent_layers_are_those_of_the_deployed_products(kind):
    """Of the states and weights of the graph, step by step, over the whole set."""
    torch.manual_seed(1)
    model = nn.Sequential(
        q.InputQuantizer(5, scale=1 / 16, shape=(5, 3)),
        kind(3, 16, stochastic=True, norm="bn_time", steps=5),
        q.Linear(16, 2),
    )
    layer, x = model[1], torch.randn(200, 5, 3)
    nn.init.constant_(layer.gain_hidden, 0.7)
    report = q.recalibrate(model, x, torch.zeros(200, dtype=torch.int64), batch=70)
    assert (report.layers, report.samples) == (1, 200)
    assert report.as_trained is not None
    graph = lower(model, x)
    op, whole = graph.nodes[1].op, graph.quantize(x.numpy())
    a = op.states(whole)[:, :-1] / 128 @ op.recurrent_weights.decode().T
    b = whole / 16 @ op.input_weights.decode().T
    found = layer.statistics
    assert np.allclose(found.input_mean.numpy(), b.mean(0), atol=1e-5)
    assert np.allclose(found.input_var.numpy(), b.var(0), atol=1e-5)
    # Gains of earlier steps are rounded anew once those of later ones are known.
    assert np.allclose(found.recurrent_mean[1:].numpy(), a.mean(0), atol=0.02)
    assert np.allclose(found.recurrent_var[1:].numpy(), a.var(0), rtol=0.1, atol=0.005)
    assert a.var(0).mean() > 0.05


def test_shared_statistics_stay_as_they_were_trained_with():
    model = nn.Sequential(
        q.InputQuantizer(5, scale=1 / 16, shape=(5, 3)), q.GRU(3, 4, norm="bn_shared")
    )
    model[1].freeze_statistics()
    model.train()(torch.randn(8, 5, 3))
    before = model[1].statistics.input_var.clone()
    assert q.recalibrate(model, torch.randn(8, 5, 3)).layers == 0
    assert torch.equal(model[1].statistics.input_var, before)


def test_what_cannot_be_recalibrated():
    model = network("ternary")
    with pytest.raises(InvalidInput, match="inputs must hold a sample to recalibrate on"):
        q.recalibrate(model, torch.rand(0, 2, 6, 6))
    with pytest.raises(InvalidInput, match="a label a sample, found 3 for 4 samples"):
        q.recalibrate(model, torch.rand(4, 2, 6, 6), torch.zeros(3))


def test_a_model_without_batch_norm_stays_as_it_is():
    model = nn.Sequential(q.InputQuantizer(4, scale=1.0, shape=(8,)), q.Linear(8, 2))
    model.eval()(torch.ones(1, 8))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = q.recalibrate(model, torch.ones(5, 8), torch.zeros(5))
    assert report.layers == 0
    assert report.before == report.after
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


@pytest.mark.slow
def test_binary_weights_gain_two_points():
    """Trained with weights that are drawn, deployed with their signs: digits, 64-128-128-10."""
    pytest.importorskip("sklearn")
    from hwgen.zoo import data
    from hwgen.zoo.training import fit

    images, labels = data.digits_train()
    x = torch.as_tensor(data.to_real(images, "digits"), dtype=torch.float32).flatten(1)
    y = torch.as_tensor(labels)
    held_out, held_labels = data.digits_test()
    check = (
        torch.as_tensor(data.to_real(held_out, "digits"), dtype=torch.float32).flatten(1),
        torch.as_tensor(held_labels),
    )
    torch.manual_seed(0)
    options = {"code": "binary", "stochastic": True}
    model = nn.Sequential(
        q.InputQuantizer(5, scale=1 / 16, signed=False, shape=(64,)),
        q.Linear(64, 128, batch_norm=True, **options),
        q.Activation(8),
        q.Linear(128, 128, batch_norm=True, **options),
        q.Activation(8),
        q.Linear(128, 10, **options),
    )
    fit(model, x, y, epochs=30, rate=2e-2, batch=128, decay=0.0, frozen_part=0.0)
    report = q.recalibrate(model, x, check=check)
    print(report)
    assert report.after >= report.before + 0.02
    assert report.after >= 0.93


def test_quantized_tensors_are_not_needed_afterwards():
    """Hooks are gone: the model runs as before."""
    model, x = network("power_of_two"), torch.rand(20, 2, 6, 6)
    model.train()(x)
    q.recalibrate(model, x)
    assert isinstance(model(x), QTensor)
    assert not any(layer._forward_pre_hooks for layer in model.modules())
