"""mnist-lstm-ternary: an LSTM of 128 units with weights -1, 0, +1 over the 28 rows of an image.

Trained with the deployed weights, a learned gain a gate row, and augmentation. 98 % or more of
MNIST's test images. Training needs MNIST (see ``data.py``) and about ten minutes on one core.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from .. import nn as q
from .mnist import SEED, moved, training_images
from .training import accuracy, fit

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.98


def build_model(units: int = 128, code: str = "ternary") -> nn.Module:
    """The untrained model; takes (batch, 28, 28), pixels in 0..1."""
    return nn.Sequential(
        OrderedDict(
            pixels=q.InputQuantizer(8, scale=1 / 256, signed=False, shape=(28, 28)),
            lstm=q.LSTM(28, units, code=code),
            classes=q.Linear(units, 10),
        )
    )


def train(progress=None, say=None, epochs: int = 12) -> nn.Module:
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
    (x, y), validation = training_images()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = fit(
            build_model(),
            x,
            y,
            epochs=epochs,
            rate=1e-2,
            batch=250,
            change=moved(degrees=5, shift=1, zoom=0.05),
            decay=0.0,  # shadow weights are clipped instead
            seed=SEED,
            progress=progress,
        )
    model.lstm.settle()
    if say is not None:
        say(f"{100 * accuracy(model, *validation):.2f} % of the validation images, deployed")
    return model
