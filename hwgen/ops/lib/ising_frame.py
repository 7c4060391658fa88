"""The bytes that go into a network of spins, and those that come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...errors import InvalidInput
from .xorshift import SEED_BITS

__all__ = ["Answer", "Frame"]

HEAD = 9
"""Bytes of the answer before the spins."""


class Answer(NamedTuple):
    """What runs came to.

    Attributes
    ----------
    found
        Whether there was a valid state: bool, (runs,).
    cycle
        Cycles until the state of the answer: int64, (runs,); all cycles if nothing was valid.
    hits
        Cycles behind which a replica was valid: int64, (runs,).
    spins
        The state, -1 and 1: int64, (runs, nodes).
    """

    found: np.ndarray
    cycle: np.ndarray
    hits: np.ndarray
    spins: np.ndarray


@dataclass(frozen=True, slots=True)
class Frame:
    """Layout, numbers with their lowest byte and bit first; bits that are left over are not read.

    In: four bytes of seed, of which 31 bits count; a bit a port that tells whether it is clamped; a
    bit a port with its value. Out: a byte that is 1 if a valid state was found; four bytes each
    of its cycle and of the number of cycles with a valid state; a bit a node, 1 for a spin of 1.

    Attributes
    ----------
    nodes, ports
        How many.
    """

    nodes: int
    ports: int

    @property
    def port_bytes(self) -> int:
        return -(-self.ports // 8)

    @property
    def input_bytes(self) -> int:
        return 4 + 2 * self.port_bytes

    @property
    def output_bytes(self) -> int:
        return HEAD + -(-self.nodes // 8)

    def pack_inputs(self, seeds, clamps=None) -> np.ndarray:
        """Frames of runs.

        Parameters
        ----------
        seeds
            Integers, shape (runs,), in 0..2^31 - 1.
        clamps
            Shape (runs, ports) or (ports,): 1, -1, or 0 for a free spin. Default: all free.

        Returns
        -------
        int64 array of shape (runs, input_bytes).
        """
        seeds = np.atleast_1d(np.asarray(seeds, np.int64))
        if seeds.min() < 0 or seeds.max() >= 1 << SEED_BITS:
            raise InvalidInput(
                f"a seed must lie in 0..{(1 << SEED_BITS) - 1}, found {seeds.min()}..{seeds.max()}"
            )
        clamps = np.zeros(self.ports) if clamps is None else np.asarray(clamps)
        clamps = np.broadcast_to(clamps, (len(seeds), self.ports))
        parts = [seeds[:, None].astype("<u4").view(np.uint8)]
        for bits in (clamps != 0, clamps > 0):
            parts.append(np.packbits(bits, axis=1, bitorder="little"))
        return np.concatenate(parts, axis=1).astype(np.int64)

    def unpack_inputs(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Seeds, uint32 (runs,), and clamps, int64 (runs, ports), of frames."""
        octets = x.astype(np.uint8)
        seeds = np.ascontiguousarray(octets[:, :4]).view("<u4")[:, 0]
        seeds = seeds & np.uint32((1 << SEED_BITS) - 1)
        middle = 4 + self.port_bytes
        enable, value = (
            np.unpackbits(part, axis=1, count=self.ports, bitorder="little").astype(np.int64)
            for part in (octets[:, 4:middle], octets[:, middle:])
        )
        return seeds, enable * (2 * value - 1)

    def pack_outputs(self, answer: Answer) -> np.ndarray:
        """Frames of answers: int64, shape (runs, output_bytes)."""
        parts = [answer.found[:, None].astype(np.uint8)]
        for number in (answer.cycle, answer.hits):
            parts.append(np.ascontiguousarray(number[:, None]).astype("<u4").view(np.uint8))
        parts.append(np.packbits(answer.spins > 0, axis=1, bitorder="little"))
        return np.concatenate(parts, axis=1).astype(np.int64)

    def unpack_outputs(self, y: np.ndarray) -> Answer:
        """Answers of frames."""
        octets = np.ascontiguousarray(np.asarray(y).astype(np.uint8))
        cycle, hits = (
            np.ascontiguousarray(octets[:, at : at + 4]).view("<u4")[:, 0].astype(np.int64)
            for at in (1, 5)
        )
        bits = np.unpackbits(octets[:, HEAD:], axis=1, count=self.nodes, bitorder="little")
        return Answer(octets[:, 0] > 0, cycle, hits, 2 * bits.astype(np.int64) - 1)
