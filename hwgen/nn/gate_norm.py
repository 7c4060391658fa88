"""Normalization of the gate rows of recurrent layers: by a gain alone, or by batch norm."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InvalidInput, Unsupported

__all__ = ["MAX_STEPS", "NORMS", "GateNorm", "Scaling", "make_norm"]

NORMS = ("wn", "bn_time", "bn_shared")
MAX_STEPS = 32  # with constants of their own
EPSILON = 1e-5
MOMENTUM = 0.1
FIRST_GAIN = 0.1  # that sigmoids begin in their linear part (Cooijmans et al., 2017)


class Scaling(NamedTuple):
    """What becomes of the products in eval mode: ``product * gain + offset``, each (sets, rows)."""

    recurrent_gain: torch.Tensor
    input_gain: torch.Tensor
    recurrent_offset: torch.Tensor
    input_offset: torch.Tensor


def make_norm(norm: str, rows: int, steps: int | None) -> GateNorm | None:
    """What keeps the statistics of a layer; None where there are none.

    Raises
    ------
    InvalidInput
        ``norm`` is unknown, or ``steps`` does not go with it.
    """
    if norm not in NORMS:
        raise InvalidInput(f"norm must be one of {', '.join(NORMS)}, not {norm!r}")
    if norm == "bn_time":
        if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= MAX_STEPS:
            raise InvalidInput(
                f"norm 'bn_time' needs steps, the length of the sequences, 1..{MAX_STEPS}, not {steps!r}"
            )
        return GateNorm(rows, steps)
    if steps is not None:
        raise InvalidInput(f"steps is for norm 'bn_time', not for {norm!r}")
    return GateNorm(rows, 1) if norm == "bn_shared" else None


class GateNorm(nn.Module):
    """Batch norm of the two products of a step, and not of the cell's state.

    In training a step is normalized with its own statistics over the batch; what is deployed are
    running ones: a set of them for every step (``bn_time``; Cooijmans et al., "Recurrent Batch
    Normalization", 2017), or one for all steps (``bn_shared``), which is another network than the
    trained one until training has gone on with the set as it is.

    Parameters
    ----------
    rows
        Gate rows.
    sets
        Steps, or 1.

    Attributes
    ----------
    frozen
        Whether training normalizes with the running statistics.
    """

    def __init__(self, rows: int, sets: int) -> None:
        super().__init__()
        self.sets = sets
        self.frozen = False
        for part in ("recurrent", "input"):
            self.register_buffer(f"{part}_mean", torch.zeros(sets, rows))
            self.register_buffer(f"{part}_var", torch.ones(sets, rows))
        self.register_buffer("tuned", torch.zeros((), dtype=torch.int64))

    def check(self, steps: int, batch: int | None = None) -> None:
        """Raise InvalidInput where the statistics are of other sequences, or there can be none."""
        if self.sets > 1 and steps != self.sets:
            raise InvalidInput(
                f"norm 'bn_time' has the statistics of {self.sets} steps, found a sequence of {steps}"
            )
        if batch == 1 and not self.frozen:
            raise InvalidInput("batch norm needs 2 sequences or more a batch in training, found 1")

    def check_deployable(self) -> None:
        """Raise Unsupported where one set of statistics has not been trained with."""
        if self.sets == 1 and not self.tuned:
            raise Unsupported(
                "norm 'bn_shared' deploys one set of statistics for all steps, which training must "
                "have seen: call freeze_statistics() and train on, or take 'wn' or 'bn_time'"
            )

    def inputs(self, b: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        """The input products of all steps, (batch, steps, rows), normalized."""
        batch, steps, rows = b.shape
        self.tuned += self.frozen and torch.is_grad_enabled()
        mean, var = self.input_mean, self.input_var
        flat = b.reshape(-1, rows) if self.sets == 1 else b.flatten(1)
        weight = gain if self.sets == 1 else gain.repeat(self.sets)
        found = self._norm(flat, mean.view(-1), var.view(-1), weight, MOMENTUM)
        return found.reshape(batch, steps, rows)

    def recurrent(self, a: torch.Tensor, t: int, steps: int, gain: torch.Tensor) -> torch.Tensor:
        """The recurrent product of step ``t``, (batch, rows), normalized.

        That of the first step is 0. It has no moments, but of a set for all steps it gets its share.
        """
        if t == 0 and (self.sets > 1 or not self.frozen):
            return a
        at = t if self.sets > 1 else 0
        # Of one set every step has its share.
        momentum = MOMENTUM if self.sets > 1 else 1 - (1 - MOMENTUM) ** (1 / (steps - 1))
        return self._norm(a, self.recurrent_mean[at], self.recurrent_var[at], gain, momentum)

    def _norm(self, x, mean, var, gain, momentum) -> torch.Tensor:
        return F.batch_norm(x, mean, var, gain, None, not self.frozen, momentum, EPSILON)

    def scaling(self, recurrent_gain: torch.Tensor, input_gain: torch.Tensor) -> Scaling:
        """The deployed scales."""
        a = recurrent_gain * (self.recurrent_var + EPSILON).rsqrt()
        b = input_gain * (self.input_var + EPSILON).rsqrt()
        return Scaling(a, b, -a * self.recurrent_mean, -b * self.input_mean)
