"""Stochastic layers: variances and counters, noise, margins, sources, and what is refused."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from hwgen import nn as q
from hwgen.errors import HwgenError
from hwgen.frontend.module import lower
from hwgen.nn.transfer import curve


def network(sizes=(12, 8, 4), *, activation="sigmoid", length=64, **options) -> nn.Sequential:
    layers = [q.InputQuantizer(4, 1 / 16, False, (sizes[0],)), q.ToStream(sizes[0], length, bits=4)]
    signed = False
    for at, shape in enumerate(pairwise(sizes)):
        last = at == len(sizes) - 2
        layers.append(
            q.StochasticLinear(
                *shape, activation=None if last else activation, signed=signed, **options
            )
        )
        signed = activation == "tanh"
    return q.number_sources(nn.Sequential(*layers, q.StreamArgMax()))


def values_of(model: nn.Sequential, x: torch.Tensor) -> dict[str, np.ndarray]:
    graph = lower(model.eval(), x)
    values = graph.run_all(graph.quantize(x.numpy()))
    return {node.op.name: values[node.name] for node in graph.nodes}


@pytest.mark.parametrize("coding", ["sign_magnitude", "bipolar"])
@pytest.mark.parametrize("components", [1, 4])
def test_the_variance_of_a_sum_is_told(coding, components):
    """Of inputs of 0 and 1: over 4096 steps and 20 samples within a tenth of what is counted."""
    torch.manual_seed(0)
    layer = q.StochasticLinear(
        12, 6, activation=None, coding=coding, components=components, limit=2.0, first_source=12
    )
    stream = q.ToStream(12, 4096, bits=8)
    model = nn.Sequential(
        q.InputQuantizer(8, 1 / 256, False, (12,)), stream, layer, q.StreamArgMax()
    )
    nn.init.uniform_(layer.bias, -1, 1)
    x = torch.rand(20, 12)
    model.train()(x)
    graph = lower(model.eval(), x)
    sums = graph.run_all(graph.quantize(x.numpy()))[graph[graph.output].inputs[0]]
    counted = sums.var(axis=1).mean(axis=0)
    assert np.abs(layer.variances() / counted - 1).max() < 0.1


def test_the_variance_behind_signed_bits_is_told():
    torch.manual_seed(0)
    layer = q.StochasticLinear(10, 5, activation=None, signed=True, limit=2.0, first_source=10)
    stream = q.ToStream(10, 4096, bits=8, signed=True)
    model = nn.Sequential(
        q.InputQuantizer(8, 1 / 128, True, (10,)), stream, layer, q.StreamArgMax()
    )
    x = torch.rand(20, 10) * 2 - 1
    model.train()(x)
    graph = lower(model.eval(), x)
    sums = graph.run_all(graph.quantize(x.numpy()))[graph[graph.output].inputs[0]]
    assert np.abs(layer.variances() / sums.var(axis=1).mean(axis=0) - 1).max() < 0.1


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_neurons_come_to_the_curves_that_were_trained(activation):
    """Over 8192 steps the mean of a neuron's bits is near its stationary mean."""
    torch.manual_seed(1)
    model = network(activation=activation, length=8000, limit=2.0)
    x = torch.rand(30, 12)
    model.train()(x)
    hidden = model[2]
    hidden.freeze_statistics()
    with torch.no_grad():
        expected = hidden(torch.round(x * 16).clamp(0, 15) / 16).numpy()
    found = values_of(model, x)["saturating_counter"].mean(axis=1)
    error = np.abs(found - expected)
    assert error.mean() < 0.02 * (1 + (activation == "tanh"))


def test_training_noise_has_the_variance_of_a_stream():
    torch.manual_seed(0)
    layer = q.StochasticLinear(4, 1, components=2, limit=2.0, noise=50)
    x = torch.full((4000, 4), 0.5)
    with torch.no_grad():
        layer.train()(x)
        y = layer(x)
        layer.freeze_statistics()
        mean = layer(x)[0]
    states, variance = int(layer.counter_states()[0]), float(layer.variances()[0])
    with torch.no_grad():
        at = float((x[0] @ layer._deployed(layer.weight).T + layer.bias)[0])
    _, noise = curve(states, variance, 12.0 * 2 / 2.0, 97)
    wanted = np.interp(at, np.linspace(-12, 12, 97), noise) / 50
    assert abs(float(y.mean() - mean)) < 0.01
    assert abs(float(y.var()) / wanted - 1) < 0.15


