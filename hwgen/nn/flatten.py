"""Images as vectors."""

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
        height, width, channels = kind.shape
        if scale.ndim and height * width > 1:
            raise Unsupported(
                "must not follow values that have one scale a channel; "
                "put a hwgen.nn.Activation before it"
            )
        value = lowering.add("flatten", x, scale=scale)
        if channels > 1 and height * width > 1:
            lowering.images[value] = kind.shape
        return value
