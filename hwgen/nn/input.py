"""The quantizer at the entrance of a model."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import InvalidInput, Unsupported
from ..ir.types import Int, Type
from .layer import Layer, Lowering, register_layer
from .scale import Scale, best_scale, fake_quantize
from .tensor import QTensor

__all__ = ["InputQuantizer", "batch_axis"]

SHAPES = "(features,), (steps, features) or (channels, height, width)"


@register_layer
class InputQuantizer(Layer):
    """``q = clip(round(x / scale), lo, hi)``, rounding half to even: real samples to integers.

    The only place where a deployed model meets real numbers; ``Graph.quantize`` does the same.

    Parameters
    ----------
    bits
        Width of the integers, 1 to 16.
    scale
        Real value of one step, or "power_of_two" or "learned": set by the first training batch.
    signed
        Whether the integers have a sign.
    shape
        Shape of one sample in PyTorch's order, (features,), (steps, features) or (channels, height,
        width); taken from the first batch if not given.
    sequence_first
        Whether the model is given sequences (steps, batch, features), PyTorch's own default. All that
        follows, and the graph, take (batch, steps, features) as ever.
    """

    def __init__(
        self,
        bits: int = 8,
        scale: float | str = "power_of_two",
        signed: bool = True,
        shape: tuple[int, ...] | None = None,
        sequence_first: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(bits, bool) or not isinstance(bits, int) or not 1 + signed <= bits <= 16:
            raise InvalidInput(f"bits must be an integer in {1 + signed}..16, not {bits!r}")
        self.bits, self.signed = bits, bool(signed)
        self.shape = None if shape is None else check_shape(shape)
        self.sequence_first = bool(sequence_first)
        self._check_sequence()
        self._scale = Scale(scale)

    @property
    def scale(self) -> float | str:
        return self._scale.mode

    @property
    def type(self) -> Int:
        return Int(self.bits, self.signed)

    @property
    def batch_axis(self) -> int:
        """Along which axis of what the model is given its samples lie."""
        return 1 if self.sequence_first else 0

    def sample_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one sample of a batch of ``shape``."""
        if self.sequence_first and len(shape) != 3:
            raise InvalidInput(
                f"input must be sequences (steps, batch, features), as sequence_first=True says, "
                f"found shape {shape}"
            )
        return tuple(size for axis, size in enumerate(shape) if axis != self.batch_axis)

    def _check_sequence(self) -> None:
        if self.sequence_first and self.shape is not None and len(self.shape) != 2:
            raise InvalidInput(
                f"sequence_first must be False unless a sample has shape (steps, features), found "
                f"{self.shape}"
            )

    def _samples(self, x: torch.Tensor) -> torch.Tensor:
        """``x``, samples first, if they have the right shape."""
        found = self.sample_shape(tuple(x.shape))
        if self.shape is None and len(found) in (1, 2, 3):
            self.shape = found
        if found != self.shape:
            raise InvalidInput(f"a sample must have shape {self.shape or SHAPES}, found {found}")
        return x.movedim(self.batch_axis, 0)

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self._samples(x)
        if not self._scale.is_ready:
            values = x.detach().reshape(-1)
            two = self.scale == "power_of_two"
            self._scale.set(best_scale(values, self.type.lo, self.type.hi, power_of_two=two))
        return fake_quantize(x, self._scale().to(x), self.type.lo, self.type.hi)

    def _deployed_scale(self):
        if not self._scale.is_ready:
            raise InvalidInput("the scale is not known yet; train or calibrate the model first")
        return self._scale.deployed()

    def eval_forward(self, x: torch.Tensor) -> QTensor:
        if isinstance(x, QTensor):
            raise Unsupported("input must be real values, found a quantized tensor; use Activation")
        x = self._samples(x)
        if not torch.isfinite(x).all():
            raise InvalidInput("input must be finite, found NaN or infinity")
        scale = self._deployed_scale()
        ints = torch.round(x.detach().double() / float(scale))
        return QTensor.of(ints.clamp(self.type.lo, self.type.hi), scale)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        if inputs:
            raise Unsupported("must be the first layer of the model, found an input to it")
        if self.shape is None:
            raise InvalidInput("shape must be known: give shape= or an example")
        self._check_sequence()
        shape = (*self.shape[1:], self.shape[0]) if len(self.shape) == 3 else self.shape
        kind = Type(shape, self.type, self.type.lo, self.type.hi, float(self._deployed_scale()))
        return lowering.builder.input(kind, name="x", layer=self.path)


def batch_axis(model: nn.Module) -> int:
    """Along which axis of what ``model`` is given its samples lie."""
    axes = (part.batch_axis for part in model.modules() if isinstance(part, InputQuantizer))
    return next(axes, 0)


def check_shape(shape) -> tuple[int, ...]:
    """``shape`` as a tuple of 1 to 3 sizes, or InvalidInput."""
    sizes = tuple(shape) if isinstance(shape, list | tuple | torch.Size) else (shape,)
    if not 1 <= len(sizes) <= 3 or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise InvalidInput(f"a sample's shape must be {SHAPES}, not {shape!r}")
    return sizes
