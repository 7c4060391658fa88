"""Rescaling between two scales, as deployed: a multiplier, a shift and a saturation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..ops.lib.fixed_point import multiplier_and_shift
from .layer import Lowering
from .tensor import QTensor, along_channels

__all__ = ["Rescale"]


@dataclass(frozen=True)
class Rescale:
    """``clip((x * multiplier + 2^(shift-1)) >> shift, lo, hi)``, see ``hwgen.ops.requantize``.

    Attributes
    ----------
    multiplier, shift
        int64, shape () or (channels,).
    lo, hi
        Bounds of the result.
    scale
        Scale of the result.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    lo: int
    hi: int
    scale: np.ndarray

    @classmethod
    def between(cls, source: np.ndarray, target: np.ndarray, lo: int, hi: int) -> Rescale:
        """From integers of scale ``source`` (one, or one a channel) to integers of ``target``."""
        multiplier, shift = multiplier_and_shift(source / target)
        return cls(np.asarray(multiplier), np.asarray(shift), lo, hi, np.asarray(target))

    def __call__(self, x: QTensor) -> QTensor:
        """The rescaled values, computed in int64."""
        ints = x.ints
        multiplier, shift = (
            along_channels(torch.as_tensor(v, device=ints.device), ints.dim())
            for v in (self.multiplier, self.shift)
        )
        half = torch.where(shift > 0, 1 << (shift - 1).clamp_min(0), 0)
        result = ((ints * multiplier + half) >> shift).clamp(self.lo, self.hi)
        return QTensor.of(result, self.scale, x.image)

    def lower(self, lowering: Lowering, value: str, suffix: str = "") -> str:
        """Append a ``requantize``."""
        result = lowering.add(
            "requantize",
            value,
            multiplier=self.multiplier,
            shift=self.shift,
            lo=self.lo,
            hi=self.hi,
            scale=self.scale,
            suffix=suffix,
        )
        if value in lowering.images:
            lowering.images[result] = lowering.images[value]
        return result
