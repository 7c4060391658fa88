"""A module in memory, lowered."""

from __future__ import annotations

from torch import nn

from ..errors import InvalidInput
from ..ir.graph import Graph
from .capture import capture

__all__ = ["example_shape", "lower"]


def lower(model: nn.Module, example=None, name: str | None = None) -> Graph:
    """The integer graph of a model made of ``hwgen.nn`` layers.

    Parameters
    ----------
    model
        The trained model.
    example
        A batch of samples, (batch, features), (batch, steps, features) or (batch, channels, height,
        width), or as the input quantizer takes it; only its shape is used. Not needed where the
        input quantizer knows its shape.
    name
        Name of the graph; by default the module's class name in lower case.

    Raises
    ------
    Unsupported
        Something in the model cannot be deployed exactly.
    InvalidInput
        The shape is unknown or does not fit, or weights are all zero, NaN or infinite.
    """
    network = capture(model, name)
    shape = example_shape(example)
    return network.lower(None if shape is None else network.sample_shape(shape))


def example_shape(example) -> tuple[int, ...] | None:
    """Shape of a batch of samples, or None."""
    if example is None:
        return None
    if not isinstance(getattr(example, "shape", None), tuple) or len(example.shape) < 2:
        raise InvalidInput(
            f"example must be a batch of samples, a tensor or an array, found "
            f"{type(example).__name__} of shape {getattr(example, 'shape', 'unknown')}"
        )
    return tuple(int(size) for size in example.shape)
