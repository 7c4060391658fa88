"""The contract of an op, and the registry by which every part of hwgen finds it."""

from __future__ import annotations

import importlib
import re
import types
from collections.abc import Hashable
from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from ..errors import RuleViolation
from .constant import Constant
from .schedule import Schedule
from .types import Type

__all__ = ["Cost", "Op", "RandomSources", "check_attributes", "find_op", "register", "snake_case"]

_OPS: dict[str, type[Op]] = {}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one sample costs: exact counts, not estimates.

    ``cycles`` is the interval between frames of the op's hardware under the given schedule.
    """

    multiplications: int = 0
    additions: int = 0
    bit_operations: int = 0
    weight_bits: int = 0
    cycles: int = 0


@dataclass(frozen=True, slots=True)
class RandomSources:
    """Pseudo-random sources of an op: of two alike, ones with the same seed would give the same numbers.

    Attributes
    ----------
    kind
        What they have in common with sources whose seeds compare.
    seeds
        One a source.
    """

    kind: Hashable
    seeds: Constant


class Op:
    """An integer operation: frozen attributes and exact semantics.

    Subclasses are frozen, slotted dataclasses decorated with :func:`register`, one a file, the
    file named as the op. Attributes may be int, bool, None, str, Int, Constant, tuples of those,
    or a weight code.
    """

    __slots__ = ()

    name: ClassVar[str]
    arity: ClassVar[int] = 1
    stateful = False
    """Whether a sample's result depends on the samples before it."""
    looks_ahead = False
    """Whether the result at a step of a sequence depends on later steps."""

    def infer(self, *inputs: Type) -> Type:
        """Shape, element and interval of the result, by exact interval arithmetic."""
        raise NotImplementedError(f"op {type(self).__name__} must define infer()")

    def verify(self, *inputs: Type) -> None:
        """Raise RuleViolation (rule, what was found) unless the op is legal on these inputs."""

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        """The semantics: int64 arrays with a leading batch axis in and out, exact."""
        raise NotImplementedError(f"op {type(self).__name__} must define run()")

    def cost(self, *inputs: Type, schedule: Schedule) -> Cost:
        """Exact cost of one sample under ``schedule``."""
        raise NotImplementedError(f"op {type(self).__name__} must define cost()")

    def schedules(self, *inputs: Type) -> tuple[Schedule, ...]:
        """Every hardware schedule that the op can take, in no order."""
        return (Schedule("stream"),)

    def steps(self, *inputs: Type) -> int:
        """How many steps a sample takes one after another: of a sequence, or cycles of a run."""
        return 1

    def random_sources(self) -> RandomSources | None:
        """What the op draws random numbers from; no other op may draw the same."""
        return None

    def rough_luts(self, *inputs: Type, result: Type, schedule: Schedule) -> float:
        """A rough count of look-up tables, to compare schedules of one op with each other."""
        raise NotImplementedError(f"op {type(self).__name__} must define rough_luts()")

    def lanes(self, *inputs: Type, schedule: Schedule) -> tuple[int, int]:
        """Elements a beat that the op's hardware takes on each input and gives."""
        lanes = schedule.lanes or inputs[0].channels
        return lanes, lanes

    def attributes(self) -> dict[str, object]:
        """Attribute names and values, in order of declaration."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]


@cache
def _declared(cls: type) -> dict[str, object]:
    return get_type_hints(cls)


def _is_a(value, declared) -> bool:
    origin = get_origin(declared)
    if origin in (Union, types.UnionType):
        return any(_is_a(value, one) for one in get_args(declared))
    if origin is tuple:
        parts = get_args(declared)
        if len(parts) == 2 and parts[1] is Ellipsis:
            parts = (parts[0],) * (len(value) if isinstance(value, tuple) else 0)
        return (
            isinstance(value, tuple) and len(value) == len(parts) and all(map(_is_a, value, parts))
        )
    if declared is int:
        return type(value) is int  # neither bool nor numpy's: they would not survive a file
    return isinstance(value, declared)


def check_attributes(op) -> None:
    """Raise RuleViolation unless every attribute of an op or weight code has its declared type."""
    for field in fields(op):
        value, declared = getattr(op, field.name), _declared(type(op))[field.name]
        if not _is_a(value, declared):
            shown = declared.__name__ if isinstance(declared, type) else str(declared)
            shown = re.sub(r"\b(\w+\.)+", "", shown)
            raise RuleViolation(
                f"{field.name} must be {shown}, not {value!r} ({type(value).__name__})"
            )
        if hasattr(value, "__dataclass_fields__"):
            check_attributes(value)


def snake_case(name: str) -> str:
    """``MaxPool2d`` to ``max_pool2d``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def register(cls: type[Op]) -> type[Op]:
    """Class decorator: make an op known under its name in snake case."""
    cls.name = snake_case(cls.__name__)
    known = _OPS.get(cls.name)
    if known is not None and known.__module__ != cls.__module__:
        raise RuleViolation(f"op {cls.name!r} is already registered by {known.__module__}")
    _OPS[cls.name] = cls
    return cls


def find_op(name: str) -> type[Op]:
    """The class of the op called ``name``; its file ``hwgen/ops/<name>.py`` is imported if need be."""
    if name not in _OPS and name.isidentifier():
        # Found by name, so that adding an op edits no list; hwgen.ir itself needs no op.
        package = f"{__package__.rpartition('.')[0]}.ops"
        try:
            importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
    if name not in _OPS:
        raise RuleViolation(f"there is no op called {name!r}")
    return _OPS[name]
