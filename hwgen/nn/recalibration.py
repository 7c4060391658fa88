"""Batch norm statistics collected again with the weights that are deployed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput
from .folding import SMALLEST
from .input import batch_axis
from .layer import Layer
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
    already.

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
    inputs = inputs.movedim(axis, 0)
    if not len(inputs):
        raise InvalidInput("inputs must hold a sample to recalibrate on, found none")
    pair = None if labels is None else (inputs, labels)
    if check is not None:
        pair = (check[0].movedim(axis, 0), check[1])
    if pair is not None and len(pair[0]) != len(pair[1]):
        raise InvalidInput(
            f"there must be a label a sample, found {len(pair[1])} for {len(pair[0])} samples"
        )
    trained = before = after = None
    if pair is not None:
        with _as_trained(model):
            trained = _accuracy(model, *pair, batch)
        before = _accuracy(model.eval(), *pair, batch)
    layers = _in_order(model.eval(), inputs[:1])
    for layer in layers:
        # Fine weights are rounded anew once the statistics have changed them: measure those too.
        for _ in range(1 + layer.folds_before):
            _collect(model, layer, inputs, batch)
    if pair is not None:
        after = _accuracy(model, *pair, batch)
    return Recalibration(len(layers), len(inputs), trained, before, after)


@contextmanager
def _as_trained(model: nn.Module) -> Iterator[None]:
    """Fake quantization with the running statistics, dropout off."""
    model.eval()
    layers = [layer for layer in model.modules() if isinstance(layer, Layer)]
    frozen = {layer: layer.statistics_frozen for layer in layers if isinstance(layer, Weighted)}
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


def _run(model: nn.Module, samples: torch.Tensor) -> torch.Tensor:
    """What the model gives of samples, which lie along axis 0."""
    return model(samples.movedim(0, batch_axis(model)))


@torch.no_grad()
def _accuracy(model: nn.Module, inputs, labels, batch: int) -> float:
    right = 0
    for start in range(0, len(inputs), batch):
        part = slice(start, start + batch)
        # Outputs of one scale a channel compare as real values.
        y = torch.as_tensor(_run(model, inputs[part])).as_subclass(torch.Tensor)
        right += int((y.argmax(2 if y.dim() == 3 else 1) == labels[part]).sum())
    return right / labels.numel()


@torch.no_grad()
def _in_order(model: nn.Module, sample: torch.Tensor) -> list[Weighted]:
    """Layers with batch norm, in the order of execution."""
    found: dict[Weighted, None] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda layer, _: found.setdefault(layer))
        for layer in model.modules()
        if isinstance(layer, Weighted) and layer.norm is not None
    ]
    try:
        _run(model, sample)
    finally:
        for hook in hooks:
            hook.remove()
    return list(found)


class _Enough(Exception):
    """The layer was reached: the rest of the model need not run."""


@torch.no_grad()
def _collect(model: nn.Module, layer: Weighted, inputs: torch.Tensor, batch: int) -> None:
    """Mean and variance of the layer's results before batch norm."""
    seen: list[QTensor] = []

    def stop(_, arguments):
        seen[:] = arguments
        raise _Enough

    count, total, squares = 0, 0.0, 0.0
    hook = layer.register_forward_pre_hook(stop)
    try:
        for start in range(0, len(inputs), batch):
            try:
                _run(model, inputs[start : start + batch])
            except _Enough:
                y = _before_norm(layer, seen[0])
                count += y.shape[1]
                total, squares = total + y.sum(1), squares + y.square().sum(1)
    finally:
        hook.remove()
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
