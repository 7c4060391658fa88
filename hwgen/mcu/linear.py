"""What layers with weights share in C: the accumulator, and the geometry of windows."""

from __future__ import annotations

import numpy as np

from ..ir.constant import Constant
from ..ops.lib.linear import partial_sums
from ..ops.lib.window import Window
from .storage import CType, work

__all__ = ["accumulator", "geometry"]


def accumulator(weights: np.ndarray, bias: Constant, lo: int, hi: int) -> CType:
    """The type in which no product and no partial sum overflows.

    Parameters
    ----------
    weights
        Decoded, output channels first.
    lo, hi
        Interval of what they are multiplied with.
    """
    extremes = (int(weights.min()), int(weights.max()))
    products = [w * x for w in extremes for x in (lo, hi)]
    return work(*partial_sums(weights, bias.array, lo, hi), *products)


def geometry(window: Window, channels: int) -> dict[str, object]:
    """A window as the templates lay it out (``windows.j2``).

    Parameters
    ----------
    channels
        Of the image that the window slides over.
    """
    padded = tuple(p > 0 for p in window.padding)
    return {
        "height": window.height,
        "width": window.width,
        "channels": channels,
        "out_height": window.out_height,
        "out_width": window.out_width,
        "kernel": window.kernel,
        "stride": window.stride,
        "padding": window.padding,
        "padded": padded,
        "whole_image": window.kernel == (window.height, window.width) and not any(padded),
    }
