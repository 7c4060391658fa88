"""mnist-stochastic: 784-100-200-10, the published stochastic network, on streams of 256 steps.

Ardakani et al., "VLSI Implementation of Deep Neural Network Using Integral Stochastic Computing", IEEE
TVLSI 25(10), 2017, but for weights in sign and magnitude and a class that is told early. 98 % or more of
MNIST's test images. Training needs MNIST (see ``data.py``) and about ten minutes on one core.
"""

from __future__ import annotations

import torch
from torch import nn

from .mnist import SEED, moved, training_images
from .stochastic import stochastic_mlp, train_stochastic
from .training import fit, small_teacher

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.98
SIZES = (784, 100, 200, 10)


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 784), pixels in 0..1."""
    return stochastic_mlp(SIZES, bits=8, length=256, components=4)


def train(progress=None, say=None, epochs: int = 30) -> nn.Module:
    """Train on all MNIST training images but the last 5000.

    Parameters
    ----------
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with lines about the result.
    epochs
        Passes over the data.
    """
    (x, y), (rest, rest_labels) = training_images()
    x, rest = x.flatten(1), rest.flatten(1)
    common = {"change": moved(degrees=5, shift=1, zoom=0.05), "seed": SEED, "progress": progress}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        halved = nn.AvgPool2d(2)
        teacher = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), halved, small_teacher(24))
        fit(teacher, x, y, epochs=6, rate=5e-3, batch=128, **common)
        torch.manual_seed(SEED)
        return train_stochastic(
            build_model,
            teacher,
            x,
            y,
            check=(rest, rest_labels),
            say=say,
            epochs=epochs,
            rate=5e-3,
            batch=250,
            **common,
        )
