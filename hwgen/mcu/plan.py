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
EFFORT = 12_000  # placements of a buffer while a layout is improved


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


@dataclass(frozen=True, slots=True)
class _Pile:
    """Buffers at one offset: one buffer, or a chain of which each takes over the one before."""

    buffers: tuple[Buffer, ...]

    @property
    def size(self) -> int:
        return max(_bytes(b) for b in self.buffers)

    @property
    def align(self) -> int:
        return max(b.align for b in self.buffers)

    @property
    def first(self) -> int:
        return min(b.first for b in self.buffers)

    @property
    def last(self) -> int:
        return max(b.last for b in self.buffers)


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
            offsets, end = _first_fit(order)
            if size < 0 or end < size:
                best, size = offsets, end
    if size > bound and len(buffers) <= MAX_EXACT:
        for choice in _all_choices(buffers):
            found = _search(_piles(buffers, choice), size)
            if found is not None:
                best, size = found
    elif size > bound:
        for choice in choices:
            found = _improve(_piles(buffers, choice), size, bound)
            if found is not None:
                best, size = found
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


def _live_together(a: Buffer, b: Buffer) -> bool:
    return a.first <= b.last and b.first <= a.last


def _piles(buffers: Sequence[Buffer], choice: dict[str, str]) -> list[_Pile]:
    """Chains of buffers, given for some of them which one they take over."""
    chains: dict[str, list[Buffer]] = {}
    for buffer in sorted(buffers, key=lambda b: b.first):
        chain = chains[choice[buffer.name]] if buffer.name in choice else []
        chain.append(buffer)
        chains[buffer.name] = chain
    unique = {id(chain): chain for chain in chains.values()}
    return [_Pile(tuple(chain)) for chain in unique.values()]


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


def _orders(piles: Sequence[_Pile]) -> Iterator[list[_Pile]]:
    """Greedy orders: largest, longest lived, largest in space and time, oldest and youngest first."""

    def by(key) -> list[_Pile]:
        return sorted(piles, key=lambda p: (key(p), p.buffers[0].name))

    yield by(lambda p: -p.size)
    yield by(lambda p: (-(p.last - p.first), -p.size))
    yield by(lambda p: -p.size * (p.last - p.first + 1))
    yield by(lambda p: (p.first, -p.size))
    yield by(lambda p: (-p.last, -p.size))


def _offset(pile: _Pile, placed: Sequence[tuple[_Pile, int]]) -> int:
    """The lowest offset at which ``pile`` overlaps nothing that is live with a part of it."""
    blocked = [
        (base - _bytes(mine), base + _bytes(other))
        for neighbour, base in placed
        for other in neighbour.buffers
        for mine in pile.buffers
        if _live_together(mine, other)
    ]
    ends = (-(-end // pile.align) * pile.align for _, end in blocked)
    for offset in sorted({0, *ends}):
        if not any(low < offset < high for low, high in blocked):
            return offset
    raise AssertionError("the end of the highest neighbour is always free")


def _first_fit(order: Sequence[_Pile]) -> tuple[dict[str, int], int]:
    placed: list[tuple[_Pile, int]] = []
    for pile in order:
        placed.append((pile, _offset(pile, placed)))
    return _layout(placed)


def _layout(placed: Sequence[tuple[_Pile, int]]) -> tuple[dict[str, int], int]:
    offsets = {b.name: offset for pile, offset in placed for b in pile.buffers}
    return offsets, max((offset + pile.size for pile, offset in placed), default=0)


def _search(piles: Sequence[_Pile], limit: int) -> tuple[dict[str, int], int] | None:
    """The best layout over all orders, or None if none ends below ``limit``; branch and bound."""
    best: tuple[dict[str, int], int] | None = None

    def extend(placed: list[tuple[_Pile, int]], left: list[_Pile], end: int) -> None:
        nonlocal best, limit
        if not left:
            best, limit = _layout(placed), end
            return
        for i, pile in enumerate(left):
            offset = _offset(pile, placed)
            top = max(end, offset + pile.size)
            if top < limit:
                extend([*placed, (pile, offset)], left[:i] + left[i + 1 :], top)

    extend([], list(piles), 0)
    return best


def _improve(piles: Sequence[_Pile], limit: int, bound: int) -> tuple[dict[str, int], int] | None:
    """A layout that ends below ``limit``, or None if none is found; the same one every time."""
    rng = random.Random(0)
    order = sorted(piles, key=lambda p: (-p.size, p.buffers[0].name))
    best: tuple[dict[str, int], int] | None = None
    for _ in range(EFFORT // len(piles)):
        placed: list[tuple[_Pile, int]] = []
        for pile in order:
            placed.append((pile, _offset(pile, placed)))
        layout, end = _layout(placed)
        if end < limit:
            best, limit = (layout, end), end
            if end == bound:
                break
        too_high = [i for i, (pile, offset) in enumerate(placed) if offset + pile.size >= limit]
        chosen = rng.choice(too_high)
        order.insert(rng.randrange(max(1, chosen)), order.pop(chosen))
    return best
