"""Single layers: exact results, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from hwgen import nn as q
from hwgen.errors import InvalidInput, Unsupported
from hwgen.frontend.module import lower
from hwgen.nn import QTensor, integers


def test_input_rounds_halves_to_even_and_saturates():
    quantizer = q.InputQuantizer(4, scale=0.5, shape=(6,)).eval()
    y = quantizer(torch.tensor([[0.25, 0.75, -0.25, 100.0, -100.0, 1.0]]))
    assert y.ints.tolist() == [[0, 2, 0, 7, -8, 2]]


def test_input_learns_shape_and_scale_from_the_first_batch():
    quantizer = q.InputQuantizer(8, scale="power_of_two")
    quantizer.train()(torch.linspace(-1, 1, 30).reshape(10, 3))
    assert quantizer.shape == (3,)
    assert float(quantizer._scale.deployed()) == 2**-7
    with pytest.raises(InvalidInput, match=r"a sample must have shape \(3,\), found \(4,\)"):
        quantizer(torch.zeros(2, 4))


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (torch.tensor([[math.nan]]), "input must be finite"),
        (torch.zeros(2, 3), r"a sample must have shape \(1,\), found \(3,\)"),
        (QTensor.of(torch.zeros(1, 1), 1.0), "input must be real values, found a quantized tensor"),
    ],
)
def test_bad_input_is_refused(x, says):
    with pytest.raises((InvalidInput, Unsupported), match=says):
        q.InputQuantizer(scale=1.0, shape=(1,)).eval()(x)


@pytest.mark.parametrize("layer", [q.InputQuantizer(shape=(1,)), q.Activation(), q.Add(), q.Tanh()])
def test_unknown_scale_is_refused(layer):
    layer.eval()
    x = QTensor.of(torch.ones(1, 1), 1.0)
    inputs = (torch.ones(1, 1),) if isinstance(layer, q.InputQuantizer) else (x,)
    with pytest.raises(InvalidInput, match="scale is not known yet; train or calibrate"):
        layer(*(inputs * 2 if isinstance(layer, q.Add) else inputs))


def test_activation_rounds_halves_up():
    y = q.Activation(4, signed=True, scale=1.0).eval()(QTensor.of(torch.arange(-5, 6)[None], 0.5))
    assert y.ints.tolist() == [[-2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3]]


def test_activation_limit_is_a_bound_in_real_units():
    relu6 = q.Activation(8, scale=0.05, limit=6.0).eval()
    assert relu6(QTensor.of(torch.tensor([[-9, 3, 7]]), 1.0)).tolist() == [[0.0, 3.0, 6.0]]
    relu6.train()
    assert relu6(torch.tensor([-9.0, 3.0, 7.0])).tolist() == pytest.approx([0.0, 3.0, 6.0])


def test_average_is_an_exact_sum():
    x = QTensor.of(torch.arange(32).reshape(1, 2, 4, 4), 0.5)
    pooled = q.AvgPool2d(2, stride=1, padding=1).eval()(x)
    plain = nn.functional.avg_pool2d(x.plain(), 2, 1, 1)
    assert torch.allclose(pooled.plain(), plain)
    assert float(pooled.scale) == 0.125
    whole = q.GlobalAvgPool2d().eval()(x)
    assert whole.shape == (1, 2, 1, 1)
    assert whole.ints.reshape(-1).tolist() == [120, 376]


@pytest.mark.parametrize(("layer", "function"), [(q.Sigmoid, torch.sigmoid), (q.Tanh, torch.tanh)])
def test_tables_hold_the_function(layer, function):
    table = layer(8, 8, scale=1 / 16)
    values = table.table() * table.output_scale
    index = torch.arange(-128, 128, dtype=torch.float64) / 16
    assert np.abs(values - function(index).numpy()).max() <= table.output_scale
    y = table.eval()(QTensor.of(torch.arange(-128, 128)[None], 1 / 16))
    assert np.array_equal(y.ints[0].numpy(), table.table())


def test_argmax_takes_the_first_of_equals():
    y = q.ArgMax().eval()(QTensor.of(torch.tensor([[1, 7, 7], [5, 5, 5], [-3, -2, -1]]), 0.1))
    assert integers(y).tolist() == [[1], [0], [2]]
    x = torch.randn(3, 3)
    assert q.ArgMax().train()(x) is x


def test_argmax_refuses_what_does_not_compare():
    with pytest.raises(Unsupported, match="integers do not compare"):
        q.ArgMax().eval()(QTensor.of(torch.ones(1, 2), [0.1, 0.2]))
    flat = torch.flatten(QTensor.of(torch.ones(1, 2, 2, 2), 1.0), 1)
    with pytest.raises(Unsupported, match="must not be a flattened image"):
        q.ArgMax().eval()(flat)
    with pytest.raises(Unsupported, match=r"input must be \(batch, n\)"):
        q.ArgMax().eval()(QTensor.of(torch.ones(1, 2, 2, 2), 1.0))


def test_add_requantizes_both_operands():
    add = q.Add(4, scale=1.0).eval()
    y = add(QTensor.of(torch.tensor([[3, 100]]), 0.5), QTensor.of(torch.tensor([[1, 1]]), 2.0))
    assert y.ints.tolist() == [[2 + 2, 7 + 2]]
    with pytest.raises(Unsupported, match="operands must have one shape"):
        add(QTensor.of(torch.ones(1, 2), 1.0), QTensor.of(torch.ones(1, 3), 1.0))
    image = QTensor.of(torch.ones(1, 2, 2, 2), 1.0)
    with pytest.raises(Unsupported, match="add before flattening"):
        add(torch.flatten(image, 1), QTensor.of(torch.ones(1, 8), 1.0))


def test_layers_say_how_they_were_made():
    assert q.MaxPool2d(2).config() == {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0)}
    for layer in (
        q.Linear(3, 2, bias=False, bits=3, per_channel=True, batch_norm=True),
        q.Conv2d(4, 8, (3, 1), 2, (1, 0), 2, scale=0.25),
        q.Activation(3, True, "power_of_two", 1.0),
        q.Tanh(5, 6),
        q.InputQuantizer(4, 0.5, False, (2, 3, 4)),
    ):
        again = type(layer)(**layer.config())
        assert again.config() == layer.config()
        assert again.state_dict().keys() == layer.state_dict().keys()


def test_layers_are_found_by_name():
    assert q.layer.find_layer("Conv2d") is q.Conv2d
    with pytest.raises(
        InvalidInput, match="no layer called 'Conv7d'; supported are Accumulate, Activation"
    ):
        q.layer.find_layer("Conv7d")


def test_interval_is_proven_with_the_actual_table():
    model = nn.Sequential(q.InputQuantizer(4, 1.0, shape=(2,)), q.Sigmoid(4, 4, scale=1.0)).eval()
    assert (lower(model).output_type.lo, lower(model).output_type.hi) == (0, 15)


def test_an_empty_batch_goes_through():
    model = nn.Sequential(
        q.InputQuantizer(scale=1.0, shape=(2, 4, 4)),
        q.Conv2d(2, 3, 3),
        q.Activation(scale=1.0),
        nn.MaxPool2d(2),
        nn.Flatten(),
        q.Linear(3, 2),
    ).eval()
    x = torch.zeros(0, 2, 4, 4)
    assert integers(model(x)).shape == (0, 2)
    assert lower(model).run(np.zeros((0, 4, 4, 2), dtype=np.int64)).shape == (0, 2)
