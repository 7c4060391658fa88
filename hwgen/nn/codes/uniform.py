"""Uniform weights: training and deployed integers."""

from __future__ import annotations

import numpy as np
import torch

from ...errors import InvalidInput
from ...ir.constant import Constant
from ...ops.codes.uniform import Uniform
from ..code import WeightQuantizer, register_quantizer
from ..layer import check_bits
from ..scale import Scale, best_scale, column, fake_quantize

__all__ = ["UniformQuantizer"]


@register_quantizer
class UniformQuantizer(Scale, WeightQuantizer):
    """Integers in ``[-(2^(bits-1) - 1), 2^(bits-1) - 1]``, symmetric, times a scale.

    The scale begins as that of least squared error on the first weights.

    Parameters
    ----------
    bits
        2 to 8; a layer takes 1 for the code "binary".
    per_channel
        One scale for every output channel instead of one for all.
    scale
        "learned", "power_of_two", or the scale itself.
    """

    fine = True

    def __init__(self, shape, bits: int, per_channel: bool, scale: str | float) -> None:
        super().__init__(scale, shape[0] if per_channel else None)
        self.bits = check_bits(bits, "bits")  # 1 is the code "binary"
        self.per_channel = per_channel

    @property
    def is_started(self) -> bool:
        return self.is_ready

    @property
    def _levels(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def _initialize(self, weight: torch.Tensor) -> None:
        rows = weight.detach().reshape(len(weight), -1)
        if not self.per_channel:
            rows = rows.reshape(-1)
        # A channel of small weights gets no finer scale than 1/256 of the coarsest: all channels
        # share one shift, and their multipliers must keep some bits.
        floor = max(float(rows.abs().max()) / self._levels / 256, 2.0**-30)
        two = self.mode == "power_of_two"
        scale = best_scale(rows, -self._levels, self._levels, power_of_two=two, floor=floor)
        self.set(scale)

    def fake(self, weight, keep):
        if not self.is_ready:
            self._initialize(weight if keep is None else weight * keep)
        step = column(self().to(weight), weight)
        return fake_quantize(weight, step, -self._levels, self._levels)

    def integers(self, rows, keep, signs):
        if keep is not None:
            rows = rows * torch.as_tensor(keep)
        if not self.is_ready:
            self._initialize(rows)
        step = self.deployed()
        ratio = rows / column(torch.as_tensor(step), rows)
        weights = torch.round(ratio).clamp(-self._levels, self._levels).numpy().astype(np.int64)
        if not weights.any():
            raise InvalidInput(
                f"weight must not be all zero, found that all of it rounds to zero at scale "
                f"{np.min(step):.3g} (the largest is {float(rows.abs().max()):.3g}); take more "
                f"bits, or train with a finer scale"
            )
        return weights * signs[:, None], step

    def code(self, weights, signs):
        return Uniform(Constant(weights), self.bits)
