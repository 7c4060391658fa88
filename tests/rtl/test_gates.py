"""Parts of recurrent cells by themselves: gates of all inputs, and lanes that codes share."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth import Module, Signal, signed
from amaranth.sim import Simulator

from hwgen.ops.lib import gates as golden
from hwgen.rtl.lib import gates
from hwgen.rtl.lib.column_weights import column_words, joint_lane
from tests.ops import draw as ops


@pytest.mark.parametrize("activation", golden.ACTIVATIONS)
def test_gates_of_all_inputs(activation) -> None:
    m = Module()
    z, is_tanh = Signal(signed(golden.WIDTH)), Signal()
    found = [Signal(signed(gates.GATE_BITS), name=f"found{k}") for k in range(3)]
    m.d.comb += [
        found[0].eq(gates.sigmoid(m, z, activation, "s")),
        found[1].eq(gates.tanh(m, z, activation, "t")),
        found[2].eq(gates.gate(m, z, activation, is_tanh, "g")),
    ]
    values = np.arange(-2048, 2048)
    rows = []

    async def bench(ctx) -> None:
        for value in values.tolist():
            ctx.set(z, value)
            ctx.set(is_tanh, value % 2)
            await ctx.delay(1e-9)
            rows.append([ctx.get(signal) for signal in found])

    simulation = Simulator(m)
    simulation.add_testbench(bench)
    simulation.run()
    sigmoid, tanh = golden.sigmoid(values, activation), golden.tanh(values, activation)
    assert np.array_equal(np.array(rows)[:, 0], sigmoid)
    assert np.array_equal(np.array(rows)[:, 1], tanh)
    assert np.array_equal(np.array(rows)[:, 2], np.where(values % 2, tanh, sigmoid))


@pytest.mark.parametrize(
    ("kinds", "bits"),
    [
        (("binary", "binary"), 1),
        (("binary", "ternary"), 2),
        (("ternary", "power_of_two"), None),
        (("power_of_two", "uniform"), None),
        (("basis", "lfsr_masked"), None),
        (("structured_sparse", "binary"), None),
    ],
)
def test_codes_share_a_lane(kinds, bits) -> None:
    """Every word holds the decoded weights, whatever their codes were."""
    rng = np.random.default_rng(3)
    codes = [ops.draw_weights(rng, (12, 4), kind) for kind in kinds]
    lane = joint_lane(codes)
    assert bits in (None, lane.bits)
    for code in codes:
        fields = column_words(code.decode(), 8, lane)
        assert fields.shape == (4 * 2, 8) and fields.max() < 1 << lane.bits
        m = Module()
        field, value = Signal(lane.bits), Signal(signed(8))
        product = Signal(signed(24))
        m.d.comb += product.eq(lane.product(value, field))
        found = []

        async def bench(ctx, field=field, product=product, value=value, words=fields, got=found):
            ctx.set(value, -77)
            for word in words.reshape(4, 16)[:, :12].reshape(-1).tolist():
                ctx.set(field, word)
                await ctx.delay(1e-9)
                got.append(ctx.get(product))

        simulation = Simulator(m)
        simulation.add_testbench(bench)
        simulation.run()
        assert np.array_equal(np.reshape(found, (4, 12)).T, -77 * code.decode())
