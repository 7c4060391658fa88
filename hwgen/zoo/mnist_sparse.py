"""mnist-sparse: 784-512-512-10, of whose connections shift registers keep a tenth.

8-bit weights and activations; 66 643 of 668 672 weights, no position stored. Trained with
augmentation, and distilled from a small float convolutional network; 98.3 % or more of MNIST's test
images. Training needs MNIST (see ``data.py``) and about 15 minutes on one core: it compares the
network with one of half density and with the dense network of as many weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

from .. import nn as q
from .mnist import SEED, moved, training_images
from .training import accuracy, fit, small_teacher

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.983
DENSITY = 0.1
HIDDEN = 512
Build = Callable[[], nn.Module]


def build_model(density: float = DENSITY, hidden: int = HIDDEN) -> nn.Module:
    """The untrained model; takes (batch, 784), pixels in 0..1. Density 1 has no masks."""
    sizes = (784, hidden, hidden, 10)
    layers: dict[str, nn.Module] = {
        "pixels": q.InputQuantizer(8, scale=1 / 256, signed=False, shape=(784,))
    }
    for at in range(1, 4):
        shape = sizes[at - 1], sizes[at]
        last = at == 3
        layers[f"fc{at}"] = (
            q.Linear(*shape, batch_norm=not last)
            if density == 1
            else q.LFSRLinear(*shape, density=density, batch_norm=not last)
        )
        if not last:
            layers[f"relu{at}"] = q.Activation(8)
    return nn.Sequential(OrderedDict(layers))


def train(progress=None, say=None, epochs: int = 20) -> nn.Module:
    """Train on all MNIST training images but the last 5000.

    Parameters
    ----------
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with lines about the result; without it only the sparse network is trained.
    epochs
        Passes over the data.
    """
    (x, y), (rest, rest_labels) = training_images()
    x, rest = x.flatten(1), rest.flatten(1)
    change = moved(degrees=5, shift=1, zoom=0.05)
    common = {"change": change, "seed": SEED, "progress": progress}

    def trained(build: Build, what: str) -> nn.Module:
        torch.manual_seed(SEED)
        model = build()
        fit(model, x, y, epochs=epochs, rate=1e-2, batch=250, teacher=teacher, **common)
        if say is not None:
            share = accuracy(model, rest, rest_labels)
            say(f"{what}: {100 * share:.2f} % of the validation images, deployed")
        return model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        halved = nn.AvgPool2d(2)
        teacher = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), halved, small_teacher(24))
        fit(teacher, x, y, epochs=6, rate=5e-3, batch=128, **common)
        model = trained(build_model, f"density {DENSITY:g}")
        if say is not None:
            trained(lambda: build_model(0.5), "density 0.5")
            kept = sum(int(layer.mask.sum()) for layer in model if isinstance(layer, q.LFSRLinear))
            hidden = max(n for n in range(1, HIDDEN) if n * (784 + n + 10) <= kept)
            dense = f"dense network of as many weights, 784-{hidden}-{hidden}-10"
            trained(lambda: build_model(1, hidden), dense)
    for layer in model:
        if isinstance(layer, q.Linear):
            layer.settle()
    return model
