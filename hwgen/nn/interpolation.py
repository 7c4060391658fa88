"""Functions given by tables, piecewise linear and differentiable."""

from __future__ import annotations

import torch

__all__ = ["interpolate"]


def interpolate(x: torch.Tensor, table: torch.Tensor, lo: float, hi: float) -> torch.Tensor:
    """The table of every feature at ``x``; constant beyond its ends.

    Parameters
    ----------
    x
        Shape (batch, features).
    table
        Shape (features, points): values at equal distances from lo to hi.
    """
    points = table.shape[1]
    at = ((x - lo) * ((points - 1) / (hi - lo))).clamp(0, points - 1)
    left = at.detach().floor().clamp(max=points - 2)
    feature = torch.arange(table.shape[0], device=x.device)
    index = left.long()
    below, above = table[feature, index], table[feature, index + 1]
    return below + (above - below) * (at - left)
