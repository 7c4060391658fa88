"""Flattening moves nothing: the vector is the image's memory."""

from __future__ import annotations

from ...ops.flatten import Flatten
from ..registry import renders

__all__: list[str] = []


@renders(Flatten, kind="alias")
def flatten() -> None:
    """No code."""
