"""Gated recurrent unit with quantized weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .gates import narrow, sigmoid, tanh, trained_sigmoid, trained_tanh
from .layer import register_layer
from .recurrent import Recurrent, State

__all__ = ["GRU"]


@register_layer
class GRU(Recurrent):
    """A GRU whose weights have few values; see :class:`~hwgen.nn.recurrent.Recurrent`.

    With a and b the products with h and x, in PyTorch's order of gates (r, z, n)::

        n = tanh(b_n + sigmoid(a_r + b_r) (a_n + bias_hidden))
        h' = (1 - sigmoid(a_z + b_z)) n + sigmoid(a_z + b_z) h

    Deployed, the state has 12 bits (Q1.11), of which products see 8 (Q1.7): see the op ``gru`` in
    docs/ir.md.
    """

    gates = 3
    apart = 1

    def start_biases(self):
        self.bias_hidden = nn.Parameter(torch.zeros(self.hidden_size))
        with torch.no_grad():
            self.bias[self.hidden_size : 2 * self.hidden_size] = 1.0  # keep the state at first

    def cell(self, a, b, state):
        act = self.activation
        reset, update = trained_sigmoid((a + b)[:, : 2 * self.hidden_size], act).chunk(2, 1)
        a, b = a[:, 2 * self.hidden_size :], b[:, 2 * self.hidden_size :]
        new = trained_tanh(b + reset * (a + self.bias_hidden), act)
        h = (1 - update) * new + update * state.c
        return State(h, h)

    def integer_cell(self, a, b, state, shift, parts):
        n = self.hidden_size
        gates = sigmoid(narrow((a + b)[:, : 2 * n], shift), self.activation)
        reset, update = gates.chunk(2, 1)
        m = narrow(a[:, 2 * n :] + parts["recurrent_bias"], shift)
        p = narrow(b[:, 2 * n :], shift)
        q = (p + torch.div(reset * m + 128, 256, rounding_mode="floor")).clamp(-2048, 2047)
        new = 8 * tanh(q, self.activation)
        c = narrow(update * state.c + (256 - update) * new, 8)
        return State(narrow(c, 4, bits=8), c)

    def own_constants(self, unit, offset):
        bias = self.bias_hidden.detach().double().cpu().numpy() + offset
        return {"recurrent_bias": np.rint(bias * unit).astype(np.int64)}
