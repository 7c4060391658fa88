"""Gated recurrent unit in hardware."""

from __future__ import annotations

from dataclasses import replace

from ..ops.gru import Gru
from .lib.component import generates
from .lib.gru_elementwise import GruElementwise
from .lib.recurrent_layer import RecurrentLayer

__all__ = ["GruLayer"]


class GruLayer(RecurrentLayer):
    """See :class:`~hwgen.rtl.lib.recurrent_layer.RecurrentLayer`."""

    units = GruElementwise

    def row_constants(self):
        return replace(super().row_constants(), recurrent_bias=self._op.recurrent_bias.array)


generates(Gru)(GruLayer.make)
