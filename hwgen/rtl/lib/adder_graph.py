"""Constant matrices as graphs of shifts and two-input adders.

Weights are written in canonical signed digits (no two neighbouring digits are non-zero;
Avizienis, "Signed-digit number representations", 1961): the fewest non-zero digits, hence the
fewest additions of a single constant. Two-term sub-expressions that occur in several places are
computed once (greedy, most frequent first; Hartley, "Subexpression sharing in filters using
canonic signed digit multipliers", 1996).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ...ir.types import Int

__all__ = ["Adder", "AdderGraph", "Output", "build_adder_graph", "csd"]


@dataclass(frozen=True, slots=True)
class Adder:
    """``(left << left_shift) +- (right << right_shift)``; operands are earlier values.

    ``depth`` counts adders on the longest path from an input; ``[lo, hi]`` is proven.
    """

    left: int
    left_shift: int
    right: int
    right_shift: int
    subtract: bool
    depth: int
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Output:
    """``offset +- (value << shift)``; value -1: the offset alone."""

    value: int
    shift: int
    negate: bool
    offset: int


@dataclass(frozen=True)
class AdderGraph:
    """Values 0..inputs-1 are the inputs, then one value an adder.

    Attributes
    ----------
    inputs
        Number of inputs, all of the interval ``[lo, hi]``.
    adders
        In topological order.
    outputs
        One a row of the matrix; an offset that is not 0 costs one more adder.
    """

    inputs: int
    lo: int
    hi: int
    adders: tuple[Adder, ...]
    outputs: tuple[Output, ...]

    def interval(self, value: int) -> tuple[int, int]:
        if value < self.inputs:
            return self.lo, self.hi
        adder = self.adders[value - self.inputs]
        return adder.lo, adder.hi

    def depth(self, value: int) -> int:
        return 0 if value < self.inputs else self.adders[value - self.inputs].depth

    def output_depth(self, output: Output) -> int:
        """Adders on the longest path to an output, the one of its offset included."""
        if output.value < 0:
            return 0
        return self.depth(output.value) + (output.negate or output.offset != 0)

    def width(self, value: int) -> int:
        """Bits of a value as a signed integer."""
        lo, hi = self.interval(value)
        return max(Int.fit(min(lo, -1), hi).width, 1)

    @property
    def additions(self) -> int:
        """Two-input adders, those of the offsets included."""
        return len(self.adders) + sum(o.offset != 0 or o.negate for o in self.outputs)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Evaluate: x of shape (batch, inputs), result (batch, outputs)."""
        values = [x[:, k] for k in range(self.inputs)]
        for a in self.adders:
            right = values[a.right] << a.right_shift
            left = values[a.left] << a.left_shift
            values.append(left - right if a.subtract else left + right)
        rows = []
        for o in self.outputs:
            value = values[o.value] << o.shift if o.value >= 0 else np.zeros_like(x[:, 0])
            rows.append(o.offset - value if o.negate else o.offset + value)
        return np.stack(rows, axis=1)


def csd(value: int) -> list[tuple[int, int]]:
    """Canonical signed digits of ``value``: pairs (shift, +1 or -1), lowest shift first."""
    digits = []
    shift = 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            digits.append((shift, digit))
            value -= digit
        value >>= 1
        shift += 1
    return digits


class _Builder:
    """Adders with shared sub-expressions: the same adder is never made twice."""

    def __init__(self, inputs: int, lo: int, hi: int) -> None:
        self.inputs, self.lo, self.hi = inputs, lo, hi
        self.adders: list[Adder] = []
        self._known: dict[tuple, int] = {}

    def interval(self, value: int) -> tuple[int, int]:
        if value < self.inputs:
            return self.lo, self.hi
        return self.adders[value - self.inputs].lo, self.adders[value - self.inputs].hi

    def depth(self, value: int) -> int:
        return 0 if value < self.inputs else self.adders[value - self.inputs].depth

    def add(self, left: int, left_shift: int, right: int, right_shift: int, subtract: bool) -> int:
        key = (left, left_shift, right, right_shift, subtract)
        if key in self._known:
            return self._known[key]
        (llo, lhi), (rlo, rhi) = self.interval(left), self.interval(right)
        if subtract:
            rlo, rhi = -rhi, -rlo
            rlo, rhi = min(rlo, rhi), max(rlo, rhi)
        scale_l, scale_r = 1 << left_shift, 1 << right_shift
        adder = Adder(
            left,
            left_shift,
            right,
            right_shift,
            subtract,
            1 + max(self.depth(left), self.depth(right)),
            llo * scale_l + rlo * scale_r,
            lhi * scale_l + rhi * scale_r,
        )
        self._known[key] = value = self.inputs + len(self.adders)
        self.adders.append(adder)
        return value

    def combine(self, a: tuple[int, int, int], b: tuple[int, int, int]) -> tuple[int, int, int]:
        """Two terms (value, shift, sign) to one; shifts common to both stay outside."""
        if a > b:
            a, b = b, a
        common = min(a[1], b[1])
        (va, sa, ga), (vb, sb, gb) = a, b
        if ga == gb:
            return self.add(va, sa - common, vb, sb - common, False), common, ga
        if ga < 0:
            (va, sa), (vb, sb) = (vb, sb), (va, sa)
        return self.add(va, sa - common, vb, sb - common, True), common, 1


