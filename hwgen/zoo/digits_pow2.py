"""digits-pow2: 64-64-64-10 with 3-bit power-of-two weights and 4-bit activations.

All scales are powers of two, those of batch norm as well: no multiplication anywhere, neither for
weights nor for a rescaling. Trained with augmentation, and distilled from a small float
convolutional network; 96.0 % or more of the held-out digits.
"""

from __future__ import annotations

from torch import nn

from .. import nn as q
from .digits import mlp, train_mlp

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.960


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 64), pixels in 0..1."""
    scale = "power_of_two"
    return mlp(
        (64, 64, 64, 10),
        lambda inputs, outputs, **norm: q.Linear(
            inputs, outputs, code="power_of_two", bits=3, scale=scale, **norm
        ),
        activation=4,
        scale=scale,
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
    return train_mlp(build_model, rate=1e-2, recalibrated=True, progress=progress, say=say)
