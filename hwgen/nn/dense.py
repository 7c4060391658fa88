"""Fully connected layers."""

from __future__ import annotations

import math

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

    Of sequences (batch, steps, features) every step is multiplied alike, and batch norm takes its
    statistics over the steps as well.

    Parameters
    ----------
    in_features, out_features
        Sizes.
    bias
        Whether there is a bias; it is quantized to the accumulator's scale.
    code
        Weight code: "uniform", "binary", "ternary", "power_of_two" or "basis", see
        ``hwgen/nn/codes/``.
    bits
        Width of the weights: 2 to 8 for uniform ones (8 by default, 1 means binary), 2 to 4 for
        powers of two (3 by default).
    per_channel
        One weight scale for every output instead of one for all.
    scale
        "learned", "power_of_two", or the scale itself.
    batch_norm
        Train with a batch norm. It is folded: into uniform weights before they are quantized, into
        the accumulator's scale and the bias behind all others.
    image
        (channels, height, width) of the image that the input is flattened from, where PyTorch's
        order is not the graph's. Masks and ``code="basis"`` need it, as they depend on the order.
    options
        Keywords of the code's own, such as ``stochastic``, ``tau`` or ``group``.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        code: str = "uniform",
        bits: int | None = None,
        per_channel: bool = False,
        scale: str | float = "learned",
        batch_norm: bool = False,
        image: tuple[int, int, int] | None = None,
        **options,
    ) -> None:
        norm = nn.BatchNorm1d(out_features) if batch_norm else None
        weight = torch.empty(out_features, in_features)
        nn.init.kaiming_uniform_(weight, a=5**0.5)
        super().__init__(
            weight,
            bias,
            norm,
            code=code,
            bits=bits,
            per_channel=per_channel,
            scale=scale,
            options=options,
        )
        self.image = _check_image(image, in_features)

    @property
    def in_features(self) -> int:
        return self.weight.shape[1]

    @property
    def out_features(self) -> int:
        return self.weight.shape[0]

    def product(self, x, weight, bias=None) -> torch.Tensor:
        return F.linear(x, weight, bias)

    def check_input(self, shape: tuple[int, ...]) -> None:
        if len(shape) not in (1, 2) or shape[-1] != self.in_features:
            raise InvalidInput(f"input must have {self.in_features} features, found shape {shape}")

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 3:
            return super().train_forward(x)
        self.check_input(tuple(x.shape[1:]))
        return super().train_forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    @property
    def declared_image(self):
        return self.image

    @property
    def depends_on_order(self) -> bool:
        """Whether the weights are drawn or fitted in the graph's order."""
        return not self._scale.maskable

    def layout(self, image) -> tuple[np.ndarray, tuple[int, ...]]:
        """PyTorch flattens (channels, height, width), the graph (height, width, channels)."""
        moved = image if image is None or 1 in (image[0], image[1] * image[2]) else tuple(image)
        declared = self.image
        if declared is not None and 1 in (declared[0], declared[1] * declared[2]):
            declared = None  # both orders are one
        if moved != declared and (declared is not None or self.depends_on_order):
            raise InvalidInput(
                f"image must be {moved} (channels, height, width), as the input is flattened from "
                f"it, found {self.image}; give image={moved}"
            )
        if moved is None:
            return np.arange(self.in_features), (self.in_features,)
        order = np.arange(self.in_features).reshape(moved).transpose(1, 2, 0)
        return order.reshape(-1), (self.in_features,)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        self.check_input(lowering.type(x).shape)
        shape = lowering.images.get(x)
        image = None if shape is None else (shape[2], shape[0], shape[1])
        parts = self.deployed(lowering.scale(x), image)
        return lowering.add("dense", x, weights=parts.code, bias=parts.bias, scale=parts.scale)


def _check_image(image, features: int) -> tuple[int, int, int] | None:
    if image is None:
        return None
    sizes = tuple(image) if isinstance(image, list | tuple) else ()
    if len(sizes) != 3 or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise InvalidInput(f"image must be (channels, height, width), not {image!r}")
    if math.prod(sizes) != features:
        raise InvalidInput(f"image must have the {features} elements of the input, not {sizes}")
    return sizes
