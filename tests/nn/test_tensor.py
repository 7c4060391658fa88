"""Quantized tensors: which functions keep the integers, and what is said of those that do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hwgen import nn as q
from hwgen.errors import Unsupported
from hwgen.nn import QTensor, integers

INTS = torch.arange(-12, 12).reshape(1, 2, 3, 4)


def image(scale=0.3) -> QTensor:
    return QTensor.of(INTS, scale)


def test_holds_integers_times_scale():
    x = image([0.1, 0.7])
    assert x.dtype == torch.float64
    assert torch.equal(x.ints, INTS)
    assert float(x[0, 1, 2, 3]) == 11 * 0.7
    assert torch.equal(x.plain()[0, 0], INTS[0, 0].double() * 0.1)


def test_integers_are_channels_last():
    assert np.array_equal(integers(image()), INTS.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize(
    "keep",
    [
        lambda x: torch.flatten(x, 1),
        lambda x: x.flatten(1),
        lambda x: x.view(len(x), -1),
        lambda x: x.reshape(x.size(0), -1),
        nn.Flatten(),
    ],
)
def test_flatten_keeps_integers_and_remembers_the_image(keep):
    flat = keep(image())
    assert flat.image == (2, 3, 4)
    assert torch.equal(flat.ints, INTS.reshape(1, -1))
    assert np.array_equal(integers(flat), INTS.permute(0, 2, 3, 1).reshape(1, -1).numpy())


@pytest.mark.parametrize(
    "keep",
    [
        nn.Identity(),
        nn.Dropout().eval(),
        nn.ReLU(),
        F.relu,
        torch.relu,
        lambda x: x.relu(),
        lambda x: F.dropout(x, training=False),
        lambda x: x.detach().clone().contiguous().cpu().to(torch.float64),
    ],
)
def test_elementwise_functions_keep_integers(keep):
    result = keep(image([0.1, 0.7]))
    expected = keep(INTS.double()).long()
    assert torch.equal(result.ints, expected)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), lambda x: F.max_pool2d(x, 2, padding=1)])
def test_max_pool_keeps_integers(pool):
    assert torch.equal(pool(image([0.1, 0.7])).ints, pool(INTS.double()).long())


@pytest.mark.parametrize(
    ("lose", "says"),
    [
        (lambda x: x + x, "add lost the integers; use hwgen.nn.Add"),
        (lambda x: F.avg_pool2d(x, 2), "avg_pool2d lost the integers; use hwgen.nn.AvgPool2d"),
        (lambda x: x.mean((2, 3)), "mean lost the integers; use hwgen.nn.GlobalAvgPool2d"),
        (torch.sigmoid, "sigmoid lost the integers; use hwgen.nn.Sigmoid"),
        (lambda x: x.float(), "float lost the integers"),
        (lambda x: x.permute(0, 2, 3, 1), "permute lost the integers"),
        (lambda x: x.reshape(2, 12), "is not a flatten"),
        (lambda x: (x * 2).relu(), "mul lost the integers"),
        (lambda x: F.dropout(x, training=True), "dropout lost the integers"),
    ],
)
def test_a_layer_says_what_lost_the_integers(lose, says):
    lost = lose(image())
    assert isinstance(lost, torch.Tensor)
    with pytest.raises(Unsupported, match=says.replace("(", r"\(")):
        q.Activation(scale=1.0).eval()(lost)
    with pytest.raises(Unsupported, match="must be quantized"):
        integers(lost)


def test_scales_by_channel_do_not_survive_flatten():
    with pytest.raises(Unsupported, match=r"one scale a channel; put a hwgen\.nn\.Activation"):
        integers(torch.flatten(image([0.1, 0.7]), 1))


def test_results_can_be_evaluated():
    logits = torch.flatten(image(), 1)
    assert int(logits.argmax(1)) == 23
    assert float(F.cross_entropy(logits, torch.tensor([23]))) < 2.0
    assert bool((logits > 0).any())
    assert "0.3" in repr(logits)


def test_plain_input_is_refused_in_eval_mode():
    with pytest.raises(Unsupported, match=r"begin the model with hwgen\.nn\.InputQuantizer"):
        q.Linear(2, 2).eval()(torch.zeros(1, 2))
