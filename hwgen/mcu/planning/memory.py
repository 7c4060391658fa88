"""Which memory everything of a model lies in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import Unsupported
from ..function import Function
from ..stages import Program
from .layout import Memory
from .plan import Buffer, Plan, plan
from .tiles import ALIGN, Tiling

__all__ = ["Memories", "Stream", "assign", "memory_of"]


@dataclass(frozen=True, slots=True)
class Stream:
    """Weights that are read from L3 whenever the model runs.

    Attributes
    ----------
    address
        Offset of the layer's weights in L3.
    size
        Bytes of all of them.
    buffer
        Name of the buffer in the arena that they are read into.
    half
        Bytes of a half of it, if they are read slice by slice while the layer runs; 0 if as a
        whole while the layer before does.
    """

    address: int
    size: int
    buffer: str
    half: int


@dataclass(frozen=True, slots=True)
class Memories:
    """Where everything lies.

    Attributes
    ----------
    arena
        Offsets of values, scratch memory and streamed weights.
    tilings
        Of every function how it is cut; None where the target has one memory only.
    streams
        Of every function its weights in L3, or None.
    l3_bytes
        Of all of them.
    """

    arena: Plan
    tilings: tuple[Tiling | None, ...]
    streams: tuple[Stream | None, ...]
    l3_bytes: int

    @property
    def l1_bytes(self) -> int:
        """Of the largest layer."""
        return max((tiling.l1_bytes for tiling in self.tilings if tiling), default=0)


def assign(functions: Sequence[Function], program: Program) -> Memories:
    """Decide it.

    Raises
    ------
    Unsupported
        Something does not fit; the message has the numbers.
    MissingTool
        OR-tools is needed, for a target with L1, and not installed.
    """
    if program.target.is_tiled:
        return _assign_levels(functions, program)
    scratch = [
        Buffer(f"{function.name} scratch", function.scratch_size, step, step, ALIGN)
        for step, function in enumerate(functions)
        if function.scratch_size
    ]
    nothing = (None,) * len(functions)
    arena = plan([*program.buffers(), *scratch])
    _check_flat(functions, program, arena.size)
    return Memories(arena, nothing, nothing, 0)


def _check_flat(functions: Sequence[Function], program: Program, arena: int) -> None:
    """Refuse what a single memory cannot hold, even without code."""
    target = program.target
    constants = sum(constant.bytes for function in functions for constant in function.constants)
    lent = program.input.bytes + program.output.bytes
    need, free = constants + arena + lent, target.l2_usable
    if free and need > free:
        raise Unsupported(
            f"the model needs {need} bytes of memory (weights and other constants {constants}, "
            f"activations {arena}, input and output {lent}), and target {target.name} has {free} "
            f"free; what would fit: memory larger by {need - free} bytes, or weights of fewer bits"
        )


def memory_of(program: Program) -> Memory:
    """What the planners must know of a target with L1."""
    target, dma = program.target, program.target.dma
    return Memory(
        l1=target.l1_usable,
        stack=target.stack,
        l2=target.l2_usable,
        l3=target.l3,
        cores=target.cores,
        dma_bytes=dma.bytes,
        dma_setup=dma.setup,
        l3_bytes=dma.l3_bytes,
        l3_setup=dma.l3_setup,
    )


def _assign_levels(functions: Sequence[Function], program: Program) -> Memories:
    # OR-tools only where layers are cut.
    from . import tiling
    from .place import LayerWeights, place

    memory = memory_of(program)
    layers = [LayerWeights(f.name, _weight_bytes(f), _slice_bytes(f, memory)) for f in functions]
    constants = sum(
        -(-function.constants_bytes // ALIGN) * ALIGN + function.staying_bytes
        for function in functions
    )
    tilings = _tile_all(functions, memory)
    tables = sum(_table_bytes(f, cut) for f, cut in zip(functions, tilings, strict=True))
    lent = program.input.bytes + program.output.bytes
    sliced: dict[int, Tiling] = {}

    def slice_tables(i: int) -> int | None:
        """What tables of more tiles take if layer i's weights are read slice by slice."""
        function = functions[i]
        try:
            sliced[i] = tiling.tile(function.work, memory, function.where, layers[i].chunk)
        except Unsupported:  # two slices do not fit where all weights do once
            return None
        return max(0, _table_bytes(function, sliced[i]) - _table_bytes(function, tilings[i]))

    fixed = constants + tables + lent
    placement = place(layers, program.buffers(), memory, fixed, slice_tables)
    streams = []
    for number, layer in enumerate(layers):
        home = placement.homes[number]
        if home == "chunks":
            tilings[number] = sliced[number]
        streams.append(
            None
            if home == "l2"
            else Stream(
                placement.addresses[number],
                layer.size,
                placement.staging[number],
                -(-layer.chunk // ALIGN) * ALIGN if home == "chunks" else 0,
            )
        )
    return Memories(placement.plan, tuple(tilings), tuple(streams), placement.l3_bytes)


def _tile_all(functions: Sequence[Function], memory: Memory) -> list[Tiling]:
    """How every layer is cut; if several do not fit, the refusal says what all of them need."""
    from . import tiling

    tilings: list[Tiling] = []
    refused: list[tiling.NoTile] = []
    for function in functions:
        try:
            tilings.append(tiling.tile(function.work, memory, function.where))
        except tiling.NoTile as refusal:
            refused.append(refusal)
    if refused:
        most = max(refused, key=lambda refusal: refusal.missing)
        others = len(refused) - 1
        if not others:
            raise most
        raise Unsupported(
            f"{most}; {others} more layer{'s do' if others > 1 else ' does'} not fit either, for "
            f"all of them L1 must be larger by {most.missing} bytes"
        )
    return tilings


def _weight_bytes(function: Function) -> int:
    return function.weights_array.bytes if function.weights_array else 0


def _slice_bytes(function: Function, memory: Memory) -> int:
    """Weights of the channels of a tile if they are read from L3 slice by slice."""
    work = function.work
    if not work.weight_bytes or "channels" not in work.axes:
        return 0
    return max(1, memory.l1 // 8 // work.weight_bytes) * work.weight_bytes


def _table_bytes(function: Function, tiling: Tiling) -> int:
    """The tables of a layer's tiles and transfers, eight words a row."""
    operands = len(function.stage.inputs) + (function.weights_array is not None) + 1
    return 32 * (1 + operands) * tiling.tiles
