"""The exit of a stochastic network: streams become numbers."""

from __future__ import annotations

import torch

from ..errors import InvalidInput
from .layer import Layer, Lowering, register_layer
from .tensor import QTensor, require_quantized

__all__ = ["Accumulate"]


@register_layer
class Accumulate(Layer):
    """Sums of streams over all steps, (batch, steps, n) to (batch, n), in units of their mean.

    In training mode the values pass through.
    """

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        steps = _steps(tuple(x.shape[1:]))
        return QTensor.of(x.ints.sum(1), x.scale.cpu().numpy() / steps)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        steps = _steps(lowering.type(x).shape)
        return lowering.add("accumulate", x, scale=lowering.scale(x) / steps)


def _steps(shape: tuple[int, ...]) -> int:
    if len(shape) != 2:
        raise InvalidInput(
            f"input must be a stream (steps, features), found a sample of shape {shape}"
        )
    return shape[0]
