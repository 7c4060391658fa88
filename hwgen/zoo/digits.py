"""What the recipes of fully connected digits networks share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

from .. import nn as q
from . import data
from .training import accuracy, augment, fit, small_teacher

__all__ = ["augmented", "dense_of", "held_out", "mlp", "train_mlp"]

SEED = 1
Say = Callable[[str], None]


def _tensors(images, labels) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.as_tensor(data.to_real(images, "digits"), dtype=torch.float32).flatten(1)
    return x, torch.as_tensor(labels)


def held_out() -> tuple[torch.Tensor, torch.Tensor]:
    """The held-out digits as vectors of 64 pixels in 0..1, and their labels."""
    return _tensors(*data.digits_test())


def augmented(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Vectors of 64 pixels, moved and turned a little."""
    images = batch.reshape(-1, 1, 8, 8)
    return augment(images, generator, degrees=8, shift=0.6, zoom=0.08).flatten(1)


def mlp(
    sizes: tuple[int, ...],
    layer: Callable[..., nn.Module],
    *,
    activation: int = 8,
    scale: str = "learned",
    bits: int = 5,
) -> nn.Module:
    """A multilayer perceptron on 64 pixels, batch norm behind every layer but the last.

    Parameters
    ----------
    sizes
        Inputs, hidden layers, outputs.
    layer
        Called with (inputs, outputs, batch_norm=...).
    activation
        Bits of the activations.
    scale
        Of the activations.
    bits
        Of the input.
    """
    layers: dict[str, nn.Module] = {
        "pixels": q.InputQuantizer(bits, scale=1 / 16, signed=False, shape=(64,))
    }
    last = len(sizes) - 1
    for at in range(1, last + 1):
        layers[f"fc{at}"] = layer(sizes[at - 1], sizes[at], batch_norm=at < last)
        if at < last:
            layers[f"relu{at}"] = q.Activation(activation, scale=scale)
    return nn.Sequential(OrderedDict(layers))


def dense_of(weights: int) -> tuple[int, ...]:
    """Sizes of the largest dense network 64-n-n-10 of no more than ``weights`` weights."""
    hidden = max(n for n in range(1, 512) if 64 * n + n * n + 10 * n <= weights)
    return (64, hidden, hidden, 10)


def train_mlp(
    build: Callable[[], nn.Module],
    *,
    epochs: int = 60,
    rate: float,
    recalibrated: bool = False,
    dense: Callable[[nn.Module], nn.Module] | None = None,
    progress=None,
    say: Say | None = None,
    **options,
) -> nn.Module:
    """Train a digits network with augmentation, distilled from a small float network.

    Parameters
    ----------
    build
        Makes the untrained model.
    epochs, rate, options
        As for :func:`~hwgen.zoo.training.fit`.
    recalibrated
        Recalibrate the batch norm with the deployed weights at the end.
    dense
        Makes the dense network to compare the trained one with, which is trained likewise.
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with lines about the result.
    """
    x, y = _tensors(*data.digits_train())
    say = say or (lambda line: None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        teacher = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), small_teacher())
        common = {"change": augmented, "seed": SEED, "progress": progress}
        fit(teacher, x, y, epochs=30, rate=5e-3, **common)
        torch.manual_seed(SEED)
        model = build()
        fit(model, x, y, epochs=epochs, rate=rate, teacher=teacher, **common, **options)
        if recalibrated:
            generator = torch.Generator().manual_seed(SEED)
            several = torch.cat([augmented(x, generator) for _ in range(4)])
            say(str(q.recalibrate(model, several, check=held_out())))
        for layer in model:
            if isinstance(layer, q.Linear):
                layer.settle()
        if dense is not None:
            torch.manual_seed(SEED)
            other = dense(model)
            fit(other, x, y, epochs=epochs, rate=rate, teacher=teacher, **common, **options)
            sizes = [layer.out_features for layer in other if isinstance(layer, q.Linear)]
            say(
                f"dense network of as many weights, 64-{'-'.join(map(str, sizes))}: "
                f"{100 * accuracy(other, *held_out()):.2f} % deployed"
            )
    return model
