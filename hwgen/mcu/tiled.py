"""A tiled layer as ``kernels/tiled.j2`` lays it out: tables of tiles and transfers, addresses in L1."""

from __future__ import annotations

from dataclasses import dataclass

from .function import Function
from .operands import operand_names
from .planning.tiles import Block, Box, Slice, Tiling, Transfer, expand

__all__ = ["Operand", "TiledLayer"]


@dataclass(frozen=True, slots=True)
class Operand:
    """What of a layer is cut into tiles and moved.

    Attributes
    ----------
    name
        Of its variables in C.
    ctype
        Type of its elements.
    source
        Where it lies in slow memory.
    offsets
        Of its one or two halves in L1.
    moves
        For every tile the members of ``hwgen_move``.
    """

    name: str
    ctype: str
    source: str
    offsets: tuple[int, ...]
    moves: tuple[tuple[int, ...], ...]


class TiledLayer:
    """The values of the template.

    Parameters
    ----------
    function
        The layer, rendered.
    tiling
        How it is cut.
    half_bytes
        Of the buffer in L2 through which its weights come from L3, slice by slice; 0 if they
        lie in L2 when the layer starts.
    """

    def __init__(self, function: Function, tiling: Tiling, half_bytes: int = 0) -> None:
        stage, array = function.stage, function.weights_array
        tiles = expand(function.work, tiling)
        names = operand_names(len(stage.inputs))
        self.half_bytes = half_bytes
        self.inputs = []
        for i, (name, x) in enumerate(zip(names, stage.inputs, strict=True)):
            moves = tuple(_box(tile.inputs[i], x.ctype.bytes) for tile in tiles)
            self.inputs.append(Operand(name, f"{x.ctype}", name, _halves(tiling.inputs[i]), moves))
        if array is not None:
            moves = tuple(_slice(tile.weights) for tile in tiles)
            halves = _halves(tiling.weights)
            self.inputs.append(Operand("w", f"{array.ctype}", "weights", halves, moves))
        y = stage.output.ctype
        moves = tuple(_box(tile.output, y.bytes) for tile in tiles)
        self.output = Operand("y", f"{y}", "y", _halves(tiling.output), moves)
        self.operands = [*self.inputs, self.output]
        self.constants_offset = tiling.constants.offset if tiling.constants else None
        self.scratch_offset = tiling.scratch.offset if tiling.scratch else None
        self.l1_bytes = tiling.l1_bytes
        self.tiles = [
            (
                *(tile.output.height, tile.output.width, tile.output.channels),
                tile.output.channel,
                *(tile.inputs[0].height, tile.inputs[0].width),
                *(tile.inputs[0].top, tile.inputs[0].left),
            )
            for tile in tiles
        ]
        self.parameters = ", ".join(
            [
                *(f"const {x.ctype} *{n}" for n, x in zip(names, stage.inputs, strict=True)),
                *([f"const {array.ctype} *weights"] if array and not half_bytes else []),
                *(["unsigned char *staged", "uint32_t l3"] if half_bytes else []),
                f"{y} *y",
                "unsigned char *l1",
                *(f"{state.ctype} *{state.parameter}" for state in function.states),
            ]
        )
        self.arguments = ", ".join(
            [
                "&tile",
                *(f"{o.name}_tile[{o.name}_now->buffer]" for o in self.inputs),
                *(["constants"] if tiling.constants else []),
                "y_tile[y_now->buffer]",
                *(["scratch"] if tiling.scratch else []),
                *(state.parameter for state in function.states),
            ]
        )
        pieces = "1 tile" if tiling.tiles == 1 else f"{tiling.tiles} tiles"
        size = f"{tiling.rows}x{tiling.columns}x{tiling.channels}"
        self.comment = [
            f"The same in {pieces} of at most {size} outputs; {tiling.dma_bytes} bytes are moved."
        ]


def _halves(block: Block) -> tuple[int, ...]:
    return tuple(block.at(buffer) for buffer in range(block.copies))


def _box(box: Box, bytes: int) -> tuple[int, ...]:
    return (*_transfer(box.offset * bytes, box.transfer), box.buffer, int(box.fresh))


def _slice(part: Slice) -> tuple[int, ...]:
    return (*_transfer(part.offset, Transfer(part.length)), part.buffer, int(part.fresh))


def _transfer(offset: int, t: Transfer) -> tuple[int, ...]:
    return offset, t.length, t.lines, t.stride, t.planes, t.plane_stride
