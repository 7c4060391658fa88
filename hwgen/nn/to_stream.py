"""The entrance of a stochastic network: numbers become streams of bits."""

from __future__ import annotations

import torch

from ..errors import InvalidInput
from ..ops.lib.random_numbers import COMPONENTS, MAX_LENGTH
from .layer import Layer, Lowering, register_layer
from .sources import WIDTH, Sources
from .tensor import QTensor, require_quantized

__all__ = ["ToStream", "check_components"]


def check_components(components) -> int:
    """``components`` if there can be so many bit streams in a sum, else InvalidInput."""
    if isinstance(components, bool) or components not in COMPONENTS:
        raise InvalidInput(
            f"components must be one of {', '.join(map(str, COMPONENTS))}, not {components!r}"
        )
    return int(components)


@register_layer
class ToStream(Layer):
    """Integers of ``bits`` bits to stochastic streams, (batch, n) to (batch, length, n).

    The input quantizer before it has the same ``bits`` and ``signed``; a scale of ``2^-bits``, or
    ``2^-(bits-1)`` if signed, makes the streams' values 0 to 1, or -1 to 1, as the layers behind it
    need them. In training mode the values pass through: streams have them as their means.

    Parameters
    ----------
    features
        Elements of a sample.
    length
        Steps of a stream.
    bits, signed
        Of the integers, 1 to 16 bits.
    components
        Bit streams that are summed up: 1, 2, 4, 8 or 16. Layers behind take sums of one.
    source
        "lfsr", or "counter" for a counter with reversed bits, which is exact over ``2^bits`` steps.
    first_source, source_width
        Which of the random sources it has; see :func:`~hwgen.nn.number_sources`.
    """

    def __init__(
        self,
        features: int,
        length: int = 256,
        *,
        bits: int = 8,
        signed: bool = False,
        components: int = 1,
        source: str = "lfsr",
        first_source: int = 0,
        source_width: int = WIDTH,
    ) -> None:
        super().__init__()
        if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= MAX_LENGTH:
            raise InvalidInput(f"length must be an integer in 1..{MAX_LENGTH}, not {length!r}")
        if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 16:
            raise InvalidInput(f"bits must be an integer in 1..16, not {bits!r}")
        self.features, self.length, self.bits, self.signed = features, length, bits, bool(signed)
        self.components = check_components(components)
        self.source, self.first_source, self.source_width = source, first_source, source_width
        self._sources()

    def _sources(self) -> Sources:
        return Sources(self.source, self.first_source, self.source_width)

    @property
    def source_count(self) -> int:
        """Random sources that it has."""
        return self.features * self.components

    @property
    def least_width(self) -> int:
        """Bits that a source must have."""
        return self.bits

    def deployed(self) -> dict[str, object]:
        """The attributes of the layer's op."""
        shape = (self.features, self.components)
        return {
            "length": self.length,
            "components": self.components,
            "bits": self.bits,
            "bipolar": self.signed,
            **self._sources().attributes(shape, self.length),
        }

    def _scale(self, scale):
        return scale * 2.0 ** (self.bits - self.signed) / self.components

    def _check(self, shape: tuple[int, ...], scales: int) -> None:
        if shape != (self.features,):
            raise InvalidInput(
                f"input must be vectors of {self.features}, found samples of {shape}"
            )
        if scales:
            raise InvalidInput("input must have one scale, found one a channel")

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check(tuple(x.shape[1:]), 0)
        return x

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        self._check(tuple(x.shape[1:]), x.scale.dim())
        parts = self.deployed()
        limit = x.ints + (1 << (self.bits - 1)) * self.signed
        if limit.min() < 0 or limit.max() > 1 << self.bits:
            raise InvalidInput(
                f"input must have {self.bits} bits, as the layer says, found values beyond them"
            )
        steps = [
            (drawn < limit[..., None]).sum(-1)
            for drawn in Sources.numbers(parts, self.bits, self.length, limit.device)
        ]
        count = torch.stack(steps, 1)
        if self.signed:
            count = 2 * count - self.components
        return QTensor.of(count, self._scale(x.scale.cpu().numpy()))

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        self._check(lowering.type(x).shape, lowering.scale(x).ndim)
        return lowering.add("to_stream", x, scale=self._scale(lowering.scale(x)), **self.deployed())