def test_training_learns():
    torch.manual_seed(0)
    model = network((12, 8, 3), noise=64)
    x = torch.rand(400, 12)
    labels = x[:, :3].argmax(1)
    optimizer = torch.optim.Adam(model.parameters(), 3e-2)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
        for layer in model[2:4]:
            layer.project()
    trained, deployed = q.accuracies(model, x, labels)
    assert trained > 0.9
    assert deployed > 0.8


def test_counters_by_the_published_law_are_larger():
    layer = q.StochasticLinear(12, 3, states="range", limit=3.0)
    assert layer.counter_states().tolist() == [2 * round(0.5 * 3.0 * 13)] * 3
    moment = q.StochasticLinear(12, 3, states="moment", limit=3.0)
    assert (moment.counter_states() < layer.counter_states()).all()


def test_a_margin_is_the_least_that_changes_no_class():
    torch.manual_seed(3)
    model = network((12, 8, 4), length=128, limit=2.0)
    x = torch.rand(300, 12)
    model.train()(x)
    whole = values_of(model, x)["stream_argmax"]
    margin = q.calibrate_margin(model, x, allowed=0.0)
    assert model[-1].early
    assert np.array_equal(values_of(model, x)["stream_argmax"], whole)
    graph = lower(model, x)
    sums = graph.run_all(graph.quantize(x.numpy()))[graph[graph.output].inputs[0]]
    op = graph[graph.output].op
    assert op.decide(sums)[1].mean() < 100
    # One less: somebody leads by so much who does not win.
    s = np.cumsum(sums, axis=1)
    top = np.sort(s, axis=2)
    wrong = s.argmax(axis=2) != s[:, -1:].argmax(axis=2)
    assert (top[..., -1] - top[..., -2])[wrong].max() == op.margin - 1
    assert q.calibrate_margin(model, x, allowed=0.3) < margin


def test_sources_of_a_network_differ():
    model = network((12, 8, 4), components=2)
    seeds = [
        node.op.random_sources().seeds.array.ravel()
        for node in lower(model.eval(), torch.rand(1, 12)).nodes
        if node.op.random_sources()
    ]
    together = np.concatenate(seeds)
    assert len(seeds) == 3
    assert len(np.unique(together)) == len(together) == 12 + 13 * 2 + 9 * 2
    other = q.number_sources(model, 500)
    assert other[1].first_source == 500


REFUSED = {
    "components": (lambda: q.StochasticLinear(4, 2, components=3), "one of 1, 2, 4, 8, 16, not 3"),
    "activation": (lambda: q.StochasticLinear(4, 2, activation="relu"), "ReLU has no counter"),
    "coding": (lambda: q.StochasticLinear(4, 2, coding="unipolar"), "sign_magnitude, bipolar"),
    "states": (lambda: q.StochasticLinear(4, 2, states="law"), "corrected, moment, range"),
    "limit": (lambda: q.StochasticLinear(4, 2, limit=0), "limit must be a positive number"),
    "length": (lambda: q.ToStream(4, 0), r"length must be an integer in 1\.\.65536"),
    "source": (lambda: q.ToStream(4, source="sobol"), "lfsr, counter, not 'sobol'"),
    "margin": (lambda: q.StreamArgMax(margin=3.0), "needs early=True"),
    "threshold": (lambda: q.SaturatingCounter(4, 4), r"threshold must be an integer in 1\.\.3"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_that_make_no_sense_are_refused(name):
    make, told = REFUSED[name]
    with pytest.raises(HwgenError, match=told):
        make()


def outside(model):
    with torch.no_grad():
        model[2].weight[3, 1] = 4.7


def without_numbering(model):
    model[3].first_source = 3


def short_register(model):
    for layer in model[1:4]:
        layer.source_width = 5


def other_scale(model):
    model[0] = q.InputQuantizer(4, 0.5, False, (12,))


def no_stream(model):
    del model[1]


DEPLOYED = {
    outside: r"layer '2'.*weight must lie in \[-4, 4\], found 4.7 in row 3",
    without_numbering: "seeds must differ from those of to_stream %to_stream1",
    short_register: r"source_width 5 gives 31 states.*use source_width=\d+, or hwgen.nn.number_sources",
    other_scale: r"scale of 2\*\*-bits",
    no_stream: r"put a hwgen.nn.ToStream at the entrance",
}


@pytest.mark.parametrize("change", DEPLOYED)
def test_what_cannot_be_deployed_is_refused(change):
    model = network()
    change(model)
    with pytest.raises(HwgenError, match=DEPLOYED[change]):
        lower(model.eval(), torch.rand(1, 12))


def test_signs_that_do_not_fit_are_refused():
    model = network(activation="tanh")
    model[3].signed = False
    with pytest.raises(HwgenError, match="signed must be True behind a stream of -1 and 1"):
        lower(model.eval(), torch.rand(1, 12))
