"""digits-cnn: a residual convolutional network with 8-bit weights and activations.

Learned scales, one a weight channel, so that every requantization is a multiplication and a shift.
Distilled from a larger float network; 98.5 % or more of the held-out digits.
"""

from __future__ import annotations

import torch
from torch import nn

from .. import nn as q
from . import data
from .training import accuracy, augment, fit, small_teacher

__all__ = ["PROMISE", "DigitsCnn", "build_model", "train"]

PROMISE = 0.985
SEED = 1


class DigitsCnn(nn.Module):
    """Convolution, residual block, maximum pooling, convolution, global average, classifier."""

    def __init__(self) -> None:
        super().__init__()
        folded = {"bits": 8, "per_channel": True, "batch_norm": True, "bias": False}
        self.pixels = q.InputQuantizer(5, scale=1 / 16, signed=False, shape=(1, 8, 8))
        self.conv1 = q.Conv2d(1, 8, 3, padding=1, **folded)
        self.relu1 = q.Activation(8)
        self.conv2 = q.Conv2d(8, 8, 3, padding=1, **folded)
        self.relu2 = q.Activation(8)
        self.conv3 = q.Conv2d(8, 8, 3, padding=1, **folded)
        self.add = q.Add(8)
        self.relu3 = q.Activation(8)
        self.pool = nn.MaxPool2d(2)
        self.conv4 = q.Conv2d(8, 16, 3, padding=1, **folded)
        self.relu4 = q.Activation(8)
        self.average = q.GlobalAvgPool2d()
        self.narrow = q.Activation(8)
        self.fc = q.Linear(16, 10, bits=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu1(self.conv1(self.pixels(x)))
        x = self.relu3(self.add(x, self.conv3(self.relu2(self.conv2(x)))))
        x = self.relu4(self.conv4(self.pool(x)))
        x = self.narrow(self.average(x))
        return self.fc(torch.flatten(x, 1))


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 1, 8, 8), pixels in 0..1."""
    return DigitsCnn()


def train(progress=None, say=None) -> nn.Module:
    """Train on the digits' training split: about a minute on one core.

    Parameters
    ----------
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with lines about the result.
    """
    images, labels = data.digits_train()
    x = torch.as_tensor(data.to_real(images, "digits"), dtype=torch.float32)[:, None]
    y = torch.as_tensor(labels)

    def change(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return augment(batch, generator, degrees=8, shift=0.6, zoom=0.08)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        teacher = small_teacher()
        fit(teacher, x, y, epochs=80, rate=5e-3, change=change, seed=SEED, progress=progress)
        if say is not None:
            share = accuracy(teacher, x, y)
            say(f"float network to distil from: {100 * share:.2f} % of the training digits")
        return fit(
            build_model(),
            x,
            y,
            epochs=150,
            rate=1e-2,
            change=change,
            teacher=teacher,
            seed=SEED,
            progress=progress,
        )
