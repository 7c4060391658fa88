"""What the C of ops with random sources has in common."""

from __future__ import annotations

import numpy as np

from .function import Function
from .sequences import Sequences
from .storage import CType
from .target import Target
from .templates import TEMPLATES

__all__ = ["draws", "plane_bytes", "render_stochastic", "room_for"]

UINT32 = CType(32, False)
WIDE_BYTES = 32  # of a plane on the host


def plane_bytes(target: Target) -> int:
    """Room for a plane, a bit of a block of steps."""
    return WIDE_BYTES if target.is_host else 4


def room_for(planes: int, target: Target) -> int:
    """Bytes of memory in which so many planes can be placed."""
    return plane_bytes(target) * (planes + int(target.is_host))


def render_stochastic(target: Target) -> str:
    """The text of ``hwgen_stochastic.h``; only the host's has planes of more than a word."""
    return TEMPLATES.get_template("stochastic.h.j2").render(is_wide=target.is_host)


def draws(function: Function, name: str, found: Sequences, sources: np.ndarray) -> str:
    """Add the constants of sources, and return the call that draws a block's numbers.

    Parameters
    ----------
    sources
        Of the planes ``zeros`` in the order in which the template draws: its number is ``s``, the first
        step of the block ``step``.
    """
    lanes = 8 * plane_bytes(function.target)
    of_source = found.starts[sources]
    if found.shifts is None:
        starts = function.constant(f"{name}_starts", of_source, UINT32)
        row = function.constant(f"{name}_bits", found.words(lanes), UINT32)
        return f"hwgen_draw(zeros, {row}, {starts}[s], step, {of_source.shape[1]})"
    starts = function.constant(f"{name}_starts", of_source)
    bits, period = len(found.shifts), found.period
    if function.target.is_host:
        words = np.stack([found.words(lanes, shift) for shift in found.shifts])
        rows = function.constant(f"{name}_bits", words.ravel(), UINT32)
        each = words.shape[1]
        return f"hwgen_draw_rows(zeros, {rows}, {each}, {starts}[s], step, {period}, {bits})"
    row = function.constant(f"{name}_bits", found.words(lanes), UINT32)
    shifts = function.constant(f"{name}_shifts", found.shifts, UINT32)
    return f"hwgen_draw_shifted(zeros, {row}, {starts}[s], step, {shifts}, {period}, {bits})"
