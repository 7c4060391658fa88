"""Lanes of weight codes: every stored weight times every input of eight bits."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth import Module, Signal, signed, unsigned
from amaranth.sim import Simulator

from hwgen.ir import Constant
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.lfsr_masked import LfsrMasked
from hwgen.ops.codes.power_of_two import PowerOfTwo
from hwgen.ops.codes.structured_sparse import StructuredSparse
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.rtl.codes import weight_lane


def powers(bits: int) -> PowerOfTwo:
    levels = [1 << k for k in range((1 << (bits - 1)) - 1)]
    return PowerOfTwo(Constant([0, *levels, *(-v for v in levels)]), bits)


SIGNS = Binary(Constant([1, -1]))
CODES = {
    "binary": SIGNS,
    "ternary": Ternary(Constant([-1, 0, 1])),
    "uniform": Uniform(Constant(np.arange(-8, 8)), 4),
    **{f"power of two, {bits} bits": powers(bits) for bits in (2, 3, 4)},
    # Between kept weights zeros are stored.
    "signs in a block": StructuredSparse(SIGNS, (4,), 2, 1, Constant([[[0], [1]]])),
    "signs under a mask": LfsrMasked(SIGNS, (2,), 3, (3, 2), 1, 3, Constant([1])),
}


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("is_signed", [False, True])
def test_products(name, is_signed) -> None:
    code = CODES[name]
    code.verify()
    weights = np.unique(code.decode())
    lane = weight_lane(code)
    fields = lane.encode(weights)
    assert fields.min() >= 0 and fields.max() < 1 << lane.bits
    assert len(np.unique(fields)) == len(weights)
    pixel = Signal(signed(8) if is_signed else unsigned(8))
    field, product = Signal(lane.bits), Signal(signed(24))
    m = Module()
    m.d.comb += product.eq(lane.product(pixel, field))

    async def bench(ctx) -> None:
        for weight, stored in zip(weights.tolist(), fields.tolist(), strict=True):
            ctx.set(field, stored)
            for x in range(-128, 128) if is_signed else range(256):
                ctx.set(pixel, x)
                assert ctx.get(product) == weight * x, (weight, x)

    sim = Simulator(m)
    sim.add_testbench(bench)
    sim.run()
