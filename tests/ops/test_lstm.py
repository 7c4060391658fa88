"""lstm."""

from __future__ import annotations

from hwgen.ops.lstm import Lstm
from tests.ops import draw as d
from tests.ops import recurrent_cells as cells


class TestLstm(cells.RecurrentTests):
    cases = cells.cases(Lstm)
    corners = cells.corners(Lstm)

    def unit(self, op, u, a, b, c):
        n, sigmoid = op.units, cells.sigmoid(op.activation)
        z = [cells.rounded(a[r] + b[r], op.shift) for r in (u, n + u, 2 * n + u, 3 * n + u)]
        i, f, o = sigmoid(z[0]), sigmoid(z[1]), sigmoid(z[3])
        g = 2 * sigmoid(cells.clipped(2 * z[2], 12)) - 256
        c = cells.clipped((f * c + i * g + 128) // 256, 12)
        squashed = 2 * sigmoid(cells.clipped(2 * c, 12)) - 256
        return cells.clipped((o * squashed + 256) // 512, 8), c

    def model(self, rng):
        from torch import nn

        from hwgen.nn import LSTM

        return nn.Sequential(d.entrance(rng, 5, 4), LSTM(4, **cells.layer_options(rng)))
