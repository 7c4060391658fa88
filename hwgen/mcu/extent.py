"""How much of a layer one call of its C function computes: all of it, or one tile."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..ir.types import Type
from .expressions import Term, times
from .target import Target

__all__ = ["Extent", "image"]


@dataclass(frozen=True, slots=True)
class Extent:
    """Sizes as the templates write them: numbers where a call computes the whole layer.

    Attributes
    ----------
    rows, columns, channels
        Of the output.
    channel
        Number of the first channel.
    height, width
        Of the image that is read.
    top, left
        Zero padding before its first row and column.
    is_tile
        Whether these are fields of the tile ``t``.
    is_team
        Whether several cores share a call.
    """

    rows: Term
    columns: Term
    channels: Term
    channel: Term
    height: Term
    width: Term
    top: Term
    left: Term
    is_tile: bool
    is_team: bool

    @classmethod
    def of(cls, x: Type, y: Type, padding: tuple[int, int], target: Target) -> Extent:
        """The extent of a stage on a target: a tile where the target has a fast memory."""
        is_team = target.cores > 1
        if target.l1:
            fields = ("rows", "columns", "channels", "channel", "height", "width", "top", "left")
            return cls(*(f"t->{field}" for field in fields), is_tile=True, is_team=is_team)
        sizes = (*image(y), 0, *image(x)[:2], *padding)
        return cls(*sizes, is_tile=False, is_team=is_team)

    @property
    def pixels(self) -> Term:
        """Rows times columns."""
        return times(self.rows, self.columns)

    @property
    def size(self) -> Term:
        """Elements of the output."""
        return times(self.pixels, self.channels)


def image(value: Type) -> tuple[int, int, int]:
    """Rows, columns and channels: of a vector 1, 1, n; other shapes are one column."""
    shape = value.shape
    if len(shape) == 3:
        return shape
    return math.prod(shape[:-1]), 1, shape[-1]
