"""digits-stochastic: 64-32-10 on integral stochastic streams of 256 steps, weights of 4 components.

The neurons are saturating counters, trained in the stationary transfer curve of their Markov chain with
the noise that 256 steps leave. The published layout (Ardakani et al., IEEE TVLSI 25(10), 2017) but
for weights in sign and magnitude and a class that is told early. 97 % or more of the held-out digits.
"""

from __future__ import annotations

import torch
from torch import nn

from . import data
from .digits import SEED, augmented, held_out
from .stochastic import stochastic_mlp, train_stochastic
from .training import fit, small_teacher

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.970
SIZES = (64, 32, 10)


def build_model() -> nn.Module:
    """The untrained model; takes (batch, 64), pixels in 0..1."""
    return stochastic_mlp(SIZES, bits=4, length=256, components=4)


def train(progress=None, say=None, epochs: int = 150) -> nn.Module:
    """Train on the digits' training split: a minute on one core.

    Parameters
    ----------
    progress
        Called with (epochs done, epochs, a few words).
    say
        Called with lines about the result.
    epochs
        Passes over the data.
    """
    images, labels = data.digits_train()
    x = torch.as_tensor(data.to_real(images, "digits"), dtype=torch.float32).flatten(1)
    y = torch.as_tensor(labels)
    common = {"change": augmented, "seed": SEED, "progress": progress}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        teacher = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), small_teacher())
        fit(teacher, x, y, epochs=30, rate=5e-3, **common)
        torch.manual_seed(SEED)
        return train_stochastic(
            build_model,
            teacher,
            x,
            y,
            check=held_out(),
            say=say,
            epochs=epochs,
            rate=1e-2,
            **common,
        )
