"""The exact rectifier: no rescaling, no rounding."""

from __future__ import annotations

import torch

from .layer import Layer, Lowering, register_layer
from .tensor import require_quantized

__all__ = ["ReLU"]


@register_layer
class ReLU(Layer):
    """``max(x, 0)`` on the integers as they are; ``torch.nn.ReLU`` does as well.

    :class:`~hwgen.nn.Activation` rectifies and requantizes in one and needs no ReLU before it.
    """

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x)

    def eval_forward(self, x) -> torch.Tensor:
        return torch.relu(require_quantized(x, self.where))

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        value = lowering.add("clip", x, lo=0, hi=None, scale=lowering.scale(x))
        if x in lowering.images:
            lowering.images[value] = lowering.images[x]
        return value
