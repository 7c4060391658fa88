"""digits-lstm-sparse: an LSTM of 128 units with 8-bit weights, nine of ten states zero.

States below 0.2 count as zero and are skipped; a mean magnitude in the loss makes most of them so
(Ardakani, Ji and Gross, "Learning to Skip Ineffectual Recurrent Computations in LSTMs", 2019, by
threshold). 97 % or more of the held-out digits.
"""

from __future__ import annotations

from torch import nn

from .digits_lstm import build, train_lstm

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.97


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 8, 8), pixels in 0..1."""
    return build(128, code="uniform", bits=8, threshold=0.2)


def train(progress=None, say=None) -> nn.Module:
    """Train on the digits' training split: two minutes on one core.

    Parameters
    ----------
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with lines about the result.
    """
    return train_lstm(build_model, epochs=120, sparsity=60.0, progress=progress, say=say)
