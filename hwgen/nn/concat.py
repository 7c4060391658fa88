"""Two values side by side."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import Unsupported
from .layer import Layer, Lowering, register_layer
from .tensor import QTensor, require_quantized

__all__ = ["Concat"]


@register_layer
class Concat(Layer):
    """Features (channels, of images) of one value and behind them those of another, exact.

    Of two different scales every channel keeps its own; a :class:`~hwgen.nn.Activation` behind makes
    them one.
    """

    def train_forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        _check(a.shape[1:], b.shape[1:], channels=_axis(a))
        return torch.cat([a, b], _axis(a))

    def eval_forward(self, a, b) -> QTensor:
        a, b = (require_quantized(v, self.where) for v in (a, b))
        _check(a.shape[1:], b.shape[1:], channels=_axis(a))
        _check_order(a.image, b.image)
        axis = _axis(a)
        scale = _joined(*((v.scale.cpu().numpy(), v.shape[axis]) for v in (a, b)))
        return QTensor.of(torch.cat([a.ints, b.ints], axis), scale)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        types = [lowering.type(value) for value in inputs]
        _check(*(type.shape for type in types))
        _check_order(*(lowering.images.get(value) for value in inputs))
        sizes = (type.channels for type in types)
        scale = _joined(*zip((lowering.scale(value) for value in inputs), sizes, strict=True))
        return lowering.add("concat", *inputs, scale=scale)


def _axis(x: torch.Tensor) -> int:
    return 1 if x.dim() == 4 else -1


def _joined(*parts: tuple[np.ndarray, int]) -> np.ndarray:
    """The scale of values side by side, given the scale and the channels of each."""
    each = np.concatenate([np.broadcast_to(scale, channels) for scale, channels in parts])
    return each[0] if (each == each[0]).all() else each


def _check(a: tuple[int, ...], b: tuple[int, ...], channels: int = -1) -> None:
    """Raise Unsupported unless samples of these shapes can stand side by side.

    ``channels`` is 1 where the channels are the first axis of a sample, -1 where the last.
    """
    rest = [tuple(shape[1:] if channels == 1 else shape[:-1]) for shape in (a, b)]
    if rest[0] != rest[1]:
        raise Unsupported(
            f"operands must have one shape but for the features, found {tuple(a)} and {tuple(b)}"
        )


def _check_order(*images) -> None:
    if any(images):
        raise Unsupported(
            "operands must not be flattened from images of several channels, whose order differs "
            "between PyTorch and the graph; concatenate before flattening"
        )
