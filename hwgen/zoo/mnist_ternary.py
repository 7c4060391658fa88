"""mnist-ternary: 784-512-512-10 with weights -1, 0, +1 and 4-bit activations.

Trained with augmentation; batch norm is recalibrated with the deployed weights. 98.5 % or more of
MNIST's test images. Training needs MNIST (see ``data.py``) and about two minutes on one core.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from .. import nn as q
from .mnist import SEED, moved, training_images
from .training import fit

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.985


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 784), pixels in 0..1."""
    layers = {
        "pixels": q.InputQuantizer(8, scale=1 / 256, signed=False, shape=(784,)),
        "fc1": q.Linear(784, 512, code="ternary", batch_norm=True),
        "relu1": q.Activation(4),
        "fc2": q.Linear(512, 512, code="ternary", batch_norm=True),
        "relu2": q.Activation(4),
        "fc3": q.Linear(512, 10, code="ternary"),
    }
    return nn.Sequential(OrderedDict(layers))


def train(progress=None, say=None, epochs: int = 15) -> nn.Module:
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
    change = moved(degrees=8, shift=1.5, zoom=0.08)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = fit(
            build_model(),
            x,
            y,
            epochs=epochs,
            rate=1e-2,
            batch=250,
            change=change,
            decay=0.0,  # shadow weights are clipped instead
            frozen_part=0.0,
            seed=SEED,
            progress=progress,
        )
        several = change(x[:20_000], torch.Generator().manual_seed(SEED))
        report = q.recalibrate(model, several, check=(rest, rest_labels))
    for layer in model:
        if isinstance(layer, q.Linear):
            layer.settle()
    if say is not None:
        say(str(report))
    return model
