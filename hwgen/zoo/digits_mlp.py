"""digits-mlp: 64-32-32-10 with 4-bit weights and activations, all scales powers of two.

Every requantization is a pure shift. Trained with augmentation, and distilled from a small float
convolutional network; 97.0 % or more of the held-out digits.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from .. import nn as q
from . import data
from .training import accuracy, augment, fit, small_teacher

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.970
SEED = 1


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 64), pixels in 0..1."""
    scale = "power_of_two"
    layers = {
        "pixels": q.InputQuantizer(4, scale=1 / 16, signed=False, shape=(64,)),
        "fc1": q.Linear(64, 32, bits=4, scale=scale, batch_norm=True),
        "relu1": q.Activation(4, scale=scale),
        "fc2": q.Linear(32, 32, bits=4, scale=scale, batch_norm=True),
        "relu2": q.Activation(4, scale=scale),
        "fc3": q.Linear(32, 10, bits=4, scale=scale),
    }
    return nn.Sequential(OrderedDict(layers))


def train(progress=None, say=None) -> nn.Module:
    """Train on the digits' training split: half a minute on one core.

    Parameters
    ----------
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with lines about the result.
    """
    images, labels = data.digits_train()
    x = torch.as_tensor(data.to_real(images, "digits"), dtype=torch.float32).flatten(1)
    y = torch.as_tensor(labels)

    def change(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        images = batch.reshape(-1, 1, 8, 8)
        return augment(images, generator, degrees=8, shift=0.6, zoom=0.08).flatten(1)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        teacher = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), small_teacher())
        fit(teacher, x, y, epochs=30, rate=5e-3, change=change, seed=SEED, progress=progress)
        if say is not None:
            share = accuracy(teacher, x, y)
            say(f"float network to distil from: {100 * share:.2f} % of the training digits")
        model = build_model()
        return fit(
            model,
            x,
            y,
            epochs=150,
            rate=1e-2,
            change=change,
            teacher=teacher,
            seed=SEED,
            progress=progress,
        )
