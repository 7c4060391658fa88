"""How the weights of each code sit in a ROM and meet a pixel; one file a code, found by its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from amaranth import Signal, signed, unsigned

from ...errors import Unsupported
from ...ir.code import WeightCode
from ...ir.schedule import Schedule
from ...ir.types import Int
from ..lib.area import Area
from ..lib.weight_source import StoredWeights, WeightSource

if TYPE_CHECKING:
    from ..lib.mac_array import Folding

__all__ = ["WeightLane", "implements", "weight_lane"]


class WeightLane:
    """The lane of a weight code.

    Attributes
    ----------
    code
        The weights.
    bits
        Bits of one weight in a ROM.
    """

    bits: int

    def __init__(self, code: WeightCode) -> None:
        self.code = code

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Decoded weights to unsigned ROM fields, elementwise."""
        raise NotImplementedError

    def product(self, pixel, field):
        """An Amaranth value: ``pixel`` times the weight held in ``field``."""
        raise NotImplementedError

    def product_width(self, pixel: Int) -> int:
        """Bits of a product with a pixel of a type."""
        shape = signed(pixel.width) if pixel.signed else unsigned(pixel.width)
        return len(self.product(Signal(shape), Signal(self.bits)))

    def area(self, pixel: Int) -> Area:
        """What a product takes: by default a table a bit."""
        return Area(lut=self.product_width(pixel))

    def padded(self) -> WeightLane:
        """The lane of the same weights and zero."""
        return self

    def notes(self, schedule: Schedule) -> list[str]:
        """Sentences: what an array stores, where that is not what the code does."""
        return []

    def source(self, folding: Folding) -> WeightSource:
        """Where a folded array takes its weights from."""
        return StoredWeights(self, folding.arrange(self.code.decode()))


_LANES: dict[type[WeightCode], type[WeightLane]] = {}


def implements(code: type[WeightCode]) -> Callable[[type[WeightLane]], type[WeightLane]]:
    """Class decorator: the lane of a weight code."""

    def decorate(lane: type[WeightLane]) -> type[WeightLane]:
        _LANES[code] = lane
        return lane

    return decorate


def weight_lane(code: WeightCode) -> WeightLane:
    """The lane that multiplies by weights of ``code``."""
    if type(code) not in _LANES:
        try:
            importlib.import_module(f"{__package__}.{code.name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__package__}.{code.name}":
                raise
    if type(code) not in _LANES:
        raise Unsupported(f"weight code {code.name!r} has no folded hardware lane; use spatial")
    return _LANES[type(code)](code)
