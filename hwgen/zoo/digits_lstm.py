"""What the recipes of recurrent digits networks share: an image is a sequence of 8 rows."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from .. import nn as q
from ..frontend.module import lower
from . import data
from .digits import augmented
from .training import fit, small_teacher

__all__ = ["build", "held_out", "train_lstm", "zeros_fed_back"]

SEED = 1


def build(units: int, **options) -> nn.Module:
    """An LSTM over the rows of an image, 8 pixels each, and a linear classifier of its last state.

    Takes (batch, 8, 8), pixels in 0..1.
    """
    return nn.Sequential(
        OrderedDict(
            pixels=q.InputQuantizer(5, scale=1 / 16, signed=False, shape=(8, 8)),
            lstm=q.LSTM(8, units, **options),
            classes=q.Linear(units, 10),
        )
    )


def held_out() -> tuple[torch.Tensor, torch.Tensor]:
    """The held-out digits as (samples, 8, 8), and their labels."""
    return _tensors(*data.digits_test())


def _tensors(images, labels) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.as_tensor(data.to_real(images, "digits"), dtype=torch.float32)
    return x.reshape(-1, 8, 8), torch.as_tensor(labels)


def train_lstm(
    make, *, epochs: int = 80, rate: float = 1e-2, progress=None, say=None, **options
) -> nn.Module:
    """Train a network of :func:`build` with augmentation, distilled from a small float network.

    Parameters
    ----------
    make
        Makes the untrained model.
    epochs, rate, options
        As for :func:`~hwgen.zoo.training.fit`.
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with a line about the states that are zero.
    """
    x, y = _tensors(*data.digits_train())

    def change(batch, generator):
        return augmented(batch.flatten(1), generator).reshape(-1, 8, 8)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        teacher = nn.Sequential(nn.Unflatten(1, (1, 8)), small_teacher())
        common = {"change": change, "seed": SEED, "progress": progress}
        fit(teacher, x, y, epochs=30, rate=5e-3, **common)
        torch.manual_seed(SEED)
        model = make()
        fit(model, x, y, epochs=epochs, rate=rate, decay=0.0, teacher=teacher, **common, **options)
        model.lstm.settle()
    if say is not None:
        say(f"{100 * zeros_fed_back(model, *held_out()[:1]):.1f} % of the states fed back are zero")
    return model


def zeros_fed_back(model: nn.Module, x: torch.Tensor) -> float:
    """The part of the states that steps of the deployed model begin with which is zero.

    The zeros before the first step do not count.
    """
    graph = lower(model, x[:1])
    states = graph["lstm"].op.states(graph.quantize(x.numpy()))
    return float((states[:, :-1] == 0).mean())
