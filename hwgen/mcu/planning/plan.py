"""Where every buffer lies in the arena.

Two buffers may share bytes if they are never live at the same step. Placing them in the least
memory is dynamic storage allocation, which is NP-hard (Garey and Johnson, 1979, problem SR2), so
several greedy orders are tried and the best is kept. What they leave above the lower bound is
searched exhaustively if it is small, and else improved by moving forward in the order whatever
ended too high ("squeaky wheel", Joslin and Clements, JAIR 10, 1999). Offsets follow from an order by
first fit: with buffers sorted by the offsets of an optimal layout, first fit moves none of them
up, so some order is optimal.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

__all__ = ["Buffer", "Plan", "live_bytes", "lower_bound", "plan"]

MAX_EXACT = 8  # buffers; the search visits at most 8! orders
ROUNDS = 400  # of improvement


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that is needed for some of the steps.

    Attributes
    ----------
    name
        Unique.
    size
        Bytes, 1 or more; rounded up to a multiple of ``align`` by the planner.
    first, last
        Steps at which it is written first and read last, both included.
    align
        Its offset is a multiple of this power of two.
    in_place
        Buffers whose last step is this one's first, and on top of which it may lie (at the
        same offset), because that step reads each element before it writes the same element.
    """

    name: str
    size: int
    first: int
    last: int
    align: int = 4
    in_place: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Offsets in an arena.

    Attributes
    ----------
    offsets
        Byte offset of every buffer.
    size
        Bytes of the arena.
    lower_bound
        Bytes that no layout can go below.
    align
        Alignment of the arena itself.
    """

    offsets: dict[str, int]
    size: int
    lower_bound: int
    align: int

    @property
    def is_optimal(self) -> bool:
        """Whether the bound proves that no layout is smaller."""
        return self.size == self.lower_bound


class _Piles:
    """What is placed: buffers, or chains of which each takes over the one before, at one offset.

    Attributes
    ----------
    chains
        The buffers of each.
    size, align
        Bytes, and what the offset is a multiple of.
    near
        For each the others that are live with a part of it: number, bytes of that part, bytes of
        the other's part.
    """

    def __init__(self, chains: Sequence[Sequence[Buffer]]) -> None:
        self.chains = chains
        self.size = [max(map(_bytes, chain)) for chain in chains]
        self.align = [max(b.align for b in chain) for chain in chains]
        self.near = [
            [
                (i, _bytes(mine), _bytes(other))
                for i, others in enumerate(chains)
                if others is not chain
                for other in others
                for mine in chain
                if mine.first <= other.last and other.first <= mine.last
            ]
            for chain in chains
        ]

    def offset(self, pile: int, placed: dict[int, int]) -> int:
        """The lowest offset at which ``pile`` overlaps nothing that is live with a part of it."""
        align = self.align[pile]
        blocked = [
            (placed[other] - mine, placed[other] + theirs)
            for other, mine, theirs in self.near[pile]
            if other in placed
        ]
        ends = (-(-end // align) * align for _, end in blocked)
        for offset in sorted({0, *ends}):
            if not any(low < offset < high for low, high in blocked):
                return offset
        raise AssertionError("the end of the highest neighbour is always free")

    def first_fit(self, order: Sequence[int]) -> tuple[dict[int, int], int]:
        """Offsets when piles are placed in that order, and where the last ends."""
        placed: dict[int, int] = {}
        for pile in order:
            placed[pile] = self.offset(pile, placed)
        return placed, max((placed[pile] + self.size[pile] for pile in order), default=0)

    def layout(self, placed: dict[int, int]) -> dict[str, int]:
        """Offsets of the buffers."""
        return {b.name: offset for pile, offset in placed.items() for b in self.chains[pile]}


def plan(buffers: Iterable[Buffer]) -> Plan:
    """Offsets for ``buffers``, deterministic for equal input."""
    buffers = tuple(buffers)
    bound = lower_bound(buffers)
    align = max((b.align for b in buffers), default=1)
    best: dict[str, int] = {}
    size = -1
    choices = list(_greedy_choices(buffers))
    for choice in choices:
        piles = _piles(buffers, choice)
        for order in _orders(piles):
            offsets, end = piles.first_fit(order)
            if size < 0 or end < size:
                best, size = piles.layout(offsets), end
    if size > bound:
        is_small = len(buffers) <= MAX_EXACT
        for choice in _all_choices(buffers) if is_small else choices:
            piles = _piles(buffers, choice)
            found = _search(piles, size) if is_small else _improve(piles, size, bound)
            if found is not None:
                best, size = piles.layout(found[0]), found[1]
    return Plan({b.name: best[b.name] for b in buffers}, max(size, 0), bound, align)


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The most bytes that are live at one step."""
    return max((live_bytes(buffers, step) for step in {b.first for b in buffers}), default=0)


