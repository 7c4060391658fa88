"""Layers that the tests of tiling share: random ones, and some of real networks."""

from __future__ import annotations

from hypothesis import strategies as st

from hwgen.mcu.planning.layout import lay_out
from hwgen.mcu.planning.tiles import Operand, Work


@st.composite
def works(draw, most: int = 9, is_padded: bool = True) -> Work:
    """Random layers: odd geometries, several inputs, groups.

    Without padding every window lies inside the inputs.
    """
    kernel, stride, padding = (
        (draw(st.integers(low, high)), draw(st.integers(low, high)))
        for low, high in ((1, 5), (1, 6), (0, 5 if is_padded else 0))
    )
    rows, columns = draw(st.integers(1, most)), draw(st.integers(1, most))
    inside = [(n - 1) * s + k for n, s, k in zip((rows, columns), stride, kernel, strict=True)]
    extents = [st.integers(*((1, 2 * most) if is_padded else (n, n + 3))) for n in inside]
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    outputs, depth = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    inputs = tuple(
        Operand(
            *(draw(extent) for extent in extents),
            groups * depth,
            draw(st.sampled_from([1, 2, 4])),
            groups,
            draw(st.sampled_from([0, 3])),
        )
        for _ in range(draw(st.integers(1, 2)))
    )
    return Work(
        rows,
        columns,
        groups * outputs,
        inputs,
        granule=draw(st.sampled_from([1, 2, 4])),
        kernel=kernel,
        stride=stride,
        padding=padding,
        out_bytes=draw(st.sampled_from([1, 2, 4])),
        weight_bytes=draw(st.sampled_from([0, 5, 36])),
        constant_bytes=draw(st.sampled_from([0, 7])),
        scratch_bytes=draw(st.sampled_from([0, 40])),
        cycles_per_output=draw(st.integers(1, 50)),
        cycles_per_pixel=draw(st.sampled_from([0, 70])),
        split=draw(st.sampled_from(["outputs", "pixels", "channels", "area"])),
        pixel_granule=draw(st.sampled_from([1, 4])),
    )


@st.composite
def tilings(draw):
    """A layer, and a tiling of any legal size."""
    work = draw(works())
    blocks = -(-work.channels // work.granule)
    rows, columns = draw(st.integers(1, work.rows)), draw(st.integers(1, work.columns))
    channels = min(draw(st.integers(1, blocks)) * work.granule, work.channels)
    order = draw(st.sampled_from(["weights", "inputs"]))
    return work, lay_out(work, rows, columns, channels, order)


def conv(size: int, inputs: int, outputs: int, kernel: int, stride: int = 1, cores: int = 8):
    """A square convolution with columns of 4 pixels for every core."""
    taps, out = kernel * kernel * inputs, (size - 1) // stride + 1
    return Work(
        out,
        out,
        outputs,
        (Operand(size, size, inputs),),
        granule=4,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        padding=(kernel // 2, kernel // 2),
        weight_bytes=4 * taps,
        constant_bytes=12 * outputs,
        scratch_bytes=cores * 4 * taps if kernel > 1 else 0,
        core_bytes=4 * taps if kernel > 1 else 0,
        cycles_per_output=10 + taps // 3,
        cycles_per_pixel=150 + taps if kernel > 1 else 0,
        split="area",
        pixel_granule=4,
    )


def dense(inputs: int, outputs: int) -> Work:
    return Work(
        1,
        1,
        outputs,
        (Operand(1, 1, inputs),),
        granule=4,
        weight_bytes=4 * inputs,
        constant_bytes=12 * outputs,
        cycles_per_output=8 + inputs // 2,
        split="channels",
    )


def depthwise(size: int, channels: int, stride: int = 1) -> Work:
    out = (size - 1) // stride + 1
    return Work(
        out,
        out,
        channels,
        (Operand(size, size, channels, groups=channels),),
        kernel=(3, 3),
        stride=(stride, stride),
        padding=(1, 1),
        weight_bytes=9,
        constant_bytes=12 * channels,
        cycles_per_output=18,
        split="pixels",
    )


def addition(size: int, channels: int) -> Work:
    x = Operand(size, size, channels, groups=channels)
    return Work(size, size, channels, (x, x), cycles_per_output=8)


LAYERS = {
    "small": conv(16, 16, 32, 3),
    "large": conv(56, 64, 64, 3),
    "stem": conv(224, 3, 32, 3, 2),
    "pointwise": conv(112, 32, 64, 1),
    "late": conv(7, 512, 1024, 1),
    "depthwise": depthwise(112, 64, 2),
    "deep": depthwise(14, 512),
    "dense": dense(784, 128),
    "addition": addition(56, 64),
}
