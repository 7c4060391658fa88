"""Power-of-two weights: training and deployed integers."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from ...errors import InvalidInput
from ...ir.constant import Constant
from ...ops.codes.power_of_two import PowerOfTwo
from ..code import WeightQuantizer, register_quantizer
from ..scale import MODES, nearest_power

__all__ = ["PowerOfTwoQuantizer"]

REACHES = {2: 1.0, 3: 2.0, 4: 3.0}  # c, by bits


@register_quantizer
class PowerOfTwoQuantizer(nn.Module, WeightQuantizer):
    """Zero or ``+-2^-k s``, ``k`` in ``0..K-1``, ``K = 2^(bits-1) - 1``.

    The largest magnitude s is ``c`` deviations of the layer's weights, rounded to a power of two. A
    weight takes the exponent nearest to its own; below half of the smallest magnitude it is zero.
    After "Standard Deviation Based Power of Two Quantization" (arXiv 2202.12422).

    The deviation, a root mean square, is measured in every forward pass until it is frozen. Freeze
    it after the first part of the training: weights that the dead zone holds keep shrinking the
    deviation otherwise.

    Parameters
    ----------
    bits
        2 to 4: 1, 3 or 7 magnitudes.
    per_channel
        Must be False: one deviation a layer.
    scale
        "learned" or "power_of_two", which says how batch norm is folded; the step itself always is
        a power of two.
    c
        Largest magnitude in deviations; by default 1, 2, 3 for 2, 3, 4 bits.
    tau
        Weights below ``tau`` deviations are zero: more zeros, 0 to about 1.5.
    """

    default_bits = 3

    def __init__(
        self,
        shape,
        bits: int,
        per_channel: bool,
        scale: str | float,
        *,
        c: float | None = None,
        tau: float = 0.0,
    ) -> None:
        super().__init__()
        if bits not in REACHES or isinstance(bits, bool):
            raise InvalidInput(f"bits must be 2, 3 or 4 for code 'power_of_two', not {bits!r}")
        if per_channel:
            raise InvalidInput(
                "per_channel must be False for code 'power_of_two': its scale is the deviation of "
                "the layer's weights; batch_norm=True gives every channel a factor of its own"
            )
        if scale not in MODES:
            raise InvalidInput(
                f"scale must be 'learned' or 'power_of_two' for code 'power_of_two', whose step "
                f"follows from its weights, not {scale!r}; c= widens it"
            )
        self.bits, self.mode = bits, scale
        self.c = REACHES[bits] if c is None else _number(c, "c", 2.0**-10)
        self.tau = _number(tau, "tau", 0.0)
        self.register_buffer("deviation", torch.tensor(0.0))
        self.register_buffer("frozen", torch.tensor(False))

    @property
    def magnitudes(self) -> int:
        """``K``, the number of powers of two."""
        return (1 << (self.bits - 1)) - 1

    def freeze(self, frozen=True):
        if frozen and not self.deviation:
            raise InvalidInput("the weights' deviation is not known yet; train on a batch first")
        self.frozen.fill_(frozen)

    @torch.no_grad()
    def _deviation(self, weight: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
        """Root mean square of the weights in use, in single precision."""
        if self.frozen:
            return self.deviation.to(weight.device)
        used = weight if keep is None else weight[keep]
        return used.double().square().mean().sqrt().float()

    def _levels(self, weight: torch.Tensor, deviation: torch.Tensor) -> tuple:
        """Integers ``+-2^(K-1-k)`` or zero, and the real value of the largest."""
        largest = nearest_power(self.c * deviation.clamp_min(1e-30)).to(weight)
        magnitude = (weight / largest).abs().clamp(max=1.0)
        smallest = 2.0 ** (1 - self.magnitudes)
        level = nearest_power(magnitude.clamp_min(smallest)) / smallest
        zero = (magnitude < smallest / 2) | (weight.abs() < (self.tau * deviation).to(weight))
        return torch.where(zero, 0.0, torch.copysign(level, weight)), largest

    def fake(self, weight, keep):
        deviation = self._deviation(weight, keep)
        if not self.frozen:
            self.deviation.copy_(deviation)
        with torch.no_grad():
            level, largest = self._levels(weight, deviation)
            used = level * largest * 2.0 ** (1 - self.magnitudes)
        clipped = torch.clamp(weight, -float(largest), float(largest))
        return clipped + (used - clipped).detach()

    def integers(self, rows, keep, signs):
        mask = None if keep is None else torch.as_tensor(keep)
        deviation = self._deviation(rows, mask)
        weights, largest = self._levels(rows, deviation)
        used = rows if mask is None else rows[mask]
        if not (weights if mask is None else weights[mask]).any():
            self._refuse(used, float(deviation), float(largest))
        step = np.float64(float(largest)) * 2.0 ** (1 - self.magnitudes)
        return weights.numpy().astype(np.int64) * signs[:, None], np.asarray(step)

    def _refuse(self, used: torch.Tensor, deviation: float, largest: float) -> None:
        most = float(used.abs().max())
        pruned = self.tau * deviation > most
        bound = self.tau * deviation if pruned else largest * 2.0**-self.magnitudes
        reach = math.floor(most / deviation * 100) / 100
        raise InvalidInput(
            f"weight must not be all zero, found that tau {self.tau:g} drops all {used.numel()}: "
            f"{bound:.3g} is above the largest, {most:.3g}; tau must be at most {reach:.2f} here "
            f"(1.5 prunes most layers enough), and the deviation be frozen after the warm-up"
            if pruned
            else f"weight must not be all zero, found that all {used.numel()} are below the dead "
            f"zone of {bound:.3g} (the largest is {most:.3g}, the frozen deviation "
            f"{deviation:.3g}); freeze the deviation later, or take a smaller c"
        )

    def code(self, weights, signs):
        return PowerOfTwo(Constant(weights), self.bits)


def _number(value, name: str, least: float) -> float:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not (real and math.isfinite(value) and value >= least):
        raise InvalidInput(f"{name} must be a finite number of {least:g} or more, not {value!r}")
    return float(value)
