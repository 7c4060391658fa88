"""Powers of two and bases: levels, pruning, and fits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwgen import nn as q
from hwgen.errors import InvalidInput
from hwgen.frontend import checkpoint
from hwgen.frontend.module import lower
from hwgen.nn.codes.basis import fit
from hwgen.nn.scale import best_scale
from tests.nn.test_codes import layer, used


@pytest.mark.parametrize(("bits", "c"), [(2, 1.0), (3, 2.0), (4, 3.0), (3, 0.7)])
def test_levels_of_powers_of_two(bits, c):
    linear = layer(60, 20, code="power_of_two", bits=bits, c=c)
    weight = linear.weight.detach().double().numpy()
    largest = 2.0 ** np.round(np.log2(c * np.sqrt((weight**2).mean())))
    count = 2 ** (bits - 1) - 1
    levels = largest * 2.0 ** -np.arange(count)
    wanted = np.zeros_like(weight)
    for at, value in np.ndenumerate(weight):
        u = min(abs(value) / largest, 1.0)
        if u >= 2.0 ** -(count - 1) / 2:
            nearest = min(levels, key=lambda v: abs(np.log2(v / largest) - np.log2(u)))
            wanted[at] = np.sign(value) * nearest
    assert np.array_equal(used(linear), wanted)
    parts = linear.deployed(1.0)
    assert np.array_equal(parts.weights * float(parts.scale), wanted)
    assert parts.code.name == "power_of_two"
    assert parts.code.bits == bits


def test_tau_prunes():
    zeros = []
    for tau in (0.0, 0.5, 1.0, 1.5):
        linear = layer(200, 50, code="power_of_two", tau=tau)
        with torch.no_grad():
            linear.weight.normal_()
        parts = linear.deployed(1.0)
        weight = linear.weight.detach().double().numpy()
        deviation = np.sqrt((weight**2).mean())
        assert np.all(parts.weights[np.abs(weight) < 0.999 * tau * deviation] == 0)
        zeros.append((parts.weights == 0).mean())
    assert zeros == sorted(zeros)
    assert zeros[2] == pytest.approx(0.683, abs=0.02)  # erf(tau / sqrt 2) of Gaussian weights
    assert zeros[3] == pytest.approx(0.866, abs=0.02)


def test_frozen_deviation_stays():
    linear = layer(code="power_of_two")
    with pytest.raises(InvalidInput, match="deviation is not known yet; train on a batch first"):
        linear.freeze_scale()
    linear.train()(torch.ones(2, 24))
    before = float(linear.deployed(1.0).scale)
    linear.freeze_scale()
    with torch.no_grad():
        linear.weight.mul_(0.25)
    assert float(linear.deployed(1.0).scale) == before
    linear.train()(torch.ones(2, 24))
    assert float(linear.deployed(1.0).scale) == before
    linear.freeze_scale(False)
    assert float(linear.deployed(1.0).scale) == before / 4


def test_gradient_passes_inside_the_largest_level():
    linear = layer(40, 10, code="power_of_two", bits=2, c=1.0)
    linear.train()(torch.ones(3, 40)).sum().backward()
    largest = float(linear.deployed(1.0).scale)
    inside = linear.weight.detach().abs() <= largest
    assert inside.any()
    assert not inside.all()
    assert torch.equal(linear.weight.grad != 0, inside)


# Basis


def test_fit_finds_what_is_there():
    """A matrix that a basis makes is found again, but for the rounding of the basis."""
    rng = np.random.default_rng(0)
    coefficients = (1 << rng.integers(0, 7, (8, 16, 3))) * rng.choice([-1, 0, 1], (8, 16, 3))
    basis = rng.normal(size=(2, 3, 3))
    target = np.einsum("ors,ost->ort", coefficients, np.repeat(basis, 4, axis=0)).reshape(8, -1)
    target *= 100 / np.abs(target).max()
    found, bases, shift = fit(target, 3, 4)
    again = np.einsum("ors,ost->ort", found, np.repeat(bases, 4, axis=0)) / 2.0**shift
    assert np.sqrt(((again.reshape(8, -1) - target) ** 2).mean()) < 0.12 * target.std()


def test_fit_of_random_weights_is_close():
    """Nearer than the best uniform weights of three bits, at every way to share a basis."""
    target = np.random.default_rng(1).normal(size=(64, 64))
    target *= 127 / np.abs(target).max()
    step = float(best_scale(torch.tensor(target).reshape(-1), -3, 3))
    uniform = np.clip(np.rint(target / step), -3, 3) * step - target
    for run, group in ((3, 1), (4, 8), (8, 64)):
        found, bases, shift = fit(target, run, group)
        spread = np.repeat(bases, group, axis=0)[:64]
        again = np.einsum("ors,ost->ort", found, spread) / 2.0**shift
        error = again.reshape(64, -1)[:, :64] - target
        assert (error**2).mean() < 0.75 * (uniform**2).mean(), (run, group)


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_projection_is_deployed_exactly(per_channel):
    linear = layer(50, 13, code="basis", run=3, group=4, per_channel=per_channel)
    linear.project()
    weight = linear.weight.detach().double().numpy()
    parts = linear.deployed(1.0)
    step = parts.scale.reshape(-1, 1)
    assert np.allclose(parts.weights * step, weight, rtol=1e-6, atol=0)
    assert np.array_equal(parts.code.decode(), parts.weights)
    coefficients = linear._scale.coefficients.clone()
    linear.deployed(1.0)
    assert torch.equal(coefficients, linear._scale.coefficients)


def test_weights_are_fitted_anew_once_they_change(tmp_path):
    linear = layer(50, 13, code="basis")
    first = linear.deployed(1.0).weights
    with torch.no_grad():
        linear.weight[3] = -linear.weight[3]
    assert not np.array_equal(first, linear.deployed(1.0).weights)
    model = nn.Sequential(q.InputQuantizer(4, scale=1.0, shape=(50,)), linear).eval()
    graph = lower(model)
    again = checkpoint.load_network(checkpoint.save(model, tmp_path / "m.pt"))
    buffers = dict(again.named_buffers())
    (fitted,) = [v for n, v in buffers.items() if n.endswith("fitted")]
    assert torch.equal(fitted, linear._scale.fitted)
    assert np.array_equal(
        again.lower()["n1" if "n1" in str(graph) else graph.output].op.weights.decode(),
        graph[graph.output].op.weights.decode(),
    )


def test_a_basis_is_fitted_in_the_graphs_order():
    torch.manual_seed(0)
    model = nn.Sequential(
        q.InputQuantizer(4, scale=1.0, shape=(3, 2, 2)), q.Flatten(), q.Linear(12, 4, code="basis")
    ).eval()
    with pytest.raises(InvalidInput, match=r"image must be \(3, 2, 2\).*; give image=\(3, 2, 2\)"):
        lower(model)
    with pytest.raises(InvalidInput, match=r"layer '2' \(Linear\): image must be \(3, 2, 2\)"):
        model(torch.ones(1, 3, 2, 2))


# Options and refusals
