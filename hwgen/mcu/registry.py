"""How the C back end finds its part of an op or of a weight code: by name, on demand.

``hwgen/mcu/ops/<op>.py`` says with :func:`renders` which values its template
``kernels/<op>.c.j2`` needs; ``hwgen/mcu/codes/<code>.py`` says with :func:`stores` how weights
lie in memory. Adding either edits no list.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import Unsupported
from ..ir.code import WeightCode
from ..ir.op import Op
from .target import Target

if TYPE_CHECKING:
    from .weights import StoredWeights

__all__ = ["Renderer", "find_renderer", "find_storage", "renders", "stores"]

Kind = Literal["kernel", "elementwise", "alias"]


@dataclass(frozen=True, slots=True)
class Renderer:
    """The C side of an op.

    Attributes
    ----------
    template
        Name of the template in ``kernels/``.
    kind
        ``kernel``: loops over a whole value, which it stores through an epilogue.
        ``elementwise``: one statement that makes one integer of another, so that it can be
        the epilogue of a kernel. ``alias``: no code, the result is the input's memory.
    in_place
        A kernel that reads element i of its inputs for the last time before it writes
        element i of its output.
    values
        What the template needs. A kernel is called with the stage and the function under
        construction, an elementwise op with the op, the integer that enters and the function.
    """

    template: str
    kind: Kind
    in_place: bool
    values: Callable[..., dict[str, object]]


_RENDERERS: dict[str, Renderer] = {}
_STORES: dict[str, Callable[[WeightCode], StoredWeights]] = {}


def renders(op: type[Op], kind: Kind = "kernel", in_place: bool = False):
    """Decorator of the function that gives the values of ``kernels/<op>.c.j2``."""

    def register(values):
        _RENDERERS[op.name] = Renderer(f"{op.name}.c.j2", kind, in_place, values)
        return values

    return register


def stores(code: type[WeightCode]):
    """Decorator of the function that lays out weights of a code in memory."""

    def register(layout):
        _STORES[code.name] = layout
        return layout

    return register


def find_renderer(op: Op, target: Target) -> Renderer:
    """The C side of ``op``.

    Raises
    ------
    Unsupported
        The op has none.
    """
    if op.name not in _RENDERERS:
        _import(f"{__package__}.ops.{op.name}")
    if op.name not in _RENDERERS:
        raise Unsupported(
            f"op {op.name} has no C kernel for target {target.name}; "
            f"add hwgen/mcu/ops/{op.name}.py and kernels/{op.name}.c.j2"
        )
    return _RENDERERS[op.name]


def find_storage(code: WeightCode, target: Target) -> Callable[[WeightCode], StoredWeights]:
    """How weights of this code are laid out.

    Raises
    ------
    Unsupported
        The code has no C storage.
    """
    if code.name not in _STORES:
        _import(f"{__package__}.codes.{code.name}")
    if code.name not in _STORES:
        raise Unsupported(
            f"weight code {code.name} has no C storage for target {target.name}; "
            f"add hwgen/mcu/codes/{code.name}.py"
        )
    return _STORES[code.name]


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
