"""Maximum pooling."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..errors import InvalidInput
from .layer import Layer, Lowering, pair, register_layer
from .tensor import require_quantized

__all__ = ["MaxPool2d"]


@register_layer
class MaxPool2d(Layer):
    """``torch.nn.MaxPool2d``, which does as well: a maximum keeps the integers.

    Parameters
    ----------
    kernel_size, stride, padding
        An integer or (vertical, horizontal); the stride is the kernel's size if not given, the
        padding at most half of it.
    """

    def __init__(self, kernel_size, stride=None, padding=0) -> None:
        super().__init__()
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = self.kernel_size if stride is None else pair(stride, "stride")
        self.padding = pair(padding, "padding")
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise InvalidInput(
                f"padding must be at most half the kernel {self.kernel_size}, not {self.padding}"
            )

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)

    def eval_forward(self, x) -> torch.Tensor:
        return self.train_forward(require_quantized(x, self.where))

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        return lowering.add(
            "max_pool2d",
            *inputs,
            kernel=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            scale=lowering.scale(inputs[0]),
        )
