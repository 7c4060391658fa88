"""How well a share is known from a sample."""

from __future__ import annotations

import math

__all__ = ["wilson"]


def wilson(share: float, count: int, deviations: float = 1.96) -> tuple[float, float]:
    """The interval that holds the true share with 95 % confidence (Wilson, JASA 22, 1927).

    Parameters
    ----------
    share
        Found among ``count`` samples, 0 to 1.
    deviations
        Of the normal law; 1.96 for 95 %.
    """
    z = deviations * deviations / count
    centre = (share + z / 2) / (1 + z)
    reach = deviations * math.sqrt(share * (1 - share) / count + z / (4 * count)) / (1 + z)
    return max(0.0, centre - reach), min(1.0, centre + reach)
