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


generates(Lstm)(LstmLayer.make)
