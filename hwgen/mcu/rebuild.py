"""Weights that are stored as what they are computed from, and rebuilt block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .target import Target
from .weights import StoredWeights, power_fields

__all__ = ["CHANNELS", "GROUP", "HEADER", "Rebuild", "chosen_rebuild", "power_words"]

CHANNELS = 4
"""Output channels of a block: few, since the int8 weights of a block lie in scratch memory."""

GROUP = 16
"""Powers of two that ``hwgen_powers`` makes at a time."""

HEADER = "hwgen_rebuild.h"
"""Of the runtime."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """How blocks of int8 weights are stored in fewer bytes, and rebuilt in scratch memory.

    Attributes
    ----------
    blocks
        What is stored: uint8, shape (blocks of :data:`CHANNELS` channels, bytes of a block, a
        multiple of 4).
    function, arguments
        Of the runtime, that rebuilds a block as :func:`.weights.block_rows` lays it out, and what
        it takes beside the addresses.
    summary
        How they are stored, for comments.
    cycles
        Of a DSP core, to rebuild a weight; for estimates.
    columns
        Weights of a channel.
    room_bytes
        What the function needs beside the block.
    """

    blocks: np.ndarray
    function: str
    arguments: tuple[int, ...]
    summary: str
    cycles: float
    columns: int
    room_bytes: int

    @property
    def block_bytes(self) -> int:
        """Of a block of int8 weights."""
        return CHANNELS * 4 * -(-self.columns // 4)

    @property
    def scratch_bytes(self) -> int:
        """What a core needs."""
        return self.block_bytes + self.room_bytes

    def call(self, to: str, source: str) -> str:
        """The C expression that rebuilds a block of ``source`` in ``to``, of :attr:`scratch_bytes`."""
        arguments = (to, f"{to} + {self.block_bytes}", source, *map(str, self.arguments))
        return f"{self.function}({', '.join(arguments)})"


def power_words(values: np.ndarray) -> np.ndarray:
    """Powers of two and zeros as ``hwgen_powers`` reads them.

    Parameters
    ----------
    values
        Integers of shape (rows, n). What is missing at a multiple of :data:`GROUP` is 0.

    Returns
    -------
    uint8 array of shape (rows, bytes).
    """
    rows, n = values.shape
    fields = power_fields(np.pad(values, ((0, 0), (0, -n % GROUP)))) & 15
    low, high = fields.reshape(rows, -1, 2, 4).transpose(2, 0, 1, 3)
    return (low | high << 4).reshape(rows, -1).astype(np.uint8)


def chosen_rebuild(stored: StoredWeights, target: Target) -> Rebuild | None:
    """How the weights are rebuilt, if that is fewer bytes and has room.

    Every core has a block of its own. In L1 all of them may take two fifths, the rest is for tiles.
    """
    rebuild = stored.rebuild
    if rebuild is None or rebuild.blocks.shape[1] >= rebuild.block_bytes:
        return None
    needed = target.cores * rebuild.scratch_bytes
    has_room = not target.is_tiled or needed <= target.l1_usable * 2 // 5
    return rebuild if has_room else None
