"""The product of two streams, one of them of bits."""

from __future__ import annotations

import torch

from ..errors import InvalidInput
from .layer import Layer, Lowering, register_layer
from .tensor import QTensor, require_quantized

__all__ = ["StreamMultiply"]


@register_layer
class StreamMultiply(Layer):
    """A stream of integers times a stream of bits, elementwise; means multiply if they are independent.

    In training mode the product of the values.
    """

    def train_forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a * b

    def eval_forward(self, a, b) -> QTensor:
        a, b = (require_quantized(x, self.where) for x in (a, b))
        _check(tuple(a.shape[1:]), tuple(b.shape[1:]))
        return QTensor.of(a.ints * b.ints, (a.scale * b.scale).cpu().numpy())

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        a, b = inputs
        _check(lowering.type(a).shape, lowering.type(b).shape)
        scale = lowering.scale(a) * lowering.scale(b)
        return lowering.add("stream_multiply", a, b, scale=scale)


def _check(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    if len(a) != 2 or a != b:
        raise InvalidInput(
            f"inputs must be streams (steps, features) of one shape, found samples of {a} and {b}"
        )
