"""Gate functions of recurrent layers in PyTorch: deployed, on integers, and to train with.

What they compute is in docs/ir.md.
"""

from __future__ import annotations

import torch

from ..ops.lib.gates import sigmoid_table

__all__ = ["narrow", "sigmoid", "tanh", "trained_sigmoid", "trained_tanh"]


def narrow(x: torch.Tensor, shift: int, bits: int = 12) -> torch.Tensor:
    """``x / 2^shift`` rounded half up, saturated to ``bits`` bits."""
    rounded = torch.div(x + (1 << shift) // 2, 1 << shift, rounding_mode="floor")
    return rounded.clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def sigmoid(z: torch.Tensor, activation: str) -> torch.Tensor:
    """Q4.8 to Q0.8: the piecewise linear form, or the table of 256 entries."""
    if activation == "table":
        table = torch.as_tensor(sigmoid_table().copy(), device=z.device)
        return table[torch.div(z, 16, rounding_mode="floor") + 128]
    size = z.abs()
    # Each line lies above the ones before it from its own beginning on.
    y = torch.where(size >= 256, size // 8 + 160, size // 4 + 128)
    y = torch.where(size >= 608, size // 32 + 216, y)
    y = torch.where(size >= 1280, 256, y)
    return torch.where(z < 0, 256 - y, y)


def tanh(z: torch.Tensor, activation: str) -> torch.Tensor:
    """``2 sigmoid(2 z) - 1``: Q4.8 to Q0.8."""
    return 2 * sigmoid((2 * z).clamp(-2048, 2047), activation) - 256


class _Deployed(torch.autograd.Function):
    """A sigmoid as it is deployed, without its roundings, with the gradient of the true one."""

    @staticmethod
    def forward(ctx, x, activation):
        ctx.save_for_backward(x)
        if activation == "table":
            return torch.sigmoid(x)
        size = x.abs()
        # Less a half; each line is the lowest one where it holds.
        y = torch.minimum(size * 0.25, size * 0.125 + 0.125)
        y = torch.minimum(y, size * 0.03125 + 0.34375).clamp_(max=0.5)
        return y.copysign_(x).add_(0.5)

    @staticmethod
    def backward(ctx, gradient):
        y = torch.sigmoid(ctx.saved_tensors[0])
        return gradient * y * (1 - y), None


def trained_sigmoid(x: torch.Tensor, activation: str) -> torch.Tensor:
    """The deployed sigmoid of real numbers, without its roundings, and the true one's gradient."""
    return _Deployed.apply(x, activation)


def trained_tanh(x: torch.Tensor, activation: str) -> torch.Tensor:
    """The same of tanh."""
    return 2 * trained_sigmoid(2 * x, activation) - 1
