"""Tensors of checkpoints in few bytes: nothing is lost, and damage is named."""

from __future__ import annotations

import pytest
import torch

from hwgen.errors import InvalidInput
from hwgen.frontend.compact import compact, expand


@pytest.mark.parametrize("density", [0.0, 0.1, 0.2, 0.9])
@pytest.mark.parametrize("shape", [(1,), (7,), (8, 9), (3, 1, 5)])
@pytest.mark.parametrize("kind", ["sign", "real", "whole", "steps", "boolean", "index"])
def test_round_trip(density, shape, kind):
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(shape, generator=generator)
    value = torch.where(torch.rand(shape, generator=generator) < density, value, 0.0)
    value = {
        "sign": torch.sign(value),
        "real": value,
        "whole": torch.round(20 * value),
        "steps": torch.round(20 * value) / 32,
        "boolean": value != 0,
        "index": (1000 * value).long(),
    }[kind]
    back = expand("w", compact(value))
    assert back.shape == value.shape
    assert torch.equal(back.to(value.dtype), value)
    assert not torch.signbit(back[value == 0].float()).any()


def test_few_bytes():
    sparse = torch.zeros(800)
    sparse[::10] = 0.3
    entry = compact(sparse)
    assert (entry["values"].numel(), entry["bits"].numel()) == (80, 100)
    assert compact(sparse != 0)["bits"].numel() == 100
    assert compact(torch.full((800,), 3.0)).dtype == torch.int8
    steps = compact(torch.arange(-100, 100) / 32)
    assert (steps["steps"].dtype, steps["bits"]) == (torch.int8, 5)
    assert isinstance(compact(torch.arange(-200, 100) / 32), torch.Tensor)
    signs = compact(torch.arange(800) % 3 - 1.0)
    assert (signs["bits"].numel(), signs["signs"].numel()) == (100, 67)


def test_zeros_keep_their_sign():
    value = torch.tensor([-0.0, 0.0, 0.0, 0.0, 0.0, 0.5])
    assert torch.signbit(expand("w", compact(value)))[0]


@pytest.mark.parametrize("changes", [{"steps": 5}, {"bits": None}, {"bits": "x"}])
def test_damaged_steps_are_named(changes):
    entry = compact(torch.arange(1, 100) / 4)
    assert torch.equal(expand("w", entry), torch.arange(1, 100) / 4)
    with pytest.raises(InvalidInput, match="damaged checkpoint: tensor 'w'"):
        expand("w", {**entry, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [-8]},
        {"shape": []},
        {"shape": None},
        {"bits": torch.zeros(1, dtype=torch.uint8)},
        {"bits": [1]},
        {"bits": torch.zeros(2)},
        {"values": torch.ones(3)},
        {"values": 5},
    ],
)
def test_damage_is_named(changes):
    value = torch.zeros(16)
    value[3] = 0.1
    entry = compact(value)
    assert torch.equal(expand("w", entry), value)
    with pytest.raises(InvalidInput, match="damaged checkpoint: tensor 'w'"):
        expand("w", {**entry, **changes})


@pytest.mark.parametrize(
    "signs",
    [torch.zeros(1), torch.zeros(2, dtype=torch.uint8), torch.zeros(0, dtype=torch.uint8), 5],
)
def test_damaged_signs_are_named(signs):
    entry = compact(torch.tensor([1.0, 0.0, -1.0]))
    with pytest.raises(InvalidInput, match="damaged checkpoint: tensor 'w'"):
        expand("w", {**entry, "signs": signs})
