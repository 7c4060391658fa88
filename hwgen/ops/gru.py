"""Gated recurrent unit over a sequence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import RuleViolation
from ..ir.constant import Constant
from ..ir.op import register
from ..ir.types import Type
from .lib.gates import FRACTION, ONE, WIDTH, narrow, saturate, sigmoid, tanh
from .lib.recurrent import STATE_BITS, Recurrent, State, sum_reach, verify_shape

__all__ = ["CELL_FRACTION", "Gru"]

CELL_FRACTION = WIDTH - 1  # of c


@register
@dataclass(frozen=True, slots=True)
class Gru(Recurrent):
    """A GRU whose reset gate is behind the recurrent product; see
    :class:`~hwgen.ops.lib.recurrent.Recurrent`.

    Of unit u and gate k of (r, z, n), PyTorch's order, in row ``k n + u``, with
    ``N(v) = sat12((v + 2^(shift-1)) >> shift)``::

        z[row] = N(recurrent_gain[row] a[row] + input_gain[row] b[row] + bias[row])    for r and z
        m = N(recurrent_gain[row] a[row] + recurrent_bias[u])                          for n
        p = N(input_gain[row] b[row] + bias[row])                                      for n
        q = sat12(p + ((s(z_r) m + 128) >> 8))
        c' = sat12((s(z_z) c + (256 - s(z_z)) (t(q) << 3) + 128) >> 8)
        h' = prune(sat8((c' + 8) >> 4))

    ``s`` and ``t`` are sigmoid and tanh. c is the state in Q1.11, so that slow units do not stand
    still, h the same in Q1.7, which products and readers see. Cho et al., "Learning Phrase
    Representations using RNN Encoder-Decoder", 2014, in the form of cuDNN and PyTorch.

    Attributes
    ----------
    recurrent_bias
        Shape (n,), or (steps, n): of the recurrent part of gate n, at most 32 bits.
    """

    gates = 3
    unit_products = 3
    of_step = (*Recurrent.of_step, "recurrent_bias")

    recurrent_bias: Constant = field(kw_only=True)

    def verify(self, x: Type) -> None:
        Recurrent.verify(self, x)
        steps = (x.shape[0],) if self.varies else ()
        verify_shape("recurrent_bias", self.recurrent_bias, steps, "a unit", self.units)
        largest = np.abs(self.recurrent_bias.array).reshape(-1, self.units).max(axis=0)
        reach = sum_reach(self, x)[2 * self.units :] + largest
        wrong = np.flatnonzero(reach >= 1 << 31)
        if len(wrong):
            raise RuleViolation(
                f"gains times products must stay below 2^31, found up to {reach[wrong[0]]} with "
                f"recurrent_bias of unit {wrong[0]}; lower shift"
            )

    def finish(self, a, b, state):
        n = self.units
        a = a * self.recurrent_gain.array
        b = b * self.input_gain.array + self.bias.array
        z = sigmoid(narrow((a + b)[:, : 2 * n], self.shift), self.activation)
        reset, update = z[:, :n], z[:, n:]
        m = narrow(a[:, 2 * n :] + self.recurrent_bias.array, self.shift)
        p = narrow(b[:, 2 * n :], self.shift)
        q = saturate(p + ((reset * m + ONE // 2) >> FRACTION))
        new = tanh(q, self.activation) << (CELL_FRACTION - FRACTION)
        c = narrow(update * state.c + (ONE - update) * new, FRACTION)
        return State(narrow(c, CELL_FRACTION - (STATE_BITS - 1), STATE_BITS), c)
