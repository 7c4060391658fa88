"""How much of a layer one call of its C function computes: all of it, or one tile."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..ir.types import Type
from .expressions import Term, times
from .target import Target

__all__ = ["Extent", "image"]


# Members of hwgen_tile, and what kernels call them: as variables of their own, which stores through
# pointers cannot change.
_NAMES = {
    "rows": "rows",
    "columns": "columns",
    "channels": "channels",
    "channel": "first_channel",
    "height": "height",
    "width": "width",
    "top": "pad_top",
    "left": "pad_left",
}


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
        Whether these are variables, read from the tile ``t``.
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
        is_team = target.is_team
        if target.is_tiled:
            return cls(*_NAMES.values(), is_tile=True, is_team=is_team)
        sizes = (*image(y), 0, *image(x)[:2], *padding)
        return cls(*sizes, is_tile=False, is_team=is_team)

    def prelude(self, body: str) -> str:
        """``body`` behind the variables that it reads from the tile."""
        if not self.is_tile:
            return body
        used = [
            f"const int {name} = t->{member};"
            for member, name in _NAMES.items()
            if re.search(rf"(?<![>.\w]){name}\b", body)
        ]
        return "\n".join([*(used or ["(void)t;"]), body])

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