def _share(rows: list[dict[tuple[int, int], int]], builder: _Builder, max_depth: int) -> None:
    """Replace the most frequent pair of terms by one new value, until none occurs twice.

    A term is keyed (value, shift) with its sign; a pair is two terms up to a common shift and sign.
    """

    def pattern(a: tuple[int, int, int], b: tuple[int, int, int]) -> tuple:
        (va, sa, ga), (vb, sb, gb) = (a, b) if a < b else (b, a)
        common = min(sa, sb)
        return va, sa - common, vb, sb - common, ga * gb

    heap: list[tuple[int, tuple]] = []
    counts: dict[tuple, int] = defaultdict(int)
    where: dict[tuple, set[int]] = defaultdict(set)

    def count(row: int, a, b, change: int) -> None:
        key = pattern(a, b)
        counts[key] += change
        if change > 0:
            where[key].add(row)
            if counts[key] > 1:
                heapq.heappush(heap, (-counts[key], key))

    for index, row in enumerate(rows):
        # Sorted terms make sorted pairs: pattern() without its comparison, the hot loop.
        terms = sorted((v, s, g) for (v, s), g in row.items())
        for i, (va, sa, ga) in enumerate(terms):
            for vb, sb, gb in terms[i + 1 :]:
                low = sa if sa < sb else sb
                key = (va, sa - low, vb, sb - low, ga * gb)
                counts[key] += 1
                where[key].add(index)
    heap = [(-number, key) for key, number in counts.items() if number > 1]
    heapq.heapify(heap)
    while heap:
        negative, key = heapq.heappop(heap)
        now = counts.get(key, 0)
        if now < 2:
            continue
        if now != -negative:
            heapq.heappush(heap, (-now, key))
            continue
        va, sa, vb, sb, same = key
        if 1 + max(builder.depth(va), builder.depth(vb)) > max_depth:
            counts.pop(key)
            continue
        new: int | None = None
        for index in sorted(where.pop(key)):
            row = rows[index]
            for (value, shift), sign in list(row.items()):
                base = shift - sa
                first, second = (va, base + sa), (vb, base + sb)
                if value != va or base < 0 or row.get(first) != sign:
                    continue
                if first == second or row.get(second) != sign * same:
                    continue
                if new is None:
                    new, extra, flip = builder.combine((va, sa, 1), (vb, sb, same))
                    # combine() keeps the first term's sign unless it had to swap the operands
                    assert extra == 0 and flip == 1
                gone = [(*first, row.pop(first)), (*second, row.pop(second))]
                rest = [(v, s, g) for (v, s), g in row.items()]
                count(index, gone[0], gone[1], -1)
                for term in rest:
                    count(index, gone[0], term, -1)
                    count(index, gone[1], term, -1)
                merged = (new, base)
                # The same value at the same shift twice is the value one shift up.
                step = sign
                while merged in row:
                    old = row.pop(merged)
                    for term in [(v, s, g) for (v, s), g in row.items()]:
                        count(index, (*merged, old), term, -1)
                    if old != step:
                        step = 0
                        break
                    merged = (merged[0], merged[1] + 1)
                if step:
                    for (v, s), g in row.items():
                        count(index, (*merged, step), (v, s, g), 1)
                    row[merged] = step
        counts.pop(key, None)


def build_adder_graph(
    matrix: np.ndarray,
    bias: np.ndarray,
    lo: int,
    hi: int,
    *,
    share: bool = True,
    extra_depth: int = 2,
) -> AdderGraph:
    """The adder graph of ``matrix @ x + bias`` for x in ``[lo, hi]``^n.

    Parameters
    ----------
    matrix
        Integers of shape (outputs, inputs).
    bias
        Integers of shape (outputs,).
    share
        Share two-term sub-expressions.
    extra_depth
        Adders that sharing may put before the balanced tree of an output.

    Deterministic: equal arguments give equal graphs.
    """
    outputs, inputs = matrix.shape
    builder = _Builder(inputs, int(lo), int(hi))
    rows: list[dict[tuple[int, int], int]] = [
        {(i, s): g for i in np.flatnonzero(row).tolist() for s, g in csd(int(row[i]))}
        for row in matrix
    ]
    if share:
        _share(rows, builder, max_depth=extra_depth)
    results = []
    for row, offset in zip(rows, bias.tolist(), strict=True):
        heap = [(builder.depth(v), v, s, g) for (v, s), g in row.items()]
        heapq.heapify(heap)
        while len(heap) > 1:
            a, b = heapq.heappop(heap), heapq.heappop(heap)
            value, shift, sign = builder.combine(a[1:], b[1:])
            heapq.heappush(heap, (builder.depth(value), value, shift, sign))
        if heap:
            _, value, shift, sign = heap[0]
            results.append(Output(value, shift, sign < 0, int(offset)))
        else:
            results.append(Output(-1, 0, False, int(offset)))
    return AdderGraph(inputs, int(lo), int(hi), tuple(builder.adders), tuple(results))
