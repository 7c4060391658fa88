"""Weights that lie in fewer bits than they are multiplied with, and are rebuilt block by block."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from .target import Target

__all__ = ["CHANNELS", "GROUP", "HEADER", "Rebuild", "chosen", "power_words", "rebuilt_bytes"]

CHANNELS = 4
"""Output channels of a block: few, since the int8 weights of a block lie in scratch memory."""

GROUP = 16  # weights that hwgen_powers makes at a time
HEADER = "hwgen_rebuild.h"  # of the runtime


class Rebuild(ABC):
    """How blocks of int8 weights are stored in fewer bytes, and rebuilt by ``hwgen_rebuild.h``.

    Attributes
    ----------
    summary
        How they are stored, for comments.
    cycles
        Of a DSP core, to rebuild a weight; for estimates.
    room_bytes
        What it needs beside the block.
    """

    summary: str
    cycles: float
    room_bytes: int = 0

    @abstractmethod
    def blocks(self, matrix: np.ndarray) -> np.ndarray:
        """What is stored of a matrix of weights.

        Parameters
        ----------
        matrix
            Integers of 8 bits, of shape (output channels, n).

        Returns
        -------
        uint8 array of shape (blocks of :data:`CHANNELS` channels, bytes of a block, a multiple of 4).
        """

    @abstractmethod
    def call(self, to: str, source: str, columns: int) -> str:
        """The C expression that rebuilds a block as :func:`.weights.block_rows` lays it out.

        Parameters
        ----------
        to
            Where to: the block, and :attr:`room_bytes` behind it.
        source
            What is stored of it.
        columns
            Weights of a channel, with what fills up the last word.
        """


def rebuilt_bytes(n: int) -> int:
    """Of a block of int8 weights, n a channel."""
    return CHANNELS * 4 * -(-n // 4)


def power_words(codes: np.ndarray) -> np.ndarray:
    """Codes of powers of two as ``hwgen_powers`` of the runtime reads them.

    Parameters
    ----------
    codes
        Integers of 0 to 15, of shape (rows, n), as :meth:`.PowerOfTwo.codes` of 4 bits gives them:
        0, or an exponent plus 1, below a sign. What is missing at a multiple of 16 is 0.

    Returns
    -------
    uint8 array of shape (rows, bytes).
    """
    rows, n = codes.shape
    padded = np.zeros((rows, -(-n // GROUP) * GROUP), dtype=np.int64)
    padded[:, :n] = codes
    # A code says how far 1 is shifted to the left, what is stored how far 64 is to the right.
    low, high = (padded ^ 7).reshape(rows, -1, 2, 4).transpose(2, 0, 1, 3)
    return (low | high << 4).reshape(rows, -1).astype(np.uint8)


def chosen(rebuild: Rebuild | None, matrix: np.ndarray, target: Target) -> Rebuild | None:
    """``rebuild``, if it takes fewer bytes than int8 weights and what it rebuilds has room.

    Every core has a block of its own. In L1 all of them may take two fifths, the rest is for tiles.
    """
    if rebuild is None:
        return None
    size = rebuilt_bytes(matrix.shape[1])
    if target.is_tiled:
        needed = target.cores * (size + rebuild.room_bytes)
        if needed > target.l1_usable * 2 // 5:
            return None
    stored = rebuild.blocks(matrix)
    return rebuild if stored.shape[1] < size else None
