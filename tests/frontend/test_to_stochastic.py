"""A float network becomes a stochastic one without training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import hwgen
from hwgen.errors import HwgenError


def trained(activation: type[nn.Module]) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    least = -1.0 if activation is nn.Tanh else 0.0
    x = torch.rand(600, 10) * (1 - least) + least
    labels = x[:, :4].argmax(1)
    module = nn.Sequential(nn.Linear(10, 12), activation(), nn.Linear(12, 4))
    optimizer = torch.optim.Adam(module.parameters(), 2e-2)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(x), labels).backward()
        optimizer.step()
    return module, x, labels


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh])
@pytest.mark.parametrize("coding", ["sign_magnitude", "bipolar"])
def test_classes_are_kept(activation, coding):
    module, x, _ = trained(activation)
    network = hwgen.to_stochastic(module, x, length=1024, coding=coding)
    graph = network.lower()
    kept = graph.run(graph.quantize(x.numpy()))[:, 0] == module(x).argmax(1).numpy()
    assert kept.mean() > (0.9 if coding == "bipolar" else 0.95)
    again = hwgen.to_stochastic(module, x, length=1024, coding=coding).lower()
    assert again.hash == graph.hash


def test_a_converted_network_survives_a_checkpoint(tmp_path):
    module, x, _ = trained(nn.Sigmoid)
    network = hwgen.to_stochastic(module, x, length=64)
    hwgen.save(network, tmp_path / "m.pt", name=network.name)
    graph = hwgen.load(tmp_path / "m.pt")
    ints = graph.quantize(x[:20].numpy())
    assert np.array_equal(graph.run(ints), network.lower().run(ints))


@pytest.mark.parametrize(
    ("module", "scale", "options", "told"),
    [
        (
            nn.Sequential(nn.Linear(10, 4), nn.ReLU(), nn.Linear(4, 3)),
            1,
            {},
            r"layer '1' \(relu\): has no stochastic form.*sigmoid or tanh",
        ),
        (nn.Sequential(nn.Linear(10, 4), nn.Sigmoid()), 1, {}, "must end in a linear layer"),
        (nn.Linear(10, 4), 3, {}, r"must lie in 0\.\.1 or -1\.\.1"),
        (nn.Linear(10, 4), 1, {"limit": 1e-3}, "give a larger limit, or none"),
        (nn.Linear(10, 4), 1, {"components": 5}, "components must be one of"),
        (nn.Linear(10, 4), 1, {"length": 70_000}, "length must be an integer in"),
    ],
)
def test_what_has_no_stochastic_form_is_refused(module, scale, options, told):
    with pytest.raises(HwgenError, match=told):
        hwgen.to_stochastic(module, torch.rand(20, 10) * scale, **options)
