"""Batch norm statistics collected again with the weights that are deployed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput
from .accuracy import accuracies, accuracy, run
from .folding import SMALLEST
from .input import batch_axis
from .layer import Layer
from .recurrent import Recurrent
from .tensor import QTensor
from .weighted import Weighted

__all__ = ["Recalibration", "recalibrate"]


@dataclass(frozen=True)
class Recalibration:
    """What a recalibration did.

    Attributes
    ----------
    layers
        Layers whose statistics were collected again.
    samples
        Samples that they were collected on.
    as_trained
        Accuracy with fake quantization, weights drawn where training draws them; None without
        labels.
    before, after
        Accuracy in the deployed integers, with the old and the new statistics; None without labels.
    """

    layers: int
    samples: int
    as_trained: float | None = None
    before: float | None = None
    after: float | None = None

    def __str__(self) -> str:
        text = f"batch norm of {self.layers} layers recalibrated on {self.samples} samples"
        if self.as_trained is None:
            return text
        trained, before, after = (100 * v for v in (self.as_trained, self.before, self.after))
        return f"{text}: {trained:.2f} % as trained; deployed {before:.2f} % before, {after:.2f} % after"


def recalibrate(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    check: tuple[torch.Tensor, torch.Tensor] | None = None,
    batch: int = 500,
) -> Recalibration:
    """Collect the batch norm statistics of a trained model again, in its deployed integers.

    Statistics of a training with weights that are drawn, or that still changed, are not those of
    the deployed weights. Layer after layer, in the order of execution, the mean and the deviation
    of the deployed layer's results over all samples are taken, those before it being recalibrated
    already; in a recurrent layer, step after step. What "bn_shared" has been trained with stays.

    Parameters
    ----------
    model
        A model of ``hwgen.nn`` layers, trained. It is left in eval mode.
    inputs
        Training samples as the model takes them, without augmentation.
    labels
        Their labels, to tell accuracies.
    check
        Other samples and labels to tell the accuracies on, such as held-out ones.
    batch
        Samples at a time.

    Returns
    -------
    A printable report.
    """
    axis = batch_axis(model)
    pair = check if check is not None else None if labels is None else (inputs, labels)
    inputs = inputs.movedim(axis, 0)
    if not len(inputs):
        raise InvalidInput("inputs must hold a sample to recalibrate on, found none")
    trained = before = after = None
    if pair is not None:
        trained, before = accuracies(model, *pair, batch=batch)
    layers = _in_order(model.eval(), inputs[:1])
    for layer in layers:
        if isinstance(layer, Recurrent):
            layer.collect_statistics(_input_of(model, layer, inputs, batch))
            continue
        # Fine weights are rounded anew once the statistics have changed them: measure those too.
        for _ in range(1 + layer.folds_before):
            _collect(model, layer, inputs, batch)
    if pair is not None:
        after = accuracy(model, pair[0].movedim(axis, 0), pair[1], batch)
    return Recalibration(len(layers), len(inputs), trained, before, after)


@torch.no_grad()
def _in_order(model: nn.Module, sample: torch.Tensor) -> list[Weighted | Recurrent]:
    """Layers with batch norm, in the order of execution."""
    found: dict[Weighted | Recurrent, None] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda layer, _: found.setdefault(layer))
        for layer in model.modules()
        if (isinstance(layer, Weighted) and layer.norm is not None)
        or (isinstance(layer, Recurrent) and layer.norm == "bn_time")
    ]
    try:
        run(model, sample)
    finally:
        for hook in hooks:
            hook.remove()
    return list(found)


class _Enough(Exception):
    """The layer was reached: the rest of the model need not run."""


@torch.no_grad()
def _reach(model: nn.Module, layer: Layer, inputs: torch.Tensor, batch: int) -> Iterator[QTensor]:
    """What the layer gets, batch after batch."""
    seen: list[QTensor] = []

    def stop(_, arguments):
        seen[:] = arguments
        raise _Enough

    hook = layer.register_forward_pre_hook(stop)
    try:
        for start in range(0, len(inputs), batch):
            try:
                run(model, inputs[start : start + batch])
            except _Enough:
                yield seen[0]
    finally:
        hook.remove()


def _input_of(model: nn.Module, layer: Layer, inputs: torch.Tensor, batch: int) -> QTensor:
    """All that the layer gets."""
    parts = list(_reach(model, layer, inputs, batch))
    return QTensor.of(torch.cat([part.ints for part in parts]), parts[0].scale.cpu().numpy())


@torch.no_grad()
def _collect(model: nn.Module, layer: Weighted, inputs: torch.Tensor, batch: int) -> None:
    """Mean and variance of the layer's results before batch norm."""
    count, total, squares = 0, 0.0, 0.0
    for x in _reach(model, layer, inputs, batch):
        y = _before_norm(layer, x)
        count += y.shape[1]
        total, squares = total + y.sum(1), squares + y.square().sum(1)
    mean = total / count
    layer.norm.running_mean.copy_(mean)
    layer.norm.running_var.copy_((squares / count - mean.square()).clamp_min(0))


def _before_norm(layer: Weighted, x: QTensor) -> torch.Tensor:
    """Results of the deployed weights, float64, shape (channels, values of a channel)."""
    parts = layer.deployed(x.scale.cpu().numpy(), x.image)
    weights = torch.as_tensor(parts.weights, dtype=torch.float64, device=x.device)
    y = layer.product(x.ints.double(), weights)
    y = (y.flatten(0, 1) if y.dim() == 3 else y).transpose(0, 1).flatten(1)  # steps are samples
    factor = np.where(np.abs(parts.factor) < SMALLEST, SMALLEST, parts.factor)
    bias = torch.zeros(len(y)) if layer.bias is None else layer.bias.detach()
    return y * torch.as_tensor(parts.scale / factor).reshape(-1, 1).to(y) + bias.to(y)[:, None]
