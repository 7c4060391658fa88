"""Quantization scales: trained, restricted to powers of two, or fixed."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput

__all__ = ["Scale", "best_scale", "column", "fake_quantize", "nearest_power"]

MODES = ("learned", "power_of_two")


class Scale(nn.Module):
    """The step of a uniform quantizer, trained in the logarithmic domain.

    ``scale = 2^t`` with a trained real t ("learned"), or ``2^round(t)`` with a straight-through
    gradient ("power_of_two"), as in Jain et al., "Trained Quantization Thresholds for Accurate and
    Efficient Fixed-Point Inference of Deep Neural Networks", 2020; or a given number, not trained.

    Parameters
    ----------
    mode
        "learned", "power_of_two", or the scale itself (positive).
    channels
        None for one scale, else the number of channels, each with its own.
    """

    def __init__(self, mode: str | float, channels: int | None = None) -> None:
        super().__init__()
        shape = () if channels is None else (channels,)
        if isinstance(mode, str):
            if mode not in MODES:
                raise InvalidInput(
                    f"scale must be 'learned', 'power_of_two' or a positive number, not {mode!r}"
                )
            self.mode: str | float = mode
            self.log2 = nn.Parameter(torch.zeros(shape))
            self.register_buffer("ready", torch.tensor(False))
        else:
            self.mode = float(mode)
            if not (math.isfinite(self.mode) and self.mode > 0):
                raise InvalidInput(f"scale must be positive and finite, not {mode!r}")

    @property
    def is_ready(self) -> bool:
        """Whether the scale is known: fixed, set, or loaded from a checkpoint."""
        return isinstance(self.mode, float) or bool(self.ready)

    @torch.no_grad()
    def set(self, value) -> None:
        """Start from ``value``: one number or one a channel."""
        value = torch.as_tensor(value, dtype=torch.float64)
        self.log2.copy_(torch.log2(value.clamp_min(2.0**-40)).to(self.log2))
        self.ready.fill_(True)

    def forward(self) -> torch.Tensor:
        """The scale as a tensor to train through."""
        if isinstance(self.mode, float):
            return torch.tensor(self.mode)
        exponent = self.log2
        if self.mode == "power_of_two":
            exponent = exponent + (torch.round(exponent) - exponent).detach()
        return torch.exp2(exponent)

    def deployed(self) -> np.ndarray:
        """The scale as float64: shape () or (channels,)."""
        if isinstance(self.mode, float):
            return np.array(self.mode)
        exponent = self.log2.detach().cpu().double().numpy()
        if not np.all(np.isfinite(exponent)):
            raise InvalidInput("scale must be finite, found NaN or infinity; train again")
        if self.mode == "power_of_two":
            return np.exp2(np.rint(exponent))
        # Exponentials differ in the last bit between machines; in single precision they do not,
        # so that one checkpoint gives one graph everywhere.
        return np.exp2(exponent).astype(np.float32).astype(np.float64)


def column(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """One value a channel (or one for all), shaped to broadcast against ``weight``."""
    return values.reshape(-1, *(1,) * (weight.dim() - 1)) if values.dim() else values


def nearest_power(values: torch.Tensor) -> torch.Tensor:
    """``2^round(log2(values))`` of positive values, exact on every machine."""
    mantissa, exponent = torch.frexp(values)  # values = mantissa * 2^exponent, 0.5 <= mantissa < 1
    return torch.ldexp(torch.ones_like(values), exponent - (mantissa < 0.5**0.5).to(exponent))


def fake_quantize(x: torch.Tensor, scale: torch.Tensor, lo: int, hi: int) -> torch.Tensor:
    """``scale * clip(round(x / scale), lo, hi)`` with straight-through gradients.

    The gradient passes where x is not clipped; the scale's is that of Esser et al., "Learned Step
    Size Quantization", 2020, damped by ``1 / sqrt(elements * hi)``. ``scale`` broadcasts against x.
    """
    damping = 1.0 / math.sqrt(max(1, x.numel() // max(1, scale.numel())) * max(1, hi))
    scale = scale * damping + (scale * (1 - damping)).detach()
    ratio = torch.clamp(x / scale, lo, hi)
    return (ratio + (torch.round(ratio) - ratio).detach()) * scale


@torch.no_grad()
def best_scale(
    x: torch.Tensor, lo: int, hi: int, *, power_of_two: bool = False, floor: float = 0.0
) -> torch.Tensor:
    """The scale of least squared error for a set of values.

    Parameters
    ----------
    x
        Values of shape (n,) or (channels, n).
    lo, hi
        The quantizer's range.
    power_of_two
        Choose among powers of two only.
    floor
        Smallest scale. Values that are all zero get one for a range of 1.

    Returns
    -------
    Shape () or (channels,).
    """
    x = x.double()
    if lo >= 0:
        x = x.clamp_min(0.0)
    steps = max(hi, -lo)
    largest = x.abs().amax(-1)
    full = (torch.where(largest > 0, largest, 1.0) / steps).clamp_min(floor)
    if power_of_two:
        top = torch.ceil(torch.log2(full))
        candidates = [torch.exp2(top - k) for k in range(6)]
    else:
        candidates = [full * (1.0 - 0.02 * k) for k in range(46)]
    best, least = candidates[0], torch.full_like(full, math.inf)
    for scale in candidates:
        step = scale[..., None]
        error = ((torch.clamp(torch.round(x / step), lo, hi) * step - x) ** 2).mean(-1)
        best = torch.where(error < least, scale, best)
        least = torch.minimum(error, least)
    return best
