"""Long short-term memory over a sequence."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.op import register
from .lib.gates import FRACTION, narrow, sigmoid, tanh
from .lib.recurrent import STATE_BITS, Recurrent, State

__all__ = ["Lstm"]


@register
@dataclass(frozen=True, slots=True)
class Lstm(Recurrent):
    """An LSTM cell without peepholes; see :class:`~hwgen.ops.lib.recurrent.Recurrent`.

    Of unit u and gate k of (i, f, g, o), PyTorch's order, with row ``r = k n + u``::

        z[r] = sat12((recurrent_gain[r] a[r] + input_gain[r] b[r] + bias[r] + 2^(shift-1)) >> shift)
        c' = sat12((s(z_i) t(z_g) + s(z_f) c + 128) >> 8)
        h' = prune(sat8((s(z_o) t(c') + 256) >> 9))

    ``s`` and ``t`` are sigmoid and tanh; z and c are Q4.8.
    """

    gates = 4
    unit_products = 3

    def finish(self, a, b, state):
        z = a * self.recurrent_gain.array + b * self.input_gain.array + self.bias.array
        z = narrow(z, self.shift)
        i, f, g, o = (z[:, k * self.units : (k + 1) * self.units] for k in range(self.gates))
        forgot = sigmoid(f, self.activation) * state.c
        learned = sigmoid(i, self.activation) * tanh(g, self.activation)
        c = narrow(forgot + learned, FRACTION)
        h = sigmoid(o, self.activation) * tanh(c, self.activation)
        return State(narrow(h, 2 * FRACTION - (STATE_BITS - 1), STATE_BITS), c)
