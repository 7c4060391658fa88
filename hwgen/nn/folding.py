"""Batch norm behind a layer whose weights are quantized first."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InvalidInput
from .scale import nearest_power

__all__ = ["SMALLEST", "along", "folded_factor", "gain", "normalized"]

SMALLEST = 1e-6  # training divides by the batch norm's factor: keep it away from zero
FINEST = 2.0**-14  # least scale of a channel, in those of the coarsest: they share one shift


def folded_factor(norm: nn.Module) -> torch.Tensor:
    """What the running statistics make a batch norm multiply each channel with."""
    return norm.weight / torch.sqrt(norm.running_var + norm.eps)


def along(values: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """One value a channel, shaped to broadcast against ``y`` (batch, channels, ...)."""
    return values.reshape(-1, *(1,) * (y.dim() - 2))


def normalized(y: torch.Tensor, norm: nn.Module, frozen: bool, power_of_two: bool) -> torch.Tensor:
    """Batch norm of ``y`` while training, its factors rounded as :func:`gain` rounds them.

    Parameters
    ----------
    frozen
        With the running statistics, which stay as they are.
    power_of_two
        Round the factors to powers of two; the mean stays where it is.
    """
    if frozen:
        statistics = norm.running_mean, norm.running_var
        z = F.batch_norm(y, *statistics, norm.weight, norm.bias, False, 0.0, norm.eps)
    else:
        z = norm(y)
    if not power_of_two:
        return z
    factor = folded_factor(norm).detach().abs().clamp_min(SMALLEST)
    bias = along(norm.bias, y)
    return (z - bias) * along(nearest_power(factor) / factor, y) + bias


def gain(factor: torch.Tensor, power_of_two: bool) -> torch.Tensor:
    """Batch norm's factors as scales of the channels, with their signs.

    No scale is finer than 2^-14 of the coarsest: all of them share the shift of one
    requantization.
    """
    size = factor.abs()
    if not size.any():
        raise InvalidInput("norm.weight must not be all zero")
    size = size.clamp_min(float(size.max()) * FINEST)
    if power_of_two:
        size = nearest_power(size)
    return torch.where(factor < 0, -size, size)
