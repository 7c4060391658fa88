"""Weights of a few signs: real shadow weights behind what is used."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from ..errors import InvalidInput
from .code import WeightQuantizer
from .scale import Scale, column

__all__ = ["Shadow"]

REACH = 2.1  # shadow weights of 1, in mean magnitudes of the real ones


class Shadow(Scale, WeightQuantizer):
    """Weights in {-1, 0, +1} times a scale, of real shadow weights in -1..1.

    Shadow weights are clipped to -1..1 before each use and gradients go straight through
    (Courbariaux et al., "BinaryConnect", 2015); one learning rate does for layers of all sizes.
    Real weights are divided by 2.1 of their mean magnitude, so that the threshold 1/3 of ternary
    weights is 0.7 of the mean (Li et al., "Ternary Weight Networks", 2016), and the scale begins as
    that of least squared error (Rastegari et al., "XNOR-Net", 2016).

    Parameters
    ----------
    bits
        Only the code's own width.
    per_channel
        One scale for every output channel instead of one for all.
    scale
        "learned", "power_of_two", or the scale itself.
    stochastic
        Train with weights drawn anew in every forward pass; the deployed ones are those of a
        threshold. Recalibrate the batch norm afterwards.
    """

    threshold: ClassVar[float]

    def __init__(
        self, shape, bits: int, per_channel: bool, scale: str | float, *, stochastic: bool = False
    ) -> None:
        super().__init__(scale, shape[0] if per_channel else None)
        if bits != self.default_bits:
            name = type(self).__module__.rpartition(".")[2]
            raise InvalidInput(f"bits must be {self.default_bits} for code {name!r}, not {bits!r}")
        if not isinstance(stochastic, bool):
            raise InvalidInput(f"stochastic must be True or False, not {stochastic!r}")
        self.bits, self.per_channel, self.stochastic = bits, per_channel, stochastic

    @staticmethod
    def signs(u: torch.Tensor) -> torch.Tensor:
        """The deployed weights of shadow weights."""
        raise NotImplementedError

    @staticmethod
    def draw(u: torch.Tensor) -> torch.Tensor:
        """Weights drawn at random whose mean is ``u``."""
        raise NotImplementedError

    def start(self, weight):
        weight = weight.detach()
        mean = float(weight.abs().mean())
        if not mean > 0:
            return weight
        shadow = (weight / (REACH * mean)).clamp(-1, 1)
        self._initialize(weight, self.signs(shadow) != 0)
        return shadow

    def settled(self, weight):
        return self.signs(weight)

    def _initialize(self, weight: torch.Tensor, used: torch.Tensor) -> None:
        """The mean magnitude of the weights in use."""
        if isinstance(self.mode, float):
            return
        axis = 1 if self.per_channel else (0, 1)
        total = (weight.abs() * used).flatten(1).sum(axis)
        self.set((total / used.flatten(1).sum(axis).clamp_min(1)).clamp_min(2.0**-20))

    def fake(self, weight, keep):
        if not self.is_ready:
            self._initialize(weight.detach(), self.signs(weight.detach()) != 0)
        with torch.no_grad():
            weight.clamp_(-1, 1)
            used = self.draw(weight) if self.stochastic else self.signs(weight)
        return (weight + (used - weight).detach()) * column(self().to(weight), weight)

    def integers(self, rows, keep, signs):
        weights = self.signs(rows)
        if keep is not None:
            weights = weights * torch.as_tensor(keep)
        if not self.is_ready:
            self._initialize(rows, weights != 0)
        if not weights.any():
            raise InvalidInput(
                f"weight must not be all zero, found that none of its {weights.numel()} values "
                f"reaches {self.threshold:.3g} (the largest is {float(rows.abs().max()):.3g}); "
                f"train with a higher rate, or begin again with fresh weights"
            )
        return weights.numpy().astype(np.int64) * signs[:, None], self.deployed()
