"""Two-term sub-expressions that occur in several places, computed once.

Greedy, the pair that saves most first (Hartley, "Subexpression sharing in filters using canonic
signed digit multipliers", 1996). What an adder saves is its own look-up tables, which depend on
how far its operands overlap; the depth of every row stays within a bound.
"""

from __future__ import annotations

import heapq
from collections import defaultdict

__all__ = ["share"]

_Term = tuple[int, int, int]  # value, shift, sign

# A pair of terms up to a common shift and sign is one number: two values, the smaller one first, the
# distance of the second one's shift from the first one's, and whether the signs are equal.
_FIRST, _SECOND, _DISTANCE = 1 << 33, 1 << 9, 1 << 1
_MIDDLE = 128
_PAIR_BITS = 57
_DEPTH_BITS = 8


def _pack(a: int, b: int, distance: int, same: bool) -> int:
    return a * _FIRST + b * _SECOND + (distance + _MIDDLE) * _DISTANCE + same


def _unpack(pair: int) -> tuple[int, int, int, int]:
    """Both values, the distance, and the product of the signs."""
    a, rest = divmod(pair, _FIRST)
    b, rest = divmod(rest, _SECOND)
    return a, b, rest // _DISTANCE - _MIDDLE, 1 if rest & 1 else -1


def share(rows: list[list[_Term]], builder, most: int) -> list[list[_Term]]:
    """Replace pairs of terms by new values until no pair occurs twice.

    Parameters
    ----------
    rows
        Sums of terms.
    builder
        Makes the adders (:class:`hwgen.rtl.lib.adder_graph.Builder`).
    most
        Adders on the longest path to any row's sum, at most; those of the plain sums fit.

    Returns
    -------
    Rows with the same sums.
    """
    return _Sharing(rows, builder, most).run()


class _Sharing:
    """The rows, where every value occurs in them, and a queue of pairs.

    How often a known pair occurs can only fall, so that a queue of old counts is one of upper
    bounds: the first pair whose count is still right is the best one.
    """

    def __init__(self, rows: list[list[_Term]], builder, most: int) -> None:
        self.builder = builder
        self.limit = 1 << most
        self.rows = [set(row) for row in rows]
        # Terms of depths d have a tree within the limit if the sum of 2^d is.
        self.load = [sum(1 << builder.depths[v] for v, _, _ in row) for row in rows]
        # For every value and (shift, sign) the rows that have this term, a bit each.
        self.where: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
        for index, row in enumerate(rows):
            for term in row:
                self._mark(index, term)
        self.queue: list[int] = []

    def run(self) -> list[list[_Term]]:
        for value in sorted(self.where):
            self.queue += self._pairs(value, older_only=True)
        heapq.heapify(self.queue)
        while self.queue:
            entry = heapq.heappop(self.queue)
            pair = entry & (1 << _PAIR_BITS) - 1
            places = self._places(pair)
            if len(places) < 2:
                continue
            now = self._entry(pair, len(places))
            if now > entry and self.queue and now > self.queue[0]:
                heapq.heappush(self.queue, now)
                continue
            value = self._replace(pair, places)
            for entry in self._pairs(value):
                heapq.heappush(self.queue, entry)
        return [sorted(row) for row in self.rows]

    def _mark(self, index: int, term: _Term) -> None:
        value, *key = term
        masks = self.where[value]
        masks[tuple(key)] = masks.get(tuple(key), 0) | 1 << index

    def _remove(self, index: int, term: _Term) -> None:
        value, shift, sign = term
        self.rows[index].remove(term)
        self.where[value][shift, sign] &= ~(1 << index)
        self.load[index] -= 1 << self.builder.depths[value]

    def _add(self, index: int, term: _Term) -> None:
        value, shift, sign = term
        if term in self.rows[index]:  # twice a term is the term of twice the weight
            self._remove(index, term)
            self._add(index, (value, shift + 1, sign))
            return
        self.rows[index].add(term)
        self._mark(index, term)
        self.load[index] += 1 << self.builder.depths[value]

    def _entry(self, pair: int, count: int) -> int:
        """What orders the queue: the pair that saves most first, then the shallowest."""
        a, b, distance, sign = _unpack(pair)
        cost = self.builder.cost((a, max(0, -distance), 1), (b, max(0, distance), sign))
        depth = max(self.builder.depths[a], self.builder.depths[b])
        return ((-(count - 1) * cost << _DEPTH_BITS) + depth << _PAIR_BITS) + pair

    def _pairs(self, value: int, older_only: bool = False) -> list[int]:
        """Queue entries of the pairs of ``value`` that occur twice or more."""
        counts: dict[int, int] = defaultdict(int)
        for (shift, sign), mask in self.where[value].items():
            base = _pack(0, value, shift, False)
            while mask:
                index = (mask & -mask).bit_length() - 1
                mask &= mask - 1
                for other, other_shift, other_sign in self.rows[index]:
                    if other < value:
                        same = sign == other_sign
                        counts[other * _FIRST + base - other_shift * _DISTANCE + same] += 1
                    elif (other > value and not older_only) or (
                        other == value and other_shift > shift
                    ):
                        distance = other_shift - shift
                        counts[_pack(value, other, distance, sign == other_sign)] += 1
        return [self._entry(pair, count) for pair, count in counts.items() if count >= 2]

    def _places(self, pair: int) -> list[tuple[int, int, int]]:
        """(row, shift, sign of the first term) wherever the pair can be replaced."""
        a, b, distance, product = _unpack(pair)
        places = []
        others = self.where[b]
        for (shift, sign), mask in self.where[a].items():
            both = mask & others.get((shift + distance, sign * product), 0)
            while both:
                index = (both & -both).bit_length() - 1
                both &= both - 1
                places.append((index, shift, sign))
        if len(places) < 2:
            return places
        places.sort()
        return self._within_depth(self._disjoint(places, distance) if a == b else places, a, b)

    def _disjoint(self, places: list[tuple[int, int, int]], distance: int):
        """Without pairs that share a term, as those of x + 4 x + 16 x do."""
        used: set[tuple[int, int, int]] = set()
        kept = []
        for index, shift, sign in places:
            ends = {(index, shift), (index, shift + distance)}
            if not used & ends:
                used |= ends
                kept.append((index, shift, sign))
        return kept

    def _within_depth(self, places: list[tuple[int, int, int]], a: int, b: int):
        """Without those that would make a row too deep."""
        ends = 1 << self.builder.depths[a], 1 << self.builder.depths[b]
        growth = abs(ends[0] - ends[1])
        if not growth:
            return places
        load: dict[int, int] = {}
        kept = []
        for place in places:
            index = place[0]
            now = load.get(index, self.load[index]) + growth
            if now <= self.limit:
                load[index] = now
                kept.append(place)
        return kept

    def _replace(self, pair: int, places: list[tuple[int, int, int]]) -> int:
        """Replace the pair by a new value, which is returned."""
        a, b, distance, product = _unpack(pair)
        for index, shift, sign in places:
            first, second = (a, shift, sign), (b, shift + distance, sign * product)
            self._remove(index, first)
            self._remove(index, second)
            new = self.builder.combine(first, second)
            self._add(index, new)
        return new[0]
