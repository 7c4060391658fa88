"""Weights in memory: rows of elements, packed several a byte where the code allows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .storage import CType

__all__ = ["StoredWeights", "pack"]


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """A matrix of weights, one row an output channel.

    Attributes
    ----------
    rows
        int64, shape (output channels, elements a row): what is stored.
    ctype
        Type of a stored element.
    each
        Weights a stored element: 1 unless they are packed.
    kind
        Of packed weights the ending of the runtime's ``hwgen_weight_<kind>(row, i)`` and
        ``hwgen_field_<kind>(byte, i)``; empty where ``row[i]`` is the weight.
    summary
        How they are stored, for comments.
    """

    rows: np.ndarray
    ctype: CType
    each: int
    kind: str
    summary: str


def pack(rows: np.ndarray, bits: int) -> np.ndarray:
    """Fields of ``bits`` bits (1, 2 or 4), several a byte, the first in the lowest bits.

    Parameters
    ----------
    rows
        Integers of shape (rows, n); only the low ``bits`` bits of each are stored.

    Returns
    -------
    int64 array of shape (rows, bytes a row), each in 0..255; every row starts a new byte.
    """
    each = 8 // bits
    count, n = rows.shape
    padded = np.zeros((count, -(-n // each) * each), dtype=np.int64)
    padded[:, :n] = rows & ((1 << bits) - 1)
    fields = padded.reshape(count, -1, each) << (bits * np.arange(each))
    return fields.sum(axis=2)
