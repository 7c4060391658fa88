"""Which tiles a layer is cut into, so that they fit the fast memory and keep the cores busy."""

from __future__ import annotations

from ..errors import Unsupported
from .layout import Memory, lay_out, measure
from .tiles import Tiling, Work

__all__ = ["tile"]


def tile(work: Work, memory: Memory, where: str = "layer") -> Tiling:
    """The best tiling of a layer."""
    for split in work.splits:
        whole = lay_out(work, work.rows, work.columns, work.channels, "weights", split)
        if whole.l1_bytes <= memory.l1:
            return measure(work, whole, memory)
    raise Unsupported(f"{where}: does not fit")
