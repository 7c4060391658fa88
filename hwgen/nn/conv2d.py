"""Convolutions, grouped and depthwise included."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InvalidInput
from .layer import Lowering, pair, register_layer
from .weighted import Weighted

__all__ = ["Conv2d"]


@register_layer
class Conv2d(Weighted):
    """``torch.nn.Conv2d`` with quantized weights; lowers to ``conv2d``.

    Dilation is 1 and padding is with zeros.

    Parameters
    ----------
    in_channels, out_channels
        Sizes; ``groups`` divides both.
    kernel_size, stride, padding
        An integer or (vertical, horizontal); the padding is less than the kernel.
    groups
        Equal to ``in_channels`` for a depthwise convolution.
    bias
        Whether there is a bias; it is quantized to the accumulator's scale.
    code, bits, per_channel, scale, batch_norm, options
        As for :class:`~hwgen.nn.Linear`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size,
        stride=1,
        padding=0,
        groups: int = 1,
        bias: bool = True,
        *,
        code: str = "uniform",
        bits: int | None = None,
        per_channel: bool = False,
        scale: str | float = "learned",
        batch_norm: bool = False,
        **options,
    ) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise InvalidInput(
                f"groups must divide the {in_channels} input and {out_channels} output channels, "
                f"not {groups}"
            )
        kernel = pair(kernel_size, "kernel_size")
        weight = torch.empty(out_channels, in_channels // groups, *kernel)
        nn.init.kaiming_uniform_(weight, a=5**0.5)
        norm = nn.BatchNorm2d(out_channels) if batch_norm else None
        super().__init__(
            weight,
            bias,
            norm,
            code=code,
            bits=bits,
            per_channel=per_channel,
            scale=scale,
            options=options,
        )
        self.kernel_size, self.groups = kernel, groups
        self.stride, self.padding = pair(stride, "stride"), pair(padding, "padding")
        if any(not 0 <= p < k for p, k in zip(self.padding, kernel, strict=True)):
            raise InvalidInput(
                f"padding must be 0 or more and less than the kernel {kernel}, not {self.padding}"
            )

    @property
    def in_channels(self) -> int:
        return self.weight.shape[1] * self.groups

    @property
    def out_channels(self) -> int:
        return self.weight.shape[0]

    def product(self, x, weight, bias=None) -> torch.Tensor:
        return F.conv2d(x, weight, bias, self.stride, self.padding, 1, self.groups)

    def layout(self, image) -> tuple[np.ndarray, tuple[int, ...]]:
        """PyTorch has (channels, height, width), the graph (height, width, channels)."""
        shape = tuple(self.weight.shape[1:])
        order = np.arange(math.prod(shape)).reshape(shape).transpose(1, 2, 0)
        return order.reshape(-1), order.shape

    def check_input(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[0] != self.in_channels:
            raise InvalidInput(
                f"input must be ({self.in_channels}, height, width), found shape {shape}"
            )
        for size, kernel, padding in zip(shape[1:], self.kernel_size, self.padding, strict=True):
            if size + 2 * padding < kernel:
                raise InvalidInput(
                    f"kernel {self.kernel_size} must fit the image of {shape[1]} x {shape[2]} "
                    f"pixels, padded by {self.padding}"
                )

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        shape = lowering.type(inputs[0]).shape
        self.check_input((shape[-1], *shape[:-1]))
        parts = self.deployed(lowering.scale(inputs[0]))
        return lowering.add(
            "conv2d",
            *inputs,
            weights=parts.code,
            bias=parts.bias,
            stride=self.stride,
            padding=self.padding,
            groups=self.groups,
            scale=parts.scale,
        )