def live_bytes(buffers: Sequence[Buffer], step: int) -> int:
    """Bytes of all buffers at ``step``; of what in-place buffers share, the smaller once."""
    live = [b for b in buffers if b.first <= step <= b.last]
    known = {b.name: b for b in live}
    shared = sum(
        max((min(_bytes(b), _bytes(known[a])) for a in b.in_place), default=0)
        for b in live
        if b.first == step
    )
    return sum(map(_bytes, live)) - shared


def _bytes(buffer: Buffer) -> int:
    return -(-buffer.size // buffer.align) * buffer.align


def _piles(buffers: Sequence[Buffer], choice: dict[str, str]) -> _Piles:
    """Chains of buffers, given for some of them which one they take over."""
    chains: dict[str, list[Buffer]] = {}
    for buffer in sorted(buffers, key=lambda b: b.first):
        chain = chains[choice[buffer.name]] if buffer.name in choice else []
        chain.append(buffer)
        chains[buffer.name] = chain
    return _Piles(list({id(chain): chain for chain in chains.values()}.values()))


def _greedy_choices(buffers: Sequence[Buffer]) -> Iterator[dict[str, str]]:
    """Take over memory wherever possible (of several the largest), and nowhere."""
    known = {b.name: b for b in buffers}
    choice: dict[str, str] = {}
    for buffer in buffers:
        free = [name for name in buffer.in_place if name not in choice.values()]
        if free:
            choice[buffer.name] = max(free, key=lambda name: _bytes(known[name]))
    yield choice
    if choice:
        yield {}


def _all_choices(buffers: Sequence[Buffer]) -> Iterator[dict[str, str]]:
    """Every way in which buffers can take over others."""
    takers = [b for b in buffers if b.in_place]
    for names in product(*((None, *b.in_place) for b in takers)):
        taken = [name for name in names if name is not None]
        if len(set(taken)) == len(taken):
            yield {b.name: n for b, n in zip(takers, names, strict=True) if n is not None}


def _orders(piles: _Piles) -> Iterator[list[int]]:
    """Greedy orders: largest, longest lived, largest in space and time, oldest and youngest first."""
    first = [min(b.first for b in chain) for chain in piles.chains]
    last = [max(b.last for b in chain) for chain in piles.chains]
    size = piles.size

    def by(key) -> list[int]:
        return sorted(range(len(size)), key=lambda i: (key(i), piles.chains[i][0].name))

    yield by(lambda i: -size[i])
    yield by(lambda i: (first[i] - last[i], -size[i]))
    yield by(lambda i: -size[i] * (last[i] - first[i] + 1))
    yield by(lambda i: (first[i], -size[i]))
    yield by(lambda i: (-last[i], -size[i]))


def _search(piles: _Piles, limit: int) -> tuple[dict[int, int], int] | None:
    """The best offsets over all orders, or None if none end below ``limit``; branch and bound."""
    best: tuple[dict[int, int], int] | None = None

    def extend(placed: dict[int, int], left: list[int], end: int) -> None:
        nonlocal best, limit
        if not left:
            best, limit = (placed, end), end
            return
        for pile in left:
            offset = piles.offset(pile, placed)
            top = max(end, offset + piles.size[pile])
            if top < limit:
                extend({**placed, pile: offset}, [p for p in left if p != pile], top)

    extend({}, list(range(len(piles.size))), 0)
    return best


def _improve(piles: _Piles, limit: int, bound: int) -> tuple[dict[int, int], int] | None:
    """Offsets that end below ``limit``, or None if none are found; the same ones every time."""
    rng = random.Random(0)
    order = next(_orders(piles))
    best: tuple[dict[int, int], int] | None = None
    for _ in range(ROUNDS):
        placed, end = piles.first_fit(order)
        if end < limit:
            best, limit = (placed, end), end
            if end == bound:
                break
        too_high = [i for i, p in enumerate(order) if placed[p] + piles.size[p] >= limit]
        chosen = rng.choice(too_high)
        order.insert(rng.randrange(max(1, chosen)), order.pop(chosen))
    return best
