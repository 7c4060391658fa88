"""C of the convolution."""

from __future__ import annotations

from ...ir.code import WeightCode
from ...ir.constant import Constant
from ...ops.conv2d import Conv2d
from ...ops.lib.window import Window
from ..blocks import add_blocks
from ..depthwise import add_depthwise
from ..function import Function
from ..gather import add_gather, gather_cycles, sparse_form
from ..linear import accumulator, geometry, packing, stored_weights
from ..registry import renders
from ..stages import Stage
from ..storage import conversion
from ..target import Target

__all__ = ["convolution"]

CHANNELS = 4  # of the block of outputs that is computed at once
# Its pixels, and cycles of one product: more pixels share the weights that are loaded.
PIXELS = {4: 0.375, 2: 0.44, 1: 0.5625}


@renders(Conv2d)
def conv2d(stage: Stage, function: Function) -> dict[str, object]:
    op, (x,) = stage.kernel.op, stage.inputs
    interval = op.input_interval(x.type)
    return convolution(stage, function, op.weights, op.bias, op.window(x.type), op.groups, interval)


def convolution(
    stage: Stage,
    function: Function,
    weights: WeightCode,
    bias: Constant,
    window: Window,
    groups: int,
    interval: tuple[int, int],
) -> dict[str, object]:
    """What ``conv2d.c.j2`` needs of a convolution, whatever the op that asks for it.

    Parameters
    ----------
    weights
        A code that decodes to an output's weights in the order of its window, outputs first.
    interval
        Of what the weights see.
    """
    (x,) = stage.inputs
    (height, width), depth = window.kernel, x.type.channels // groups
    matrix = weights.decode().reshape(-1, height * width * depth)
    outputs = len(matrix)
    function.macs = stage.kernel.type.size * height * width * depth
    work = accumulator(matrix, bias, *interval)
    stored = stored_weights(weights, function.target)
    function.cut(groups=groups, kernel=window.kernel, stride=window.stride, padding=window.padding)
    values = {
        **{"g": geometry(window), "depth": depth, "x": x, "work": work},
        **{"blocks": None, "depthwise": None},
    }
    packed = packing(stored, x, work)
    is_pixel = window.kernel == window.stride == (1, 1) and not any(window.padding)
    form = sparse_form(stored, function.target, PIXELS[CHANNELS])
    if packed and groups == 1 and form != "zeros":
        runs = matrix.reshape(outputs, height, width * depth)
        blocks = add_gather(function, form, runs, stored.kept, bias, is_pixel)
        if not is_pixel:
            function.cut(cycles_per_pixel=180 + height * width * depth)
            function.scratch_bytes_a_core = blocks.column_bytes
        function.cut(granule=blocks.channels, split="area", pixel_granule=1)
        function.cut(cycles_per_output=10 + gather_cycles(stored.kept) // outputs)
        return {**values, "blocks": blocks, "p": 1}
    if packed and groups == 1:
        is_direct = is_pixel and depth % packed.step == 0
        runs = matrix.reshape(outputs, height, width * depth)
        channels = max(CHANNELS, packed.rows)
        most = CHANNELS * max(PIXELS) // channels
        blocks = add_blocks(function, runs, bias, packed, channels, is_direct)
        taps = height * width * depth
        pixels = most
        if not is_direct:
            tile = window.kernel[0] * window.kernel[1] * depth + 2 * min(outputs, channels)
            tile += channels * blocks.column_bytes * packed.bits // 8
            least = 2 * tile + 16 * outputs + 64  # twice, and constants and alignment
            pixels = block_pixels(blocks.column_bytes, least, most, function.target)
            function.cut(cycles_per_pixel=180 + taps)
            function.scratch_bytes_a_core = pixels * blocks.column_bytes
        cycles = 10 + int(PIXELS[pixels] * taps)
        function.cut(granule=channels, split="area", pixel_granule=pixels, cycles_per_output=cycles)
        return {**values, "blocks": blocks, "p": pixels}
    if packed and packed.bits > 1 and outputs == groups == x.type.channels:
        taps = matrix.reshape(outputs, height, width)
        cycles = 10 + height * width // 2
        function.cut(split="area", pixel_granule=1, cycles_per_output=cycles)
        return {**values, "depthwise": add_depthwise(function, taps, bias, window)}
    held = function.weights(f"{stage.name}_weights", stored)
    is_depthwise = outputs == groups == x.type.channels
    function.cut(split="pixels", cycles_per_output=8 * height * width * depth)
    if groups > 1 and not is_depthwise:
        function.cut(axes=("rows", "columns"))
    return {
        **values,
        "groups": groups,
        "each": outputs // groups,
        "in_channels": function.extent.channels if is_depthwise else x.type.channels,
        "weights": held,
        "aligned": depth % held.each == 0,
        "bias": function.parameter(f"{stage.name}_bias", bias),
        "weight_to_work": function.weight_conversion(held, work),
        "to_work": conversion(x.ctype, work) if work.bits == 32 else "",
    }


def block_pixels(column_bytes: int, tile_bytes: int, most: int, target: Target) -> int:
    """Pixels of a block: as many as leave most of L1 to the tiles, where there is an L1.

    ``tile_bytes`` is about what the smallest tile needs, ``most`` what micro-kernels take.
    """
    room = min(target.l1_usable * 2 // 5, target.l1_usable - tile_bytes)
    choices = [pixels for pixels in PIXELS if pixels <= most]
    for pixels in choices:
        if target.cores * pixels * column_bytes <= room:
            return pixels
    return min(choices) if target.is_tiled else max(choices)
