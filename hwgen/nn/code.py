"""The contract of a weight quantizer, and how one is found by the name of its code."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import ClassVar

import numpy as np
import torch

from ..errors import InvalidInput
from ..ir.code import WeightCode

__all__ = [
    "WeightQuantizer",
    "code_names",
    "find_quantizer",
    "make_quantizer",
    "register_quantizer",
]

_QUANTIZERS: dict[str, type[WeightQuantizer]] = {}


class WeightQuantizer:
    """What makes the weights of a code out of real ones: one class a code in ``hwgen/nn/codes/``.

    Subclasses are PyTorch modules. The arguments of their constructor are the weights' shape, the
    layer's ``bits``, ``per_channel`` and ``scale``, and keywords of their own, each kept as an
    attribute of its name; a layer takes these keywords and hands them on.

    Matrices below have the shape (outputs, weights of an output), in the graph's order.

    Attributes
    ----------
    default_bits
        Width of a weight where none is given.
    fine
        Whether batch norm is folded into the weights before they are quantized. Coarse codes have
        it folded behind: into the accumulator's scale and the bias, one of each a channel.
    maskable
        Whether weights under a mask can have this code.
    bits
        Width of a weight.
    mode
        "learned", "power_of_two", or the scale itself.
    """

    default_bits: ClassVar[int] = 8
    fine: ClassVar[bool] = False
    maskable: ClassVar[bool] = True

    bits: int
    mode: str | float

    def start(self, weight: torch.Tensor) -> torch.Tensor:
        """The weights to train, made from real ones: fresh ones, or those of a float layer."""
        return weight

    @property
    def is_started(self) -> bool:
        """Whether a first batch was seen, or there is none to wait for."""
        return True

    def fake(self, weight: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
        """The weights as they would be deployed, with straight-through gradients.

        Parameters
        ----------
        weight
            In PyTorch's shape, of whatever order.
        keep
            Booleans, False where a mask drops the weight; None without a mask. What is given there
            is not used.
        """
        raise NotImplementedError(f"{type(self).__name__} must define fake()")

    def integers(
        self, rows: torch.Tensor, keep: np.ndarray | None, signs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The deployed weights.

        Parameters
        ----------
        rows
            The real weights, a float64 matrix.
        keep
            Booleans as for :meth:`fake`.
        signs
            -1 or +1 an output, which its weights are multiplied with.

        Returns
        -------
        int64 matrix (anything where a mask drops the weight), and the real value of one step,
        float64 of shape () or (outputs,).
        """
        raise NotImplementedError(f"{type(self).__name__} must define integers()")

    def code(self, weights: np.ndarray, signs: np.ndarray) -> WeightCode:
        """The weight code that decodes to ``weights``, integers of any shape in the graph's order."""
        raise NotImplementedError(f"{type(self).__name__} must define code()")

    def freeze(self, frozen: bool = True) -> None:
        """Keep what is measured on the weights in every forward pass, such as their deviation."""

    def project(self, rows: torch.Tensor) -> torch.Tensor | None:
        """The nearest matrix that can be deployed, or None where training needs no projection."""
        return None

    def settled(self, weight: torch.Tensor) -> torch.Tensor:
        """Weights that are deployed as ``weight`` is, the simplest ones."""
        return weight

    def options(self) -> dict[str, object]:
        """The code's own keywords as plain data."""
        return {name: getattr(self, name) for name in _own(type(self))}


def _own(cls: type[WeightQuantizer]) -> list[str]:
    parameters = inspect.signature(cls).parameters.values()
    return [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]


def register_quantizer(cls: type[WeightQuantizer]) -> type[WeightQuantizer]:
    """Class decorator: the quantizer of the code that its file is named after."""
    _QUANTIZERS[cls.__module__.rpartition(".")[2]] = cls
    return cls


def code_names() -> tuple[str, ...]:
    """Codes that can be trained: the files of ``hwgen/nn/codes/``."""
    package = importlib.import_module(f"{__package__}.codes")
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)))


def find_quantizer(code: str) -> type[WeightQuantizer]:
    """The quantizer of the weight code called ``code``."""
    if code not in code_names():
        raise InvalidInput(f"code must be one of {', '.join(code_names())}, not {code!r}")
    importlib.import_module(f"{__package__}.codes.{code}")
    return _QUANTIZERS[code]


def make_quantizer(
    code: str,
    shape: torch.Size,
    bits: int | None,
    per_channel: bool,
    scale: str | float,
    options: dict[str, object],
) -> WeightQuantizer:
    """The quantizer for weights of ``shape``; ``options`` are the code's own keywords."""
    cls = find_quantizer(code)
    for name in options:
        if name not in _own(cls):
            own = ", ".join(_own(cls)) or "none"
            raise InvalidInput(f"{name!r} is no option of code {code!r}; its own are: {own}")
    return cls(shape, cls.default_bits if bits is None else bits, per_channel, scale, **options)
