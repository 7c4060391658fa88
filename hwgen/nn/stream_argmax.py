"""The class of a stochastic classifier, told as soon as it is settled."""

from __future__ import annotations

import math

import torch

from ..errors import InvalidInput, Unsupported
from .layer import Layer, Lowering, register_layer
from .tensor import QTensor, require_quantized

__all__ = ["StreamArgMax"]


@register_layer
class StreamArgMax(Layer):
    """The stream with the largest sum, (batch, steps, n) to (batch, 1); of equals the first.

    In training mode the values pass through, for a loss to work on.

    Parameters
    ----------
    early
        Whether to decide as soon as the leading stream cannot be overtaken in the steps that are left.
    margin
        With ``early``: decide as well when the largest sum leads by so much, in values of the stream
        summed over the steps; 0 for never.
    """

    def __init__(self, early: bool = False, margin: float = 0.0) -> None:
        super().__init__()
        if not isinstance(margin, int | float) or not 0 <= margin < math.inf:
            raise InvalidInput(f"margin must be a number of 0 or more, not {margin!r}")
        if margin and not early:
            raise InvalidInput(f"margin needs early=True, found margin={margin!r} alone")
        self.early, self.margin = bool(early), float(margin)

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def _lead(self, scale: float) -> int:
        """The margin in integers."""
        return math.ceil(self.margin / scale - 1e-9) if self.margin else 0

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        _check(tuple(x.shape[1:]), x.scale.dim())
        sums = x.ints.cumsum(1)
        chosen = sums[:, -1]
        if self.early and self.margin:
            # The rule without a margin never changes a class, so that only this one is looked at.
            top = sums.topk(2, dim=2).values
            settled = top[..., 0] - top[..., 1] >= self._lead(float(x.scale))
            settled[:, -1] = True
            chosen = sums[torch.arange(len(sums)), settled.int().argmax(1)]
        index = torch.arange(chosen.shape[1], device=chosen.device).expand_as(chosen)
        largest = chosen == chosen.amax(1, keepdim=True)
        return QTensor.of(torch.where(largest, index, chosen.shape[1]).amin(1, keepdim=True), 1.0)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        kind = lowering.type(x)
        _check(kind.shape, lowering.scale(x).ndim)
        early = {}
        if self.early:
            margin = self._lead(float(lowering.scale(x)))
            early = {"early": True, "swing": kind.hi - kind.lo, "margin": margin}
        return lowering.add("stream_argmax", x, scale=1.0, **early)


def _check(shape: tuple[int, ...], scales: int) -> None:
    if len(shape) != 2:
        raise InvalidInput(
            f"input must be a stream (steps, features), found a sample of shape {shape}; put a "
            f"hwgen.nn.ToStream at the entrance"
        )
    if scales:
        raise Unsupported("input must have one scale, or sums do not compare, found one a channel")
