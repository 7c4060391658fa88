"""Activations: a clip and a quantizer in one."""

from __future__ import annotations

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
    """

    def __init__(self, bits: int, scale: str | float, signed: bool) -> None:
        super().__init__()
        self._type = Int(check_bits(bits, "bits", least=1 + bool(signed)), bool(signed))
        self._scale = Scale(scale)

    @property
    def scale(self) -> str | float:
        return self._scale.mode

    @property
    def type(self) -> Int:
        """The integers that the quantizer gives."""
        return self._type

    def observe(self, *values: torch.Tensor) -> None:
        """Set the scale to that of least squared error on these values."""
        sample = torch.cat([v.detach().reshape(-1) for v in values])
        if sample.numel() > 1 << 18:
            sample = sample[:: sample.numel() // (1 << 18) + 1]
        two = self.scale == "power_of_two"
        self._scale.set(best_scale(sample, self.type.lo, self.type.hi, power_of_two=two))

    def fake(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The values as the deployed quantizer would round them, differentiable."""
        if not self._scale.is_ready:
            self.observe(*values)
        step = self._scale()
        return tuple(fake_quantize(v, step.to(v), self.type.lo, self.type.hi) for v in values)

    def rescale(self, source) -> Rescale:
        """The deployed rescaling of integers of scale ``source``."""
        if not self._scale.is_ready:
            raise InvalidInput("the scale is not known yet; train or calibrate the model first")
        return Rescale.between(source, self._scale.deployed(), self.type.lo, self.type.hi)


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
    """

    def __init__(self, bits: int = 8, signed: bool = False, scale: str | float = "learned") -> None:
        super().__init__(bits, scale, signed)
        self.bits, self.signed = bits, bool(signed)

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fake(x)[0]

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        return self.rescale(x.scale.cpu().numpy())(x)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        return self.rescale(lowering.scale(inputs[0])).lower(lowering, inputs[0])
