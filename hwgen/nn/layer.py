"""The contract of a layer, and the registry by which a checkpoint names it."""

from __future__ import annotations

import inspect

import numpy as np
import torch
from torch import nn

from ..errors import HwgenError, InvalidInput
from ..ir.constant import Constant
from ..ir.graph import GraphBuilder
from ..ir.op import Op, find_op

__all__ = [
    "Layer",
    "Lowering",
    "check_bits",
    "find_layer",
    "layer_classes",
    "pair",
    "register_layer",
]

_LAYERS: dict[str, type[Layer]] = {}


class Layer(nn.Module):
    """A layer that trains in floating point and is deployed in integers.

    In training mode ``forward`` works on ordinary tensors with fake quantization; in eval mode it
    takes and gives :class:`~hwgen.nn.tensor.QTensor` and computes with the very integers that
    ``lower`` puts into the graph. Every constructor argument is kept as an attribute of its own
    name, so that :meth:`config` can rebuild the layer.

    Attributes
    ----------
    path
        The layer's name in the user's model, once it is known; used in messages.
    """

    path: str = ""

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        try:
            if self.training:
                return self.train_forward(*inputs)
            return self.eval_forward(*inputs)
        except HwgenError as error:
            raise self._at(error) from None

    def train_forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Real values in and out, differentiable."""
        raise NotImplementedError(f"layer {type(self).__name__} must define train_forward()")

    def eval_forward(self, *inputs) -> torch.Tensor:
        """Quantized tensors in and out, exact."""
        raise NotImplementedError(f"layer {type(self).__name__} must define eval_forward()")

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        """Append the layer's ops; ``inputs`` and the result are names of values."""
        raise NotImplementedError(f"layer {type(self).__name__} must define lower()")

    def config(self) -> dict[str, object]:
        """The constructor's arguments as plain data."""
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        parameters = inspect.signature(type(self)).parameters.values()
        return {p.name: _plain(getattr(self, p.name)) for p in parameters if p.kind in named}

    def extra_repr(self) -> str:
        return ", ".join(f"{k}={v!r}" for k, v in self.config().items())

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Layer:
        """The inverse of :meth:`config`, for checkpoints of whatever age."""
        return cls(**config)

    @property
    def where(self) -> str:
        """How messages name the layer."""
        return f"layer {self.path!r} ({type(self).__name__})" if self.path else type(self).__name__

    def _at(self, error: HwgenError) -> HwgenError:
        text = str(error)
        known = self.where in text or (self.path and f"(layer {self.path!r})" in text)
        return error if known else type(error)(f"{self.where}: {text}")


class Lowering:
    """A graph under construction, as layers see it.

    Attributes
    ----------
    builder
        The graph's builder.
    layer
        The layer that is being lowered.
    images
        For vectors that were flattened from an image and whose order differs from PyTorch's: its
        (height, width, channels).
    """

    def __init__(self, name: str) -> None:
        self.builder = GraphBuilder(name)
        self.layer: Layer | None = None
        self.images: dict[str, tuple[int, ...]] = {}

    def type(self, value: str):
        return self.builder.type(value)

    def scale(self, value: str) -> np.ndarray:
        """A value's scale, float64, shape () or (channels,)."""
        return np.array(self.builder.type(value).scale, dtype=np.float64)

    def add(self, op: str, *inputs: str, scale=1.0, suffix: str = "", **attributes) -> str:
        """Append the op called ``op``, named after the layer; arrays become constants."""
        path = self.layer.path if self.layer else ""
        name = f"{op}{path}" if path[:1].isdigit() else path
        return self.builder.add(
            self._op(op, attributes),
            *inputs,
            name=f"{name}_{suffix}" if suffix else name,
            layer=path,
            scale=_plain(np.asarray(scale, dtype=np.float64).tolist()),
        )

    @staticmethod
    def _op(name: str, attributes: dict) -> Op:
        return find_op(name)(
            **{k: Constant(v) if isinstance(v, np.ndarray) else v for k, v in attributes.items()}
        )


def register_layer(cls: type[Layer]) -> type[Layer]:
    """Class decorator: let checkpoints name this layer by its class name."""
    _LAYERS[cls.__name__] = cls
    return cls


def layer_classes() -> dict[str, type[Layer]]:
    """All registered layers by name."""
    return dict(sorted(_LAYERS.items()))


def find_layer(name: str) -> type[Layer]:
    """The layer called ``name``, or InvalidInput listing those that exist."""
    if name not in _LAYERS:
        raise InvalidInput(
            f"there is no layer called {name!r}; supported are {', '.join(layer_classes())}"
        )
    return _LAYERS[name]


def pair(value, what: str) -> tuple[int, int]:
    """An int or a pair of ints, as a pair (vertical, horizontal)."""
    values = (value, value) if isinstance(value, int) else tuple(value)
    if len(values) != 2 or not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        raise InvalidInput(f"{what} must be an integer or a pair of integers, not {value!r}")
    return values


def check_bits(bits, what: str, least: int = 1) -> int:
    """``bits`` if it is a supported width, else InvalidInput."""
    if isinstance(bits, bool) or not isinstance(bits, int) or not least <= bits <= 8:
        raise InvalidInput(f"{what} must be an integer in {least}..8, not {bits!r}")
    return bits


def _plain(value):
    return tuple(_plain(v) for v in value) if isinstance(value, list | tuple) else value
