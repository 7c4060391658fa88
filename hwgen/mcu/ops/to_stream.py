"""C of binary numbers to streams: a block of steps at once, a bit a step."""

from __future__ import annotations

import numpy as np

from ...ops.to_stream import ToStream
from ..function import Function
from ..registry import renders
from ..sequences import sequences
from ..stages import Stage
from ..stochastic import draws, room_for
from ..storage import INT32

__all__: list[str] = []

FEATURES = 8  # that are stored at once, at most


@renders(ToStream)
def to_stream(stage: Stage, function: Function) -> dict[str, object]:
    op: ToStream = stage.kernel.op
    features = stage.kernel.type.channels
    planes = op.components.bit_length()
    padded = -(-features // FEATURES) * FEATURES
    found = sequences(op, op.bits, op.length)
    sources = np.arange(op.seeds.array.size)
    function.header = "hwgen_stochastic.h"
    function.has_clones = function.target.is_host
    function.cut(
        groups=1,
        axes=(),
        split="pixels",
        pixel_granule=32,
        cycles_per_output=10 * op.components,
    )
    function.scratch_bytes_a_core = room_for(padded * planes, function.target)
    return {
        "op": op,
        "features": features,
        "planes": planes,
        "size": padded * planes,
        "draw": draws(function, stage.name, found, sources),
        "is_direct": not stage.epilogue,
        "work": INT32,
    }
