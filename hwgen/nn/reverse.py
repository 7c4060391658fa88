"""Sequences backwards."""

from __future__ import annotations

import torch

from ..errors import InvalidInput
from .layer import Layer, Lowering, register_layer
from .tensor import QTensor, require_quantized

__all__ = ["Reverse"]


@register_layer
class Reverse(Layer):
    """A sequence (batch, steps, features) with its last step first, as ``torch.flip(x, [1])``."""

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        _check(tuple(x.shape[1:]))
        return x.flip(1)

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        _check(tuple(x.shape[1:]))
        return QTensor.of(x.ints.flip(1), x.scale.cpu().numpy())

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        _check(lowering.type(x).shape)
        return lowering.add("reverse", x, scale=lowering.scale(x))


def _check(shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        raise InvalidInput(
            f"input must be a sequence (steps, features), found a sample of shape {shape}"
        )
