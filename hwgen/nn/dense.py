"""Fully connected layers."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InvalidInput
from .layer import Lowering, register_layer
from .weighted import Weighted

__all__ = ["Linear"]


@register_layer
class Linear(Weighted):
    """``torch.nn.Linear`` with quantized weights; lowers to ``dense``.

    Parameters
    ----------
    in_features, out_features
        Sizes.
    bias
        Whether there is a bias; it is quantized to the accumulator's scale.
    bits
        Width of the weights, 1 to 8.
    per_channel
        One weight scale for every output instead of one for all.
    scale
        "learned", "power_of_two", or the scale itself.
    batch_norm
        Train with a batch norm, folded into the weights before they are quantized.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        bits: int = 8,
        per_channel: bool = False,
        scale: str | float = "learned",
        batch_norm: bool = False,
    ) -> None:
        norm = nn.BatchNorm1d(out_features) if batch_norm else None
        weight = torch.empty(out_features, in_features)
        nn.init.kaiming_uniform_(weight, a=5**0.5)
        super().__init__(weight, bias, bits, per_channel, scale, norm)

    @property
    def in_features(self) -> int:
        return self.weight.shape[1]

    @property
    def out_features(self) -> int:
        return self.weight.shape[0]

    def product(self, x, weight, bias=None) -> torch.Tensor:
        return F.linear(x, weight, bias)

    def check_input(self, shape: tuple[int, ...]) -> None:
        if shape != (self.in_features,):
            raise InvalidInput(f"input must have {self.in_features} features, found shape {shape}")

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        self.check_input(lowering.type(x).shape)
        parts = self.deployed(lowering.scale(x))
        weights = parts.weights
        if x in lowering.images:
            # PyTorch flattens (channels, height, width), the graph (height, width, channels).
            height, width, channels = lowering.images[x]
            columns = weights.reshape(-1, channels, height, width)
            weights = np.ascontiguousarray(columns.transpose(0, 2, 3, 1)).reshape(len(weights), -1)
        return lowering.add(
            "dense", x, weights=parts.code(weights), bias=parts.bias, scale=parts.scale
        )
