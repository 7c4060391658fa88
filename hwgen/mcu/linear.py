"""What layers with weights share in C: the accumulator, and the geometry of windows."""

from __future__ import annotations

import numpy as np

from ..ir.code import WeightCode
from ..ir.constant import Constant
from ..ops.lib.linear import partial_sums
from ..ops.lib.window import Window
from .function import Function
from .registry import find_storage
from .stages import Value
from .storage import INT32, CType, work
from .target import Target
from .weights import Packing, StoredWeights

__all__ = ["accumulator", "geometry", "packing", "pooled_type", "slide", "stored_weights"]


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


def stored_weights(code: WeightCode, target: Target) -> StoredWeights:
    """The weights of a layer as their code stores them."""
    return find_storage(code, target)(code)


def packing(stored: StoredWeights, x: Value, work: CType) -> Packing | None:
    """How micro-kernels can multiply the weights with ``x``, or None if they cannot.

    Micro-kernels take bytes and accumulate in 32 bits; their order of summation is another
    than that of the weights, which :func:`accumulator` allows for. Sums with narrow weights need
    spare bits, which they have up to a number of weights a row.
    """
    found = stored.packing
    if found is None or x.ctype.bits != 8 or work != INT32:
        return None
    is_long = 0 < found.most < stored.rows.shape[1] * stored.each
    return None if is_long else found


def geometry(window: Window) -> dict[str, object]:
    """A window as the templates lay it out (``windows.j2``)."""
    padded = tuple(p > 0 for p in window.padding)
    clipped = [
        f"{i} > 0 || {j} < {size}"
        for i, j, size, pads in zip(("i0", "j0"), ("i1", "j1"), window.kernel, padded, strict=True)
        if pads
    ]
    return {
        "kernel": window.kernel,
        "stride": window.stride,
        "padded": padded,
        "clipped": " || ".join(clipped),
        "whole_image": window.kernel == (window.height, window.width) and not any(padded),
    }


def slide(function: Function, window: Window) -> None:
    """Say how pooling can be cut into tiles."""
    whole = window.positions == 1
    function.cut(
        kernel=window.kernel,
        stride=window.stride,
        padding=window.padding,
        split="channels" if whole else "pixels",
        cycles_per_output=4 + window.kernel[0] * window.kernel[1],
    )


def pooled_type(x: Value) -> str:
    """Ending of the functions of ``hwgen_pool.h`` that read bytes of ``x``."""
    return "s8" if x.ctype.signed else "u8"
