"""C of the fully connected layer."""

from __future__ import annotations

from ...ops.dense import Dense
from ..function import Function
from ..linear import accumulator, block_bits, stored_weights
from ..registry import renders
from ..stages import Stage
from ..storage import conversion

__all__: list[str] = []

BLOCKS = (16, 8)  # output channels that are computed at once; 16 only of 8-bit weights


@renders(Dense)
def dense(stage: Stage, function: Function) -> dict[str, object]:
    op, (x,) = stage.kernel.op, stage.inputs
    outputs, inputs = op.weights.shape
    function.macs = outputs * inputs
    work = accumulator(op.weights.decode(), op.bias, x.type.lo, x.type.hi)
    stored = stored_weights(op.weights, function.target)
    function.cut(groups=1, axes=("channels",), split="channels")
    bits = block_bits(stored, x, work)
    if bits:
        runs = op.weights.decode().reshape(outputs, 1, inputs)
        block = block_channels(outputs, bits)
        blocks = function.blocks(runs, op.bias, bits, block, is_direct=True)
        pads = blocks.column_bytes != inputs
        if pads:
            function.scratch_bytes = blocks.column_bytes
        function.cut(granule=block, cycles_per_output=inputs // 2 + 10)
        return {"blocks": blocks, "inputs": inputs, "pads": pads, "x": x, "work": work}
    weights = function.weights(f"{stage.name}_weights", stored)
    function.cut(cycles_per_output=8 * inputs)
    return {
        "blocks": None,
        "inputs": inputs,
        "weights": weights,
        "bias": function.parameter(f"{stage.name}_bias", op.bias),
        "work": work,
        "weight_to_work": function.weight_conversion(weights, work),
        "to_work": conversion(x.ctype, work) if work.bits == 32 else "",
    }


def block_channels(outputs: int, bits: int) -> int:
    """Channels of a block: as many as there are, unless that makes the weights larger."""
    large, small = BLOCKS
    fits = -(-outputs // large) * large == -(-outputs // small) * small
    return large if bits == 8 and fits else small
