"""Fully connected layers of which a mask keeps a part of the connections."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InvalidInput
from ..ir.code import WeightCode
from .dense import Linear

__all__ = ["Balance", "MaskedLinear", "UnreadInputs"]


class UnreadInputs(UserWarning):
    """A mask drops every connection of an input, which was computed for nothing."""


@dataclass(frozen=True)
class Balance:
    """How a mask spreads its connections.

    Attributes
    ----------
    least, mean, most
        Kept inputs an output. ``most`` is the depth of a packed weight memory: every output has as
        many words, the last ones of a shorter one unused.
    density
        Kept part of all connections.
    coverage
        Part of the inputs that some output reads.
    """

    least: int
    mean: float
    most: int
    density: float
    coverage: float

    def __str__(self) -> str:
        return (
            f"{self.least}/{self.mean:.1f}/{self.most} inputs an output (min/mean/max), "
            f"density {self.density:.4f}, coverage {100 * self.coverage:.1f} %"
        )


class MaskedLinear(Linear):
    """``Linear`` under a mask, which is a buffer of the layer, in PyTorch's order.

    Subclasses say how the mask comes about, what must hold of it, and its code.
    """

    mask: torch.Tensor

    def __init__(self, in_features: int, out_features: int, bias: bool, **arguments) -> None:
        super().__init__(in_features, out_features, bias, **arguments)
        if not self._scale.maskable:
            raise InvalidInput(
                f"code must be uniform, binary, ternary or power_of_two for a layer with a mask, "
                f"not {self.code!r}"
            )
        self.register_buffer("mask", torch.ones(out_features, in_features, dtype=torch.bool))

    @property
    def depends_on_order(self) -> bool:
        return True

    def encode_mask(self, kept: WeightCode, keep: np.ndarray) -> WeightCode:
        """The code of weights under the mask; ``kept`` is that of the kept ones alone."""
        raise NotImplementedError(f"{type(self).__name__} must define encode_mask()")

    def kept(self) -> torch.Tensor:
        return self.mask

    @torch.no_grad()
    def settle(self) -> None:
        super().settle()
        self.weight.copy_(torch.where(self.mask, self.weight, 0.0))

    def graph_mask(self) -> np.ndarray:
        """The mask in the graph's order of the inputs."""
        order, _ = self.layout(self.image)
        return self.mask.cpu().numpy()[:, order]

    def set_mask(self, mask: np.ndarray) -> None:
        """Take a mask that is in the graph's order."""
        order, _ = self.layout(self.image)
        self.mask.copy_(torch.as_tensor(np.asarray(mask)[:, np.argsort(order)]))

    def fake_weight(self, weight: torch.Tensor) -> torch.Tensor:
        return self._scale.fake(weight, self.mask) * self.mask

    def encode(self, weights, keep, signs):
        kept = weights[keep]
        return self.encode_mask(self._scale.code(kept, signs), keep)

    @property
    def balance(self) -> Balance:
        """How many inputs the outputs keep, and how many inputs are read."""
        counts = self.mask.sum(1)
        return Balance(
            int(counts.min()),
            float(counts.float().mean()),
            int(counts.max()),
            float(self.mask.float().mean()),
            float(self.mask.any(0).float().mean()),
        )

    @property
    def memory_depth(self) -> int:
        """Words that a packed weight memory has for every output."""
        return self.balance.most

    @property
    def parameter_count(self) -> int:
        """Kept weights and biases."""
        return int(self.mask.sum()) + (0 if self.bias is None else self.out_features)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}; {self.balance}"

    def check_mask(self) -> None:
        empty = np.flatnonzero(~self.mask.any(1).cpu().numpy())
        if len(empty):
            raise InvalidInput(
                f"every output must keep an input, found that {len(empty)} of {self.out_features} "
                f"keep none of {self.in_features}, the first of them output {empty[0]}"
            )

    def lower(self, lowering, *inputs: str) -> str:
        unread = np.flatnonzero(~self.mask.any(0).cpu().numpy())
        if len(unread):
            warnings.warn(
                f"{self.where}: no output reads {len(unread)} of the {self.in_features} inputs, "
                f"the first of them input {unread[0]}; a larger density would read more",
                UnreadInputs,
                stacklevel=2,
            )
        return super().lower(lowering, *inputs)
