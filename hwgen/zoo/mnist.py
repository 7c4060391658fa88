"""What the recipes of MNIST networks share: the data and its augmentation."""

from __future__ import annotations

from collections.abc import Callable

import torch

from . import data
from .training import augment

__all__ = ["SEED", "moved", "training_images"]

SEED = 1
VALIDATION = 5000  # the last training images, to tell accuracies on; never trained on

Labelled = tuple[torch.Tensor, torch.Tensor]


def training_images() -> tuple[Labelled, Labelled]:
    """Images in 0..1 of shape (n, 28, 28) and labels: those to train on, and those to validate on."""
    images, labels = data.mnist("train")
    x = torch.as_tensor(data.to_real(images, "mnist"), dtype=torch.float32).reshape(-1, 28, 28)
    y = torch.as_tensor(labels)
    return (x[:-VALIDATION], y[:-VALIDATION]), (x[-VALIDATION:], y[-VALIDATION:])


def moved(
    degrees: float, shift: float, zoom: float
) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
    """An augmentation of images in whatever shape; see :func:`~hwgen.zoo.training.augment`."""

    def change(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        images = batch.reshape(-1, 1, 28, 28)
        changed = augment(images, generator, degrees=degrees, shift=shift, zoom=zoom)
        return changed.reshape(batch.shape)

    return change
