"""gru."""

from __future__ import annotations

from hwgen.ops.gru import Gru
from tests.ops import draw as d
from tests.ops import recurrent_cells as cells


class TestGru(cells.RecurrentTests):
    cases = cells.cases(Gru)
    corners = cells.corners(Gru)

    def unit(self, op, u, a, b, c):
        n, sigmoid = op.units, cells.sigmoid(op.activation)
        reset = sigmoid(cells.rounded(a[u] + b[u], op.shift))
        update = sigmoid(cells.rounded(a[n + u] + b[n + u], op.shift))
        recurrent = a[2 * n + u] + int(op.recurrent_bias.array[u])
        gated = (reset * cells.rounded(recurrent, op.shift) + 128) // 256
        q = cells.clipped(cells.rounded(b[2 * n + u], op.shift) + gated, 12)
        new = 2 * sigmoid(cells.clipped(2 * q, 12)) - 256
        c = cells.clipped((update * c + (256 - update) * 8 * new + 128) // 256, 12)
        return cells.clipped((c + 8) // 16, 8), c

    def model(self, rng):
        import torch
        from torch import nn

        from hwgen.nn import GRU

        layer = GRU(4, **cells.layer_options(rng))
        with torch.no_grad():
            layer.bias_hidden.uniform_(-1, 1)
        return nn.Sequential(d.entrance(rng, 5, 4), layer)
