"""Fully connected layers with N:M sparsity that training chooses."""

from __future__ import annotations

import re

import numpy as np
import torch

from ..errors import InvalidInput
from ..ir.code import WeightCode
from ..ir.constant import Constant
from ..ops.codes.structured_sparse import StructuredSparse
from .layer import register_layer
from .masked import MaskedLinear

__all__ = ["SparseLinear"]


@register_layer
class SparseLinear(MaskedLinear):
    """``Linear`` that keeps N of every M neighbouring inputs of an output; lowers to ``dense``.

    Training chooses: in every forward pass the N weights of largest magnitude are used, gradients
    go straight through to all, and the others decay (SR-STE: Zhou et al., "Learning N:M
    Fine-Grained Structured Sparse Neural Networks from Scratch", ICLR 2021, equation 9). Call
    :meth:`freeze_mask` for the last part of the training, so that the kept weights settle. The mask
    of the last forward pass is deployed.

    Parameters
    ----------
    in_features, out_features, bias
        As for :class:`~hwgen.nn.Linear`.
    sparsity
        "N:M", such as "1:8": M in 2..256 divides the inputs.
    share
        Neighbouring outputs that keep the same positions (by the sum of their magnitudes), so that
        an input which is looked up once serves them all; divides the outputs.
    decay
        Strength of the decay of weights that are not used.
    code, bits, per_channel, scale, batch_norm, image, options
        As for :class:`~hwgen.nn.LFSRLinear`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        sparsity: str = "1:8",
        share: int = 1,
        decay: float = 2e-4,
        code: str = "uniform",
        bits: int | None = None,
        per_channel: bool = False,
        scale: str | float = "learned",
        batch_norm: bool = False,
        image: tuple[int, int, int] | None = None,
        **options,
    ) -> None:
        super().__init__(
            in_features,
            out_features,
            bias,
            code=code,
            bits=bits,
            per_channel=per_channel,
            scale=scale,
            batch_norm=batch_norm,
            image=image,
            **options,
        )
        self.sparsity, self.share, self.decay = sparsity, share, decay
        self.keep, self.block = _parse(sparsity, in_features)
        if isinstance(share, bool) or not isinstance(share, int) or share < 1:
            raise InvalidInput(f"share must be an integer of 1 or more, not {share!r}")
        if out_features % share:
            raise InvalidInput(f"share must divide the {out_features} outputs, not {share}")
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 <= decay < 1:
            raise InvalidInput(f"decay must be in 0..1, 1 excluded, not {decay!r}")
        self.register_buffer("mask_frozen", torch.tensor(False))
        self._choose()

    def freeze_mask(self, frozen: bool = True) -> None:
        self.mask_frozen.fill_(frozen)

    @torch.no_grad()
    def start_from(self, weight, bias=None) -> None:
        super().start_from(weight, bias)
        self._choose()

    @torch.no_grad()
    def _choose(self) -> None:
        """Keep the largest of every block; of equals, the first."""
        order, _ = self.layout(self.image)
        size = self.weight[:, order].abs().double()
        size = size.reshape(-1, self.share, self.in_features // self.block, self.block).sum(1)
        best = torch.argsort(size, dim=-1, descending=True, stable=True)[..., : self.keep]
        mask = torch.zeros_like(size, dtype=torch.bool).scatter_(-1, best, True)
        mask = mask.flatten(1).repeat_interleave(self.share, dim=0)
        self.mask.copy_(mask[:, np.argsort(order)])

    def fake_weight(self, weight: torch.Tensor) -> torch.Tensor:
        if self.mask_frozen:
            return super().fake_weight(weight)
        self._choose()
        used = self._scale.fake(weight, self.mask)
        return _Sparse.apply(used, self.weight, self.mask, self.decay)

    def _positions(self) -> np.ndarray:
        """Shape (outputs / share, blocks, N), or InvalidInput."""
        blocks = self.graph_mask().reshape(
            -1, self.share, self.in_features // self.block, self.block
        )
        counts = blocks.sum(axis=-1)
        if (counts != self.keep).any():
            group, member, block = (int(v) for v in np.argwhere(counts != self.keep)[0])
            raise InvalidInput(
                f"mask must keep {self.sparsity} of every block, found "
                f"{int(counts[group, member, block])} in block {block} of output "
                f"{group * self.share + member}; train again, or set the mask anew"
            )
        if (blocks != blocks[:, :1]).any():
            group = int(np.argwhere(blocks != blocks[:, :1])[0][0])
            raise InvalidInput(
                f"mask must be the same for every {self.share} outputs, found outputs "
                f"{group * self.share}..{(group + 1) * self.share - 1} to differ"
            )
        return np.nonzero(blocks[:, 0])[2].reshape(len(blocks), -1, self.keep)

    def check_mask(self) -> None:
        super().check_mask()
        self._positions()

    def encode_mask(self, kept: WeightCode, keep: np.ndarray) -> WeightCode:
        positions = Constant(self._positions())
        return StructuredSparse(kept, (self.in_features,), self.block, self.share, positions)


class _Sparse(torch.autograd.Function):
    """The kept part of ``used``; backward, all of its gradient and the decay of the others."""

    @staticmethod
    def forward(ctx, used, weight, mask, decay):
        ctx.save_for_backward(weight, mask)
        ctx.decay = decay
        return used * mask

    @staticmethod
    def backward(ctx, gradient):
        weight, mask = ctx.saved_tensors
        return gradient, ctx.decay * weight * ~mask, None, None


def _parse(sparsity, inputs: int) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+):(\d+)", sparsity) if isinstance(sparsity, str) else None
    if found is None:
        raise InvalidInput(f'sparsity must be "N:M", such as "1:8", not {sparsity!r}')
    keep, block = int(found[1]), int(found[2])
    if not (1 <= keep < block <= 256):
        raise InvalidInput(f"sparsity must have 1 <= N < M <= 256, not {sparsity}")
    if inputs % block:
        divisors = [m for m in range(2, 257) if inputs % m == 0 and m > keep]
        near = sorted(sorted(divisors, key=lambda m: abs(m - block))[:3])
        raise InvalidInput(
            f"sparsity {sparsity}: {block} must divide the {inputs} inputs; "
            + (f"M could be {', '.join(map(str, near))}" if near else "no M does for these inputs")
        )
    return keep, block
