"""mnist-cnn: depthwise separable convolutions with 4-bit weights and 6-bit activations.

198 000 multiplications an image, 5 500 weights; 98.8 % or more of MNIST's test images. Training
needs MNIST (see ``data.py``) and about ten minutes on one core.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from .. import nn as q
from .mnist import SEED, moved, training_images
from .training import accuracy, fit

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.988


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 1, 28, 28), pixels in 0..1."""
    wide = {"bits": 8, "per_channel": True, "batch_norm": True, "bias": False}
    narrow = {**wide, "bits": 4}
    layers = {
        "pixels": q.InputQuantizer(8, scale=1 / 256, signed=False, shape=(1, 28, 28)),
        "conv1": q.Conv2d(1, 12, 5, stride=2, padding=2, **wide),
        "relu1": q.Activation(6),
        "depthwise2": q.Conv2d(12, 12, 3, padding=1, groups=12, **wide),
        "relu2": q.Activation(6),
        "pointwise2": q.Conv2d(12, 24, 1, **narrow),
        "relu3": q.Activation(6),
        "pool2": q.MaxPool2d(2),
        "depthwise3": q.Conv2d(24, 24, 3, padding=1, groups=24, **wide),
        "relu4": q.Activation(6),
        "pointwise3": q.Conv2d(24, 40, 1, **narrow),
        "relu5": q.Activation(6),
        "pool3": q.MaxPool2d(2),
        "flatten": q.Flatten(),
        "fc": q.Linear(360, 10, bits=4),
    }
    return nn.Sequential(OrderedDict(layers))


def train(progress=None, say=None, epochs: int = 20) -> nn.Module:
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
    x, rest = x[:, None], rest[:, None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = fit(
            build_model(),
            x,
            y,
            epochs=epochs,
            rate=5e-3,
            batch=128,
            change=moved(degrees=8, shift=1.5, zoom=0.08),
            seed=SEED,
            progress=progress,
        )
    if say is not None:
        share = accuracy(model, rest, rest_labels)
        say(f"validation images: {100 * share:.2f} % deployed")
    return model
