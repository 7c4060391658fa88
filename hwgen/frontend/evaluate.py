"""PyTorch's own result for integer samples: the first of the forms that must be equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..ir.graph import Graph
from ..nn import integers
from ..nn.input import batch_axis
from .checkpoint import load_network
from .layout import to_torch_layout

__all__ = ["evaluate"]


def evaluate(model: nn.Module | str | Path, graph: Graph, x: np.ndarray) -> np.ndarray:
    """The eval forward of a model or of a checkpoint's network.

    Parameters
    ----------
    model
        A module of ``hwgen.nn`` layers, or a checkpoint.
    graph
        Its graph: for the scale and layout of the input.
    x
        Integers of shape (batch, *input shape), channels last.

    Returns
    -------
    int64 array of shape (batch, *output shape), channels last.
    """
    network = model if isinstance(model, nn.Module) else load_network(model)
    real = to_torch_layout(x.astype(np.float64) * np.asarray(graph.input_type.scale))
    real = real.movedim(0, batch_axis(network))
    training = network.training
    try:
        with torch.no_grad():
            return integers(network.eval()(real))
    finally:
        network.train(training)
