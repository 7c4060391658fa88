"""Weight codes: how the weights of a layer are represented, apart from what the layer does."""

from __future__ import annotations

import importlib
from dataclasses import fields
from typing import ClassVar

import numpy as np

from ..errors import RuleViolation
from .op import snake_case
from .types import Int

__all__ = ["WeightCode", "find_code", "register_code"]

_CODES: dict[str, type[WeightCode]] = {}


class WeightCode:
    """A representation of an integer weight tensor.

    ``decode`` is the exact tensor that ``run`` multiplies with; backends look at the class to
    choose storage and lane. Subclasses are frozen, slotted dataclasses in ``hwgen/ops/codes/``,
    one a file.
    """

    __slots__ = ()

    name: ClassVar[str]
    forms: ClassVar[tuple[str, ...]] = ()
    """Forms of a :class:`~hwgen.ir.schedule.Schedule` that a dense layer of this code can take
    beside ``spatial`` and ``folded``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the decoded tensor, output channels first."""
        raise NotImplementedError

    @property
    def element(self) -> Int:
        """The integer type of a decoded weight."""
        raise NotImplementedError

    @property
    def storage_bits(self) -> int:
        """Bits that the code stores for the whole tensor."""
        raise NotImplementedError

    @property
    def field_bits(self) -> int:
        """Bits of one weight where all of them are stored as they are."""
        return self.element.width

    def decode(self) -> np.ndarray:
        """The weights as a read-only int64 array."""
        raise NotImplementedError

    def verify(self) -> None:
        """Raise RuleViolation unless every stored value is legal."""

    def scan_clocks(self, window: int) -> np.ndarray:
        """Clocks that a scanning lane of ``window`` mask bits a clock takes for every output."""
        raise NotImplementedError(f"{self.name} weights have no scanning lane")

    def notes(self) -> tuple[str, ...]:
        """What is to be said of how these weights are stored, a sentence each."""
        return ()

    def attributes(self) -> dict[str, object]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]


def register_code(cls: type[WeightCode]) -> type[WeightCode]:
    """Class decorator: make a weight code known under its name in snake case."""
    cls.name = snake_case(cls.__name__)
    _CODES[cls.name] = cls
    return cls


def find_code(name: str) -> type[WeightCode]:
    """The class of the weight code called ``name``."""
    if name not in _CODES and name.isidentifier():
        package = f"{__package__.rpartition('.')[0]}.ops.codes"
        try:
            importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
    if name not in _CODES:
        raise RuleViolation(f"there is no weight code called {name!r}")
    return _CODES[name]
