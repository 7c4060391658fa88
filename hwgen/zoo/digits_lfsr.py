"""digits-lfsr: 64-128-128-10, of whose connections shift registers keep a tenth.

8-bit weights and activations; 2640 of 25 856 weights, no position stored. Trained with
augmentation, and distilled from a small float convolutional network; 95.5 % or more of the held-out
digits. Training compares it with the dense network of as many weights, trained likewise.
"""

from __future__ import annotations

from torch import nn

from .. import nn as q
from .digits import dense_of, mlp, train_mlp

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.955
DENSITY = 0.1


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 64), pixels in 0..1."""
    return mlp(
        (64, 128, 128, 10),
        lambda inputs, outputs, **norm: q.LFSRLinear(inputs, outputs, density=DENSITY, **norm),
    )


def train(progress=None, say=None) -> nn.Module:
    """Train on the digits' training split: half a minute on one core.

    Parameters
    ----------
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with lines about the result.
    """
    return train_mlp(
        build_model, rate=1e-2, recalibrated=True, dense=_equal, progress=progress, say=say
    )


def _equal(model: nn.Module) -> nn.Module:
    """The dense network of as many weights."""
    kept = sum(int(layer.mask.sum()) for layer in model if isinstance(layer, q.LFSRLinear))
    return mlp(dense_of(kept), q.Linear)
