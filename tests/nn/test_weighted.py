"""Deployed integers of layers with weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwgen import nn as q
from hwgen.errors import InvalidInput, Unsupported
from hwgen.nn import QTensor


def layer(**options) -> q.Linear:
    torch.manual_seed(0)
    return q.Linear(6, 4, **options)


def test_weights_are_the_nearest_integers():
    linear = layer(bits=4, scale=0.05)
    parts = linear.deployed(0.5)
    wanted = np.clip(np.rint(linear.weight.detach().double().numpy() / 0.05), -7, 7)
    assert np.array_equal(parts.weights, wanted)
    assert np.array_equal(parts.bias, np.rint(linear.bias.detach().double().numpy() / 0.025))
    assert float(parts.scale) == 0.025


@pytest.mark.parametrize("bits", range(2, 9))
def test_range_is_symmetric(bits):
    linear = layer(bits=bits, scale=1e-6)
    weights = linear.deployed(1.0).weights
    assert set(np.abs(weights).reshape(-1)) == {2 ** (bits - 1) - 1}
    assert linear.deployed(1.0).code.name == "uniform"


def test_one_bit_is_the_sign():
    linear = layer(bits=1, per_channel=True)
    real = torch.randn(4, 6)
    linear.start_from(real)
    parts = linear.deployed(1.0)
    assert np.array_equal(parts.weights, np.where(real.numpy() >= 0, 1, -1))
    assert parts.code.name == "binary"
    assert parts.scale == pytest.approx(real.abs().mean(1).numpy(), rel=1e-6)


def test_per_channel_scales_do_not_lose_small_channels():
    linear = layer(bits=8, per_channel=True)
    with torch.no_grad():
        linear.weight[1] *= 0.02
    weights = linear.deployed(1.0).weights
    assert np.all(np.abs(weights).max(axis=1) > 60)


def test_batch_norm_is_folded_before_quantization():
    linear = layer(bits=8, per_channel=True, batch_norm=True)
    norm = linear.norm
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2.0)
        norm.bias.normal_()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    linear.eval()
    x = torch.randint(-100, 100, (50, 6))
    y = linear(QTensor.of(x, 0.01)).plain()
    plain = nn.functional.linear(x.double() * 0.01, linear.weight.double(), linear.bias.double())
    wanted = norm.double().eval()(plain)
    assert float((y - wanted).abs().max()) < 0.02 * float(wanted.abs().max())


@pytest.mark.parametrize("frozen", [False, True])
def test_training_forward_normalizes(frozen):
    linear = layer(bits=8, batch_norm=True)
    x = torch.randn(500, 6)
    linear.train()(x)
    for _ in range(60):
        linear(x)
    linear.freeze_statistics(frozen)
    y = linear(x)
    assert torch.allclose(y.mean(0), torch.zeros(4), atol=0.05)
    assert torch.allclose(y.var(0), torch.ones(4), atol=0.1)


def test_training_simulates_deployment():
    """With frozen statistics, fake quantization differs from the integers by rounding only."""
    torch.manual_seed(0)
    model = nn.Sequential(
        q.InputQuantizer(8),
        q.Conv2d(2, 5, 3, padding=1, per_channel=True, batch_norm=True),
        q.Activation(8),
        q.MaxPool2d(2),
        q.Conv2d(5, 7, 3, groups=1),
        q.Activation(8, signed=True),
        q.AvgPool2d(2),
        q.Tanh(),
        q.Flatten(),
        q.Linear(7, 3),
    )
    x = torch.randn(200, 2, 8, 8)
    model.train()(x)
    model[1].freeze_statistics()
    with torch.no_grad():
        simulated = model(x).double()
        deployed = model.eval()(x).plain()
    noise = (simulated - deployed).pow(2).mean() / simulated.var()
    assert float(noise) < 1e-3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.weight.fill_(0), "weight must not be all zero"),
        (lambda m: m.weight[0, 0].fill_(torch.nan), "weight must be finite, found NaN"),
        (lambda m: m.bias[0].fill_(torch.inf), "bias must be finite, found NaN or infinity"),
        (lambda m: m.norm.running_var.fill_(torch.nan), r"norm\.running_var must be finite"),
        (lambda m: m.bias.fill_(1e12), r"bias must stay below 2\^31 accumulator steps"),
        (lambda m: m._scale.set(1e9), "all of it rounds to zero"),
    ],
)
def test_impossible_tensors_are_refused(change, says):
    linear = layer(batch_norm=True)
    linear.path = "body.fc1"
    with torch.no_grad():
        change(linear)
    with pytest.raises(InvalidInput, match=says) as caught:
        linear.eval()(QTensor.of(torch.ones(1, 6), 1.0))
    assert str(caught.value).startswith("layer 'body.fc1' (Linear): ")


def test_scale_by_channel_is_refused_as_input():
    with pytest.raises(Unsupported, match=r"must have one scale.*put a hwgen\.nn\.Activation"):
        layer().eval()(QTensor.of(torch.ones(1, 6), [1.0] * 6))


def test_other_epsilon_is_refused():
    linear = layer(batch_norm=True)
    linear.norm.eps = 1e-3
    with pytest.raises(Unsupported, match=r"norm\.eps must be 1e-05, found 0\.001"):
        linear.deployed(1.0)


def test_accumulators_beyond_double_precision_are_refused():
    huge = QTensor.of(torch.full((1, 6), 2**50), 1.0)
    with pytest.raises(Unsupported, match="accumulator must fit 53 bits"):
        layer().eval()(huge)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: layer(bits=9), r"bits must be an integer in 1\.\.8, not 9"),
        (lambda: layer(bits=0), r"bits must be an integer in 1\.\.8, not 0"),
        (lambda: layer(bits=2.0), "bits must be an integer"),
        (lambda: layer(scale="auto"), "scale must be 'learned', 'power_of_two' or a positive"),
        (lambda: q.Conv2d(4, 6, 3, groups=4), "groups must divide the 4 input and 6 output"),
        (lambda: q.Conv2d(4, 6, 3, padding=3), "padding must be 0 or more and less than"),
        (lambda: q.Conv2d(4, 6, (1, 2, 3)), "kernel_size must be an integer or a pair"),
        (lambda: q.MaxPool2d(2, padding=2), "padding must be at most half the kernel"),
        (lambda: q.AvgPool2d(2, padding=2), "padding must be at most half the kernel"),
        (lambda: q.Activation(9), r"bits must be an integer in 1\.\.8"),
        (lambda: q.Activation(1, signed=True), r"bits must be an integer in 2\.\.8"),
        (lambda: q.Activation(limit=-1.0), "limit must be positive and finite"),
        (lambda: q.InputQuantizer(17), r"bits must be an integer in 2\.\.16, not 17"),
        (lambda: q.InputQuantizer(shape=(2, 3, 4, 5)), "shape must be"),
        (lambda: q.InputQuantizer(shape=(0, 3)), "shape must be"),
        (lambda: q.Tanh(1), r"bits must be an integer in 2\.\.8"),
    ],
)
def test_impossible_arguments_are_refused(make, says):
    with pytest.raises(InvalidInput, match=says):
        make()
