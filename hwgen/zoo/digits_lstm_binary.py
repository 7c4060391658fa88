"""digits-lstm-binary: an LSTM of 64 units over the 8 rows of an image, weights -1, +1.

Trained with the deployed weights and a learned gain a gate row, augmentation, and distillation from
a small float convolutional network. 97 % or more of the held-out digits.
"""

from __future__ import annotations

from torch import nn

from .digits_lstm import build, train_lstm

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.97


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 8, 8), pixels in 0..1."""
    return build(64, code="binary")


def train(progress=None, say=None) -> nn.Module:
    """Train on the digits' training split: a minute on one core.

    Parameters
    ----------
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with lines about the result.
    """
    return train_lstm(build_model, progress=progress, say=say)
