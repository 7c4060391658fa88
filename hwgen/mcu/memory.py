"""Which memory everything of a model lies in."""

from __future__ import annotations

from collections.abc import Sequence

from .function import Function
from .layout import Memory
from .plan import Buffer
from .target import Target
from .tiles import ALIGN, Tiling

__all__ = ["cut_layers", "memory_of", "scratch_buffers"]


def memory_of(target: Target) -> Memory:
    """What the planners must know of a target with an L1."""
    dma = target.dma
    return Memory(
        l1=target.l1_usable,
        l2=target.l2_usable,
        l3=target.l3,
        cores=target.cores,
        dma_bytes=dma.bytes,
        dma_setup=dma.setup,
        l3_bytes=dma.l3_bytes,
        l3_setup=dma.l3_setup,
    )


def cut_layers(functions: Sequence[Function], target: Target) -> list[Tiling]:
    """How every layer is cut into tiles; none where the target has one memory only.

    Raises
    ------
    Unsupported
        The smallest tile of a layer does not fit; the message has the numbers.
    """
    if not target.is_tiled:
        return []
    from .tiling import tile  # OR-tools: only where layers are cut

    memory = memory_of(target)
    return [tile(function.work, memory, function.where) for function in functions]


def scratch_buffers(functions: Sequence[Function], target: Target) -> list[Buffer]:
    """Memory that functions need while they run, where it does not lie in L1."""
    if target.is_tiled:
        return []
    return [
        Buffer(f"{function.name} scratch", function.scratch_size, step, step, ALIGN)
        for step, function in enumerate(functions)
        if function.scratch_size
    ]
