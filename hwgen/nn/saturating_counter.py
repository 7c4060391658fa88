"""A saturating counter by itself: NStanh, NSexp, or any other threshold."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import InvalidInput
from .interpolation import interpolate
from .layer import Layer, Lowering, register_layer
from .tensor import QTensor, require_quantized
from .to_stream import check_components
from .transfer import bit_increments, transfer

__all__ = ["SaturatingCounter", "count"]

POINTS = 129  # of the curve that is trained with


@register_layer
class SaturatingCounter(Layer):
    """A counter of ``states`` states a feature; its bit tells whether it is at ``threshold`` or above.

    ``NStanh(n)`` of a sum of m bipolar streams has ``states = n m``: about ``tanh(n s / 2)`` of their value
    s, or, of 0 and 1, ``sigmoid(n s)``. ``NSexp(n, G)`` is ``falling`` with ``threshold = n m - G m``: about
    ``exp(-2 G s)`` for s > 0. In training mode it is the stationary mean of its Markov chain.

    Parameters
    ----------
    states
        2 to 65536; in training up to 512.
    threshold
        1 to states - 1; the middle by default.
    falling
        Whether the bit is 1 below the threshold instead.
    bipolar
        Whether the bit is -1 in the place of 0.
    components
        Bipolar streams that are summed up in the input, for training.
    """

    def __init__(
        self,
        states: int,
        threshold: int | None = None,
        *,
        falling: bool = False,
        bipolar: bool = False,
        components: int = 1,
    ) -> None:
        super().__init__()
        if isinstance(states, bool) or not isinstance(states, int) or not 2 <= states <= 1 << 16:
            raise InvalidInput(f"states must be an integer in 2..65536, not {states!r}")
        threshold = states // 2 if threshold is None else threshold
        if not isinstance(threshold, int) or not 1 <= threshold < states:
            raise InvalidInput(
                f"threshold must be an integer in 1..{states - 1}, not {threshold!r}"
            )
        self.states, self.threshold = states, threshold
        self.falling, self.bipolar = bool(falling), bool(bipolar)
        self.components = check_components(components)
        self._curve: torch.Tensor | None = None

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        m = self.components
        if self._curve is None:
            increments = bit_increments(np.linspace(-m, m, POINTS), m)
            self._curve = torch.as_tensor(transfer(self.states, self.threshold, increments)[0])
        y = interpolate(x, self._curve.to(x)[None].expand(x.shape[-1], -1), -m, m)
        y = 1 - y if self.falling else y
        return 2 * y - 1 if self.bipolar else y

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        _check(tuple(x.shape[1:]))
        full = torch.full((x.shape[-1],), self.states, device=x.device)
        return QTensor.of(count(x.ints, full, self.threshold, self.falling, self.bipolar), 1.0)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        shape = lowering.type(x).shape
        _check(shape)
        return lowering.add(
            "saturating_counter",
            x,
            scale=1.0,
            states=np.full(shape[-1], self.states),
            threshold=np.full(shape[-1], self.threshold),
            falling=self.falling,
            bipolar=self.bipolar,
        )


def count(
    x: torch.Tensor, states: torch.Tensor, threshold, falling: bool = False, bipolar: bool = False
) -> torch.Tensor:
    """The bits of counters of ``states`` states, one a feature, over streams (batch, steps, features)."""
    counter = (states // 2).expand(len(x), -1)
    bits = []
    for step in x.unbind(1):
        counter = torch.minimum((counter + step).clamp_min(0), states - 1)
        bits.append((counter >= threshold) != falling)
    y = torch.stack(bits, 1).long()
    return 2 * y - 1 if bipolar else y


def _check(shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        raise InvalidInput(
            f"input must be a stream (steps, features), found a sample of shape {shape}; put a "
            f"hwgen.nn.ToStream before"
        )
