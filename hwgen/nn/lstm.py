"""Long short-term memory with quantized weights."""

from __future__ import annotations

import torch

from .gates import narrow, sigmoid, tanh, trained_sigmoid, trained_tanh
from .layer import register_layer
from .recurrent import Recurrent, State

__all__ = ["LSTM"]


@register_layer
class LSTM(Recurrent):
    """An LSTM whose weights have few values; see :class:`~hwgen.nn.recurrent.Recurrent`.

    With z the sum of both products, in PyTorch's order of gates (i, f, g, o)::

        c' = sigmoid(z_f) c + sigmoid(z_i) tanh(z_g);  h' = sigmoid(z_o) tanh(c')

    The cell itself is not normalized. Deployed, h has 8 bits (Q1.7), c 12 (Q4.8): see the op
    ``lstm`` in docs/ir.md.
    """

    gates = 4

    def start_biases(self):
        with torch.no_grad():
            self.bias[self.hidden_size : 2 * self.hidden_size] = 1.0  # forget nothing at first

    def cell(self, a, b, state):
        act = self.activation
        i, f, g, o = (a + b).chunk(4, 1)
        learned = trained_sigmoid(i, act) * trained_tanh(g, act)
        c = trained_sigmoid(f, act) * state.c + learned
        return State(trained_sigmoid(o, act) * trained_tanh(c, act), c)

    def integer_cell(self, a, b, state, shift, parts):
        act = self.activation
        i, f, g, o = narrow(a + b, shift).chunk(4, 1)
        c = narrow(sigmoid(f, act) * state.c + sigmoid(i, act) * tanh(g, act), 8)
        return State(narrow(sigmoid(o, act) * tanh(c, act), 9, bits=8), c)
