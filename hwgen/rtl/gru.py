"""Gated recurrent unit in hardware."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ops.gru import Gru
from ..ops.lib.recurrent import sum_reach
from .lib.component import generates
from .lib.gru_elementwise import GruElementwise
from .lib.recurrent_layer import RecurrentLayer

__all__ = ["GruLayer"]


class GruLayer(RecurrentLayer):
    """See :class:`~hwgen.rtl.lib.recurrent_layer.RecurrentLayer`."""

    units = GruElementwise

    def row_constants(self):
        bias = np.atleast_2d(self._op.recurrent_bias.array)
        # Where rows come one by one, the recurrent part of one that is apart takes the sum's way.
        found = super().row_constants()
        apart = sum_reach(self._op, self._type)[2 * self._op.units :] + np.abs(bias).max(axis=0)
        return replace(found, recurrent_bias=bias, reach=max(found.reach, int(apart.max())))


@generates(Gru)
def make(op, types, result, schedule, name):
    """A cell that skips columns (``events``) or does not (``columns``)."""
    return GruLayer.of(op, *types, result, schedule)
