"""The training loop that the recipes share: augmentation, distillation, a one-cycle schedule."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from ..ir.classes import classes
from ..nn.recurrent import Recurrent
from ..nn.stochastic_dense import StochasticLinear
from ..nn.weighted import Weighted

__all__ = ["accuracy", "augment", "fit", "small_teacher"]

Progress = Callable[[int, int, str], None]


def augment(
    x: torch.Tensor, generator: torch.Generator, *, degrees: float, shift: float, zoom: float
) -> torch.Tensor:
    """Random rotation, shift, zoom and shear of images, bilinear, zeros outside.

    Parameters
    ----------
    x
        Shape (batch, channels, height, width).
    degrees
        Largest rotation, and largest shear, to either side.
    shift
        Largest shift in pixels.
    zoom
        Largest change of size, as a part of 1.
    """

    def uniform(limit: float) -> torch.Tensor:
        return (torch.rand(len(x), generator=generator) * 2 - 1) * limit

    angle, shear = uniform(math.radians(degrees)), uniform(math.radians(degrees))
    size_x, size_y = 1 + uniform(zoom), 1 + uniform(zoom)
    height, width = x.shape[-2:]
    matrix = torch.stack(
        [
            torch.stack([angle.cos() * size_x, -(angle + shear).sin(), uniform(2 * shift / width)]),
            torch.stack([angle.sin(), (angle + shear).cos() * size_y, uniform(2 * shift / height)]),
        ]
    ).permute(2, 0, 1)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def small_teacher(channels: int = 32) -> nn.Module:
    """A float convolutional network to distil from; takes one-channel images of any size."""

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *block(1, channels),
        *block(channels, channels),
        nn.MaxPool2d(2),
        *block(channels, 2 * channels),
        *block(2 * channels, 2 * channels),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * channels, 10),
    )


def fit(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    epochs: int,
    rate: float,
    batch: int = 64,
    seed: int = 0,
    change: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None = None,
    teacher: nn.Module | None = None,
    temperature: float = 3.0,
    frozen_part: float = 0.2,
    warm_up: float = 0.2,
    decay: float = 1e-4,
    sparsity: float = 0.0,
    progress: Progress | None = None,
) -> nn.Module:
    """Train with Adam, a one-cycle schedule, and cross entropy.

    Parameters
    ----------
    x, y
        Samples as the model takes them, and labels.
    rate
        Peak learning rate.
    change
        Augmentation of a batch.
    teacher
        A trained float network whose softened outputs are learned as well (Hinton et al.,
        "Distilling the Knowledge in a Neural Network", 2015).
    frozen_part
        The part of the epochs, at the end, for which batch norm keeps its statistics, so that
        training ends on exactly the folded weights that are deployed; masks that training chooses
        are kept from half of the training on.
    warm_up
        The part of the epochs after which power-of-two weights keep the deviation that their scale
        follows from.
    sparsity
        Weight of the mean magnitude of recurrent states in the loss, which makes states zero. It
        and the states' threshold rise to their full values over the first half of the epochs.
    progress
        Called with (epochs done, epochs, a few words).

    Returns
    -------
    The model, in eval mode.
    """
    generator = torch.Generator().manual_seed(seed)
    quiet, decayed = [], []
    for name, parameter in model.named_parameters():
        (decayed if name.endswith("weight") and "norm" not in name else quiet).append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": decay}, {"params": quiet, "weight_decay": 0.0}]
    )
    batches = len(x) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=epochs * batches, pct_start=0.2
    )
    if teacher is not None:
        teacher.eval()
    weighted = [layer for layer in model.modules() if isinstance(layer, Weighted)]
    recurrent = [layer for layer in model.modules() if isinstance(layer, Recurrent)]
    stochastic = [layer for layer in model.modules() if isinstance(layer, StochasticLinear)]
    for epoch in range(epochs):
        model.train()
        for layer in weighted:
            if epoch >= epochs * (1 - frozen_part):
                layer.freeze_statistics()
            if epoch == math.ceil(epochs * warm_up) > 0:
                layer.freeze_scale()
            if epoch >= epochs / 2:
                layer.freeze_mask()
        share = min(1.0, 2 * epoch / epochs)
        for layer in recurrent:
            layer.ramp(share)
            if epoch >= epochs * (1 - frozen_part):
                layer.freeze_statistics()
        order = torch.randperm(len(x), generator=generator)
        total = 0.0
        for step in range(batches):
            picked = order[step * batch : (step + 1) * batch]
            inputs = x[picked] if change is None else change(x[picked], generator)
            logits = model(inputs)
            loss = F.cross_entropy(logits, y[picked])
            if teacher is not None:
                with torch.no_grad():
                    target = F.softmax(teacher(inputs) / temperature, dim=1)
                soft = F.log_softmax(logits / temperature, dim=1)
                loss = 0.3 * loss + temperature**2 * F.kl_div(soft, target, reduction="batchmean")
            if sparsity:
                loss = loss + sparsity * share * sum(layer.penalty for layer in recurrent)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        for layer in (*weighted, *stochastic):
            layer.project()
        if progress is not None:
            progress(epoch + 1, epochs, f"loss {total / batches:.4f}")
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor, batch: int = 500) -> float:
    """Part of the samples that the model, as it is deployed, classifies rightly."""
    model.eval()
    right = 0
    for start in range(0, len(x), batch):
        logits = torch.as_tensor(model(x[start : start + batch]))
        right += int((classes(logits) == y[start : start + batch]).sum())
    return right / len(x)
