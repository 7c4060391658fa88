"""Images and sequences as vectors."""

from __future__ import annotations

import torch

from ..errors import Unsupported
from .layer import Layer, Lowering, register_layer
from .tensor import require_quantized

__all__ = ["Flatten"]


@register_layer
class Flatten(Layer):
    """All axes but the batch in one; ``torch.nn.Flatten`` and ``torch.flatten(x, 1)`` do as well."""

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.flatten(x, 1)

    def eval_forward(self, x) -> torch.Tensor:
        return torch.flatten(require_quantized(x, self.where), 1)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        kind = lowering.type(x)
        if len(kind.shape) == 1:
            return x
        scale = lowering.scale(x)
        pixels = kind.size // kind.channels
        if scale.ndim and pixels > 1:
            raise Unsupported(
                "must not follow values that have one scale a channel; "
                "put a hwgen.nn.Activation before it"
            )
        value = lowering.add("flatten", x, scale=scale)
        if kind.channels > 1 and pixels > 1 and len(kind.shape) == 3:
            lowering.images[value] = kind.shape
        return value
