"""The integers of a layer with weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.code import WeightCode

__all__ = ["Deployed"]


@dataclass(frozen=True)
class Deployed:
    """A layer's integers.

    Attributes
    ----------
    weights
        int64, in PyTorch's layout, output channels first.
    code
        The same weights as a code, in the graph's layout.
    bias
        int64, shape (outputs,), in units of the accumulator.
    scale
        float64: scale of the accumulator, shape () or (outputs,).
    factor
        float64: what batch norm multiplies each channel with, shape () or (outputs,); it is a part
        of weights and scale.
    """

    weights: np.ndarray
    code: WeightCode
    bias: np.ndarray
    scale: np.ndarray
    factor: np.ndarray
