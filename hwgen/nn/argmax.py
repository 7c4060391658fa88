"""The class of a classifier."""

from __future__ import annotations

import torch

from ..errors import Unsupported
from .layer import Layer, Lowering, register_layer
from .tensor import QTensor, require_quantized

__all__ = ["ArgMax"]


@register_layer
class ArgMax(Layer):
    """Index of the largest element, (batch, n) to (batch, 1); of equals the first.

    Of sequences (batch, steps, n) that of every step, (batch, steps, 1).

    In training mode the values pass through, for a loss to work on.
    """

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        if x.dim() not in (2, 3):
            raise Unsupported(
                f"input must be (batch, n) or (batch, steps, n), found shape {tuple(x.shape)}"
            )
        self._check(x.scale.dim(), x.image and x.image[1:])
        ints = x.ints
        index = torch.arange(ints.shape[-1], device=ints.device).expand_as(ints)
        largest = ints == ints.amax(-1, keepdim=True)
        first = torch.where(largest, index, ints.shape[-1]).amin(-1, keepdim=True)
        return QTensor.of(first, 1.0)

    @staticmethod
    def _check(scales: int, size) -> None:
        if scales:
            raise Unsupported(
                "input must have one scale, or integers do not compare, found one a channel; use "
                "per_channel=False in the layer before, or an Activation(signed=True) between"
            )
        if size:
            raise Unsupported(
                f"input must not be a flattened image, whose order differs between PyTorch and the "
                f"graph, found one of {size[0]} x {size[1]} pixels"
            )

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        image = lowering.images.get(x)
        self._check(lowering.scale(x).ndim, image and image[:2])
        return lowering.add("argmax", x, scale=1.0)
