"""C of the long short-term memory."""

from __future__ import annotations

from ...ops.lstm import Lstm
from ..function import Function
from ..recurrent import recurrent_values
from ..registry import renders
from ..stages import Stage

__all__: list[str] = []


@renders(Lstm)
def lstm(stage: Stage, function: Function) -> dict[str, object]:
    return recurrent_values(stage, function)
