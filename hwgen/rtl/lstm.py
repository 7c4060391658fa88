"""Long short-term memory in hardware."""

from __future__ import annotations

from ..ops.lstm import Lstm
from .lib.component import generates
from .lib.lstm_elementwise import LstmElementwise
from .lib.recurrent_layer import RecurrentLayer

__all__ = ["LstmLayer"]


class LstmLayer(RecurrentLayer):
    """See :class:`~hwgen.rtl.lib.recurrent_layer.RecurrentLayer`."""

    units = LstmElementwise


@generates(Lstm)
def make(op, types, result, schedule, name):
    """A cell that skips columns (``events``) or does not (``columns``)."""
    return LstmLayer.of(op, *types, result, schedule)
