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


def trained_sigmoid(x: torch.Tensor, activation: str) -> torch.Tensor:
    """The deployed sigmoid of real numbers, without its roundings, and the true one's gradient."""
    y = torch.sigmoid(x)
    if activation == "table":
        return y
    with torch.no_grad():
        size = x.abs()
        plan = torch.minimum(size / 4 + 0.5, size / 8 + 0.625)
        plan = torch.minimum(plan, size / 32 + 0.84375).clamp_max(1.0)
        gap = torch.where(x < 0, 1 - plan, plan) - y
    return y + gap


def trained_tanh(x: torch.Tensor, activation: str) -> torch.Tensor:
    """The same of tanh."""
    return 2 * trained_sigmoid(2 * x, activation) - 1
