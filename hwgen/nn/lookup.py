"""Activations as tables: a function of one small integer."""

from __future__ import annotations

import numpy as np
import torch

from ..ir.types import Int
from .layer import Lowering, check_bits, register_layer
from .requantize import Quantizer
from .scale import fake_quantize
from .tensor import QTensor, require_quantized

__all__ = ["Sigmoid", "Tabulated", "Tanh"]


class Tabulated(Quantizer):
    """``y = quantize(f(x))`` for quantized x; lowers to ``requantize`` and ``lookup``.

    Subclasses define ``function`` and ``output``.

    Parameters
    ----------
    bits
        Width of the result, 1 to 8 (2 to 8 where it has a sign).
    input_bits
        Width of the table's index, 2 to 8: the table has ``2^input_bits`` entries.
    scale
        Of the index: "learned", "power_of_two", or the scale itself.
    """

    signed_output = False

    def __init__(self, bits: int = 8, input_bits: int = 8, scale: str | float = "learned") -> None:
        super().__init__(check_bits(input_bits, "input_bits", least=2), scale, signed=True)
        self.bits = check_bits(bits, "bits", least=1 + self.signed_output)
        self.input_bits = input_bits

    @staticmethod
    def function(x: torch.Tensor) -> torch.Tensor:
        """The real function, of values in -1..1."""
        raise NotImplementedError("a tabulated activation must define function()")

    @property
    def output(self) -> Int:
        """Type of the result."""
        return Int(self.bits, self.signed_output)

    @property
    def output_scale(self) -> float:
        """A power of two: the range of the type is that of the function."""
        return 2.0 ** -(self.bits - self.signed_output)

    def table(self) -> np.ndarray:
        """The deployed table, int64, one entry for each index from the lowest."""
        index = torch.arange(self.type.lo, self.type.hi + 1, dtype=torch.float64)
        value = self.function(index * float(self._scale.deployed())) / self.output_scale
        return torch.round(value).clamp(self.output.lo, self.output.hi).long().numpy()

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.function(self.fake(x)[0])
        step = torch.tensor(self.output_scale).to(y)
        return fake_quantize(y, step, self.output.lo, self.output.hi)

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        index = self.rescale(x.scale.cpu().numpy())(x).ints - self.type.lo
        table = torch.as_tensor(self.table(), device=index.device)
        return QTensor.of(table[index], self.output_scale, x.image)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        index = self.rescale(lowering.scale(x)).lower(lowering, x, "index")
        value = lowering.add(
            "lookup", index, table=self.table(), base=self.type.lo, scale=self.output_scale
        )
        if x in lowering.images:
            lowering.images[value] = lowering.images[x]
        return value


@register_layer
class Sigmoid(Tabulated):
    """The logistic function; results in ``[0, 1 - 2^-bits]``."""

    function = staticmethod(torch.sigmoid)


@register_layer
class Tanh(Tabulated):
    """The hyperbolic tangent; results in ``[-1, 1 - 2^-(bits-1)]``."""

    function = staticmethod(torch.tanh)
    signed_output = True
