"""C of the fully connected layer."""

from __future__ import annotations

from ...ops.dense import Dense
from ...ops.lib.window import Window
from ..bit_planes import add_bits, bit_channels, plane_count
from ..blocks import add_blocks
from ..function import Function
from ..gather import add_gather, gather_cycles, sparse_form
from ..linear import accumulator, packing, stored_weights
from ..picks import add_picks, is_picked, pick_cycles
from ..rebuild import CHANNELS, chosen_rebuild
from ..registry import renders
from ..stages import Stage
from ..storage import INT32, conversion
from ..target import Target
from ..weights import Packing
from .conv2d import convolution

__all__: list[str] = []

BLOCKS = (16, 8, 4)  # output channels that are computed at once; 16 only of words that need no mask


@renders(Dense)
def dense(stage: Stage, function: Function) -> dict[str, object]:
    op, (x,) = stage.kernel.op, stage.inputs
    if len(x.type.shape) > 1:  # the steps of a sequence share weights as the pixels of an image do
        steps = Window(x.type.shape[0], 1, (1, 1), (1, 1), (0, 0))
        interval = (x.type.lo, x.type.hi)
        values = convolution(stage, function, op.weights, op.bias, steps, 1, interval)
        return {**values, "is_sequence": True}
    outputs, inputs = op.weights.shape
    function.macs = outputs * inputs
    work = accumulator(op.weights.decode(), op.bias, x.type.lo, x.type.hi)
    stored = stored_weights(op.weights, function.target)
    function.cut(groups=1, axes=("channels",), split="channels")
    matrix = op.weights.decode().reshape(outputs, inputs)
    values = {"is_sequence": False, "inputs": inputs, "x": x, "work": work, "data": "x"}
    values |= {"pads": False, "planes": 0}
    packed = packing(stored, x, work)
    planes = plane_count(stored, x, op.bias) if work == INT32 else 0
    if planes:
        channels = bit_channels(outputs, planes, function.target)
        blocks = add_bits(function, matrix, op.bias, planes, channels)
        function.cut(granule=channels, cycles_per_output=blocks.steps * (3 * planes + 1) + 10)
        values |= {"planes": planes, "lo": x.type.lo, "data": "scratch"}
        return {**values, "blocks": blocks}
    if packed and is_picked(stored, function.target):
        blocks = add_picks(function, matrix, stored.kept, op.bias)
        cycles = pick_cycles(outputs, inputs) // outputs + 10
        function.cut(granule=blocks.channels, cycles_per_output=cycles)
        return {**values, "blocks": blocks}
    form = sparse_form(stored, function.target)
    if packed and form != "zeros":
        blocks = add_gather(function, form, matrix[:, None], stored.kept, op.bias, is_direct=True)
        cycles = gather_cycles(stored.kept) // outputs + 10
        function.cut(granule=blocks.channels, cycles_per_output=cycles)
        return {**values, "blocks": blocks}
    if packed:
        rebuild = chosen_rebuild(stored, function.target)
        block = CHANNELS if rebuild else block_channels(outputs, inputs, packed, function.target)
        runs = matrix[:, None]
        blocks = add_blocks(function, runs, op.bias, packed, block, True, rebuild)
        if blocks.column_bytes != inputs:
            function.scratch_bytes = blocks.column_bytes
            values |= {"pads": True, "data": "scratch"}
        cycles = inputs // 2 + 10
        if rebuild:
            function.scratch_bytes_a_core = rebuild.scratch_bytes
            cycles += int(rebuild.cycles * inputs)
        function.cut(granule=block, cycles_per_output=cycles)
        return {**values, "blocks": blocks}
    weights = function.weights(f"{stage.name}_weights", stored)
    function.cut(cycles_per_output=8 * inputs)
    return {
        **values,
        "blocks": None,
        "weights": weights,
        "bias": function.parameter(f"{stage.name}_bias", op.bias),
        "weight_to_work": function.weight_conversion(weights, work),
        "to_work": conversion(x.ctype, work) if work.bits == 32 else "",
    }


def block_channels(outputs: int, inputs: int, packed: Packing, target: Target) -> int:
    """Output channels of a block: those with which the slowest core is done first.

    A step loads a word a channel and the input's, and multiplies them. A team on tiles shares the
    blocks of one tile, of which half of L1 holds only so many; at least two must fit, or all.
    """
    row = max(1, packed.row_bytes(inputs))  # of few narrow weights it is less
    room = max(1, target.l1_usable * 9 // 20 // row) if target.is_tiled else outputs
    cores = target.cores if target.is_tiled else 1
    beside = 2 * inputs + 12 * outputs + 256  # the input, padded perhaps, and what is a channel's

    def fits(block: int) -> bool:
        copies = 1 if block >= outputs else 2
        return not target.is_tiled or copies * block * row + beside <= target.l1_usable

    def time(block: int) -> int:
        blocks = -(-outputs // block)
        tile = min(blocks, max(1, room // block))
        step = 2 * block + 1  # of four inputs
        if not packed.is_nested:
            step = {8: step, 4: 5 * block + 2, 2: 11 * block + 4}[packed.bits]
        if packed.is_power:
            step = 11 * block + 2
        return -(-blocks // tile) * -(-tile // cores) * step

    is_fast = packed.is_nested or packed.bits == 8
    choices = [block for block in BLOCKS if (is_fast or block <= 8) and block % packed.rows == 0]
    return min([block for block in choices if fits(block)] or choices[-1:], key=time)
