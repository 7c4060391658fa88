"""How often a model is right: as it was trained, and as it is deployed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ..errors import InvalidInput
from ..ir.classes import classes
from .input import batch_axis
from .layer import Layer
from .recurrent import Recurrent
from .stochastic_dense import StochasticLinear
from .weighted import Weighted

__all__ = ["accuracies", "accuracy", "run"]


def accuracies(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, *, batch: int = 500
) -> tuple[float, float]:
    """The accuracy of a classifier as it was trained, and as it is deployed.

    As trained: fake quantization, batch norm's running statistics, weights drawn at random where
    training draws them, no dropout. Where the two differ by much, the deployed weights are not those
    that were trained, or :func:`~hwgen.nn.recalibrate` should be called.

    Parameters
    ----------
    model
        A model of ``hwgen.nn`` layers. It is left in eval mode.
    inputs, labels
        Samples as the model takes them.
    batch
        Samples at a time.
    """
    inputs = inputs.movedim(batch_axis(model), 0)
    if len(inputs) != len(labels):
        raise InvalidInput(
            f"there must be a label a sample, found {len(labels)} for {len(inputs)} samples"
        )
    with _as_trained(model):
        trained = accuracy(model, inputs, labels, batch)
    return trained, accuracy(model.eval(), inputs, labels, batch)


def run(model: nn.Module, samples: torch.Tensor) -> torch.Tensor:
    """What the model gives of samples, which lie along axis 0."""
    return model(samples.movedim(0, batch_axis(model)))


@torch.no_grad()
def accuracy(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, batch: int) -> float:
    """The part of the labels that are the largest output's, in the model's mode; see :func:`run`."""
    right = 0
    for start in range(0, len(inputs), batch):
        part = slice(start, start + batch)
        # Outputs of one scale a channel compare as real values.
        y = torch.as_tensor(run(model, inputs[part])).as_subclass(torch.Tensor)
        right += int((classes(y) == labels[part]).sum())
    return right / labels.numel()


@contextmanager
def _as_trained(model: nn.Module) -> Iterator[None]:
    """Fake quantization with the running statistics, dropout off."""
    model.eval()
    layers = [layer for layer in model.modules() if isinstance(layer, Layer)]
    kinds = (Weighted, Recurrent, StochasticLinear)
    frozen = {layer: layer.statistics_frozen for layer in layers if isinstance(layer, kinds)}
    for layer in layers:
        layer.training = True
    for layer in frozen:
        layer.freeze_statistics()
    try:
        yield
    finally:
        for layer, state in frozen.items():
            layer.freeze_statistics(state)
        model.eval()
