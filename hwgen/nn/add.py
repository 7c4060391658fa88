"""Sums of two values: residual connections."""

from __future__ import annotations

import torch

from ..errors import Unsupported
from .layer import Lowering, register_layer
from .requantize import Quantizer
from .tensor import QTensor, require_quantized

__all__ = ["Add"]


@register_layer
class Add(Quantizer):
    """``a + b``, both requantized to one scale first; lowers to two ``requantize`` and an ``add``.

    The sum itself is exact and has one bit more.

    Parameters
    ----------
    bits, signed
        The integers that both operands are requantized to, 2 to 8 bits (1 if unsigned).
    scale
        "learned", "power_of_two", or the scale itself.
    """

    def __init__(self, bits: int = 8, signed: bool = True, scale: str | float = "learned") -> None:
        super().__init__(bits, scale, signed)
        self.bits, self.signed = bits, bool(signed)

    def train_forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        a, b = self.fake(a, b)
        return a + b

    def eval_forward(self, a, b) -> QTensor:
        a, b = (require_quantized(v, self.where) for v in (a, b))
        if a.shape != b.shape:
            raise Unsupported(
                f"operands must have one shape, found {tuple(a.shape)} and {tuple(b.shape)}"
            )
        _check_order(a.image, b.image)
        a, b = (self.rescale(v.scale.cpu().numpy())(v) for v in (a, b))
        return QTensor.of(a.ints + b.ints, self._scale.deployed(), a.image)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        _check_order(*(lowering.images.get(value) for value in inputs))
        a, b = (
            self.rescale(lowering.scale(value)).lower(lowering, value, suffix)
            for value, suffix in zip(inputs, ("a", "b"), strict=True)
        )
        value = lowering.add("add", a, b, scale=self._scale.deployed())
        if a in lowering.images:
            lowering.images[value] = lowering.images[a]
        return value


def _check_order(a, b) -> None:
    if a != b:
        raise Unsupported(
            "operands must both be flattened from images of one shape, or neither; add before "
            "flattening"
        )
