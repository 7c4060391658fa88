"""The two orders of an image's axes: PyTorch's channels-first and the graph's channels-last."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import InvalidInput

__all__ = ["to_graph_layout", "to_torch_layout"]


def to_graph_layout(x) -> np.ndarray:
    """Samples in PyTorch's layout as a graph takes them.

    Parameters
    ----------
    x
        Array or tensor of shape (batch, channels, height, width), (batch, steps, features) or
        (batch, features).

    Returns
    -------
    Array of shape (batch, height, width, channels), or ``x`` unchanged.
    """
    array = np.asarray(x)
    if array.ndim in (2, 3):
        return array
    if array.ndim != 4:
        raise InvalidInput(
            f"samples must be (batch, features), (batch, steps, features) or (batch, channels, "
            f"height, width), found shape {array.shape}"
        )
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1))


def to_torch_layout(x: np.ndarray) -> torch.Tensor:
    """Samples as a graph takes them in PyTorch's layout: the inverse of :func:`to_graph_layout`."""
    tensor = torch.from_numpy(x)
    return tensor.permute(0, 3, 1, 2).contiguous() if tensor.ndim == 4 else tensor
