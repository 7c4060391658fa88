"""Average pooling: exact sums, whose division is part of the scale."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..errors import InvalidInput, Unsupported
from .layer import Layer, Lowering, pair, register_layer
from .tensor import QTensor, require_quantized

__all__ = ["AvgPool2d", "GlobalAvgPool2d"]


@register_layer
class AvgPool2d(Layer):
    """``torch.nn.AvgPool2d``, padding counted in.

    The integers are the window's sum and the scale is divided by its size: nothing is rounded
    until the next :class:`~hwgen.nn.Activation`.

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
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)

    def eval_forward(self, x) -> QTensor:
        return _window_sum(
            require_quantized(x, self.where), self.kernel_size, self.stride, self.padding
        )

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        return _lower(lowering, inputs[0], self.kernel_size, self.stride, self.padding)


@register_layer
class GlobalAvgPool2d(Layer):
    """Average over the whole image: (batch, channels, h, w) to (batch, channels, 1, 1).

    Lowers to ``avg_pool2d`` with the image's size as kernel.
    """

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3), keepdim=True)

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        size = tuple(x.shape[2:])
        return _window_sum(x, size, size, (0, 0))

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        shape = lowering.type(inputs[0]).shape
        if len(shape) != 3:
            raise Unsupported(f"input must be an image, found shape {shape}")
        return _lower(lowering, inputs[0], shape[:2], shape[:2], (0, 0))


def _window_sum(x: QTensor, kernel, stride, padding) -> QTensor:
    sums = F.avg_pool2d(x.ints.double(), kernel, stride, padding, divisor_override=1)
    return QTensor.of(torch.round(sums), x.scale.cpu().numpy() / (kernel[0] * kernel[1]))


def _lower(lowering: Lowering, value: str, kernel, stride, padding) -> str:
    return lowering.add(
        "avg_pool2d",
        value,
        kernel=kernel,
        stride=stride,
        padding=padding,
        scale=lowering.scale(value) / (kernel[0] * kernel[1]),
    )
