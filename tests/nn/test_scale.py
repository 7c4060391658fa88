"""Scales and the fake quantizer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hwgen.errors import InvalidInput
from hwgen.nn.scale import Scale, best_scale, fake_quantize


def test_fake_quantize_rounds_and_clips():
    x = torch.tensor([-9.0, -0.6, -0.2, 0.3, 0.9, 9.0])
    y = fake_quantize(x, torch.tensor(0.5), -2, 1)
    assert y.tolist() == [-1.0, -0.5, 0.0, 0.5, 0.5, 0.5]


def test_gradient_passes_where_nothing_is_clipped():
    x = torch.tensor([-9.0, -0.6, 0.3, 9.0], requires_grad=True)
    fake_quantize(x, torch.tensor(0.5), -2, 1).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_gradient_of_the_scale_is_that_of_learned_step_size():
    x, hi = torch.tensor([-9.0, 0.3, 9.0]), 3
    scale = torch.tensor(0.5, requires_grad=True)
    fake_quantize(x, scale, -4, hi).sum().backward()
    inside = round(0.3 / 0.5) - 0.3 / 0.5
    assert float(scale.grad) == pytest.approx((-4 + inside + hi) / math.sqrt(3 * hi), rel=1e-5)


def test_power_of_two_scale():
    scale = Scale("power_of_two", channels=3)
    scale.set([0.3, 0.26, 5.0])
    assert scale.deployed().tolist() == [0.25, 0.25, 4.0]
    assert scale().tolist() == [0.25, 0.25, 4.0]
    scale().sum().backward()
    assert torch.all(scale.log2.grad > 0)


def test_learned_scale_keeps_its_value():
    scale = Scale("learned")
    assert not scale.is_ready
    scale.set(0.3)
    assert scale.is_ready
    assert float(scale.deployed()) == pytest.approx(0.3, rel=1e-6)
    assert scale().item() == pytest.approx(0.3, rel=1e-6)


def test_fixed_scale_is_exact_and_not_trained():
    scale = Scale(0.1)
    assert scale.is_ready
    assert float(scale.deployed()) == 0.1
    assert not list(scale.parameters())


@pytest.mark.parametrize("mode", ["dynamic", 0.0, -1.0, math.nan, math.inf])
def test_impossible_scales_are_refused(mode):
    with pytest.raises(InvalidInput, match="scale must be"):
        Scale(mode)


@pytest.mark.parametrize("bounds", [(-7, 7), (0, 15), (-128, 127)])
def test_best_scale_beats_the_full_range(bounds):
    lo, hi = bounds
    x = torch.randn(4, 2000, generator=torch.Generator().manual_seed(0))
    scale = best_scale(x, lo, hi)
    assert scale.shape == (4,)

    def error(scale):
        step = scale[:, None]
        wanted = x.clamp_min(0) if lo == 0 else x
        return ((torch.clamp(torch.round(x / step), lo, hi) * step - wanted) ** 2).mean(1)

    full = x.abs().amax(1).double() / max(hi, -lo)
    assert torch.all(error(scale) <= error(full))
    grid = [error(full * f) for f in np.linspace(0.1, 1.0, 60)]
    assert torch.all(error(scale) <= torch.stack(grid).amin(0) * 1.05)


def test_best_scale_of_zeros_is_usable():
    assert float(best_scale(torch.zeros(9), 0, 15)) == pytest.approx(1 / 15)
    assert best_scale(torch.randn(100), -8, 7, power_of_two=True).log2() % 1 == 0
