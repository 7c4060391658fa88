"""Activations: a clip and a quantizer in one."""

from __future__ import annotations

import math

import torch

from ..errors import InvalidInput
from ..ir.types import Int
from .layer import Layer, Lowering, check_bits, register_layer
from .rescale import Rescale
from .scale import Scale, best_scale, fake_quantize
from .tensor import QTensor, require_quantized

__all__ = ["Activation", "Quantizer"]


class Quantizer(Layer):
    """What layers with an activation quantizer share: a scale that the first batch sets.

    Parameters
    ----------
    bits, signed
        The integers' type.
    scale
        "learned", "power_of_two", or a number.
    limit
        A real bound of the magnitude, or None: the integers' range is the only one.
    """

    def __init__(
        self, bits: int, scale: str | float, signed: bool, limit: float | None = None
    ) -> None:
        super().__init__()
        if limit is not None and not 0 < limit < math.inf:
            raise InvalidInput(f"limit must be positive and finite, not {limit!r}")
        self.limit = limit
        self._type = Int(check_bits(bits, "bits", least=1 + bool(signed)), bool(signed))
        self._scale = Scale(scale)

    @property
    def scale(self) -> str | float:
        return self._scale.mode

    @property
    def type(self) -> Int:
        """The integers that the quantizer gives."""
        return self._type

    def bounds(self, step: float) -> tuple[int, int]:
        """Lowest and highest integer at scale ``step``."""
        lo, hi = self.type.lo, self.type.hi
        if self.limit is None:
            return lo, hi
        limit = max(1, round(self.limit / step))
        return max(lo, -limit), min(hi, limit)

    def observe(self, *values: torch.Tensor) -> None:
        """Set the scale to that of least squared error on these values."""
        sample = torch.cat([v.detach().reshape(-1) for v in values])
        if sample.numel() > 1 << 18:
            sample = sample[:: sample.numel() // (1 << 18) + 1]
        if self.limit is not None:
            sample = sample.clamp(-self.limit, self.limit)
        two = self.scale == "power_of_two"
        self._scale.set(best_scale(sample, self.type.lo, self.type.hi, power_of_two=two))

    def fake(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The values as the deployed quantizer would round them, differentiable."""
        if not self._scale.is_ready:
            self.observe(*values)
        step = self._scale()
        lo, hi = self.bounds(float(self._scale.deployed()))
        return tuple(fake_quantize(v, step.to(v), lo, hi) for v in values)

    def rescale(self, source) -> Rescale:
        """The deployed rescaling of integers of scale ``source``."""
        if not self._scale.is_ready:
            raise InvalidInput("the scale is not known yet; train or calibrate the model first")
        step = self._scale.deployed()
        return Rescale.between(source, step, *self.bounds(float(step)))


@register_layer
class Activation(Quantizer):
    """ReLU (unsigned) or saturation (signed), and the quantizer behind it.

    Real: ``y = scale * clip(round(x / scale), lo, hi)``. Deployed: one ``requantize``. The upper
    clip is trained through the scale, as in Choi et al., "PACT: Parameterized Clipping Activation
    for Quantized Neural Networks", 2018.

    Parameters
    ----------
    bits
        1 to 8 (2 to 8 if signed).
    signed
        False: ``[0, 2^bits - 1]``, which is a ReLU; True: ``[-2^(bits-1), 2^(bits-1) - 1]``.
    scale
        "learned"; "power_of_two"; or the scale itself, not trained.
    limit
        A real bound, rounded to a step of the scale: 6 with ``signed=False`` is a ReLU6, 1 with
        ``signed=True`` is a Hardtanh.
    """

    def __init__(
        self,
        bits: int = 8,
        signed: bool = False,
        scale: str | float = "learned",
        limit: float | None = None,
    ) -> None:
        super().__init__(bits, scale, signed, limit)
        self.bits, self.signed = bits, bool(signed)

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fake(x)[0]

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        return self.rescale(x.scale.cpu().numpy())(x)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        return self.rescale(lowering.scale(inputs[0])).lower(lowering, inputs[0])
