"""digits-ternary: 64-128-128-10 with weights -1, 0, +1 and 8-bit activations.

Trained with weights drawn anew in every step, augmentation, and distillation from a small float
convolutional network; batch norm is recalibrated with the deployed weights. 97.5 % or more of the
held-out digits.
"""

from __future__ import annotations

from torch import nn

from .. import nn as q
from .digits import mlp, train_mlp

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.975


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 64), pixels in 0..1."""
    return mlp(
        (64, 128, 128, 10),
        lambda inputs, outputs, **norm: q.Linear(
            inputs, outputs, code="ternary", stochastic=True, **norm
        ),
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
        build_model,
        rate=2e-2,
        decay=0.0,  # shadow weights are clipped instead
        frozen_part=0.0,
        recalibrated=True,
        progress=progress,
        say=say,
    )
