"""The memory beside a design with streamed weights: what answers its requests, one call a clock cycle.

Requests are answered in their order with the words of the image file. At full speed a request is
taken and a word given in every cycle, the first ``memory.latency`` cycles after its request: that is
what a design's timing is declared for. A slow memory raises tready only when it has seen tvalid, and
answers later and with gaps, at another pace after every request. ``column_memory.h`` is the same in
C++.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwgen.errors import InvalidInput
from hwgen.rtl.design import ColumnMemory, Design

from .faults import Fault

__all__ = ["Answer", "MemoryModel", "Request", "read_image"]

# Paces of a slow memory: pauses of requests and of words in eighths of the cycles, and by how many
# cycles at most an answer is late.
PACES = ((0, 0, 1), (4, 4, 4), (0, 6, 1), (6, 0, 16))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the memory gives to the design in a cycle: tready of requests, and a word."""

    ready: bool
    valid: bool
    data: int
    last: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What the design gives to the memory before the clock edge.

    Attributes
    ----------
    valid, ready
        A request is there; a word is taken. None if unknown (X).
    address
        Reads where the column begins, called only while ``valid``; None if unknown.
    """

    valid: int | None
    ready: int | None
    address: Callable[[], int | None]


def read_image(design: Design, memory: ColumnMemory) -> np.ndarray:
    """What a memory of ``design`` holds, out of its file: uint8, (words, bytes of a word).

    Raises
    ------
    InvalidInput
        The file is missing, or too short or long.
    """
    path = design.folder / memory.image
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except FileNotFoundError:
        raise InvalidInput(
            f"{path}: no such file; it holds the streamed weights of {memory.name}: compile again"
        ) from None
    size = memory.depth * memory.word_bytes
    if len(data) != size:
        raise InvalidInput(
            f"{path}: must have {size} bytes, {memory.depth} words of {memory.word_bytes}, "
            f"found {len(data)}; compile again"
        )
    return data.reshape(memory.depth, memory.word_bytes)


class MemoryModel:
    """One memory.

    Every cycle: set the ports to :meth:`drive`, let the logic settle, give what the design shows to
    :meth:`observe`.

    Parameters
    ----------
    memory
        Its description.
    words
        Its content, as natural numbers.
    slow
        Whether it stalls at random.
    seed
        Of the stalls.

    Attributes
    ----------
    requests
        Columns that were asked for since the last reset.
    """

    def __init__(self, memory: ColumnMemory, words: list[int], slow: bool, seed: int) -> None:
        self._memory = memory
        self._content = words
        self._slow = slow
        self._random = random.Random(seed)
        self.reset()

    def reset(self) -> None:
        """Forget all requests."""
        self.requests = 0
        self._cycle = 0
        self._open: deque[tuple[int, int]] = deque()  # when it may be answered, and where it begins
        self._word = 0  # of the oldest request
        self._offering = False
        self._ready = False
        self._seen: int | None = None  # the request that waits for tready
        self._pace = PACES[0]

    @property
    def busy(self) -> bool:
        """Whether words are wanted that have not been taken."""
        return bool(self._open)

    def drive(self, reset: bool) -> Answer:
        """What the design is given in this cycle; noise where no word is valid."""
        noise = self._random.getrandbits(self._memory.word_bits)
        if reset:
            return Answer(False, False, noise, False)
        pause, word_pause, _ = self._pace
        self._ready = not self._slow or (self._seen is not None and self._may(pause))
        if not self._offering and self._open and self._cycle >= self._open[0][0]:
            self._offering = not self._slow or self._may(word_pause)
        last = self._word == self._memory.words - 1
        if not self._offering:
            return Answer(self._ready, False, noise, not last)
        data = self._content[self._open[0][1] + self._word]
        return Answer(self._ready, True, data, last)

    def observe(self, request: Request) -> Fault:
        """Check and count one cycle: the rule that the design breaks, or NONE."""
        if request.valid is None or request.ready is None:
            return Fault.UNKNOWN
        if self._offering and request.ready:
            self._offering = False
            self._word += 1
            if self._word == self._memory.words:
                self._word = 0
                self._open.popleft()
        seen, self._seen = self._seen, None
        if seen is not None and not request.valid:
            return Fault.REQUEST_DROPPED
        if request.valid:
            address = request.address()
            if address is None:
                return Fault.UNKNOWN
            if seen is not None and address != seen:
                return Fault.REQUEST_CHANGED
            if address >= self._memory.depth or address % self._memory.words:
                return Fault.REQUEST_WRONG
            if self._ready:
                self._take(address)
            else:
                self._seen = address
        self._cycle += 1
        return Fault.TOO_MANY_REQUESTS if len(self._open) > self._memory.ahead else Fault.NONE

    def _take(self, address: int) -> None:
        self.requests += 1
        due = self._cycle + self._memory.latency
        if self._slow:
            self._pace = PACES[self._random.randrange(len(PACES))]
            due += self._random.randrange(self._pace[2])
        self._open.append((due, address))

    def _may(self, pause: int) -> bool:
        return self._random.randrange(8) >= pause
