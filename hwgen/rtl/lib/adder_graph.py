"""Constant matrices as graphs of shifts and two-input adders.

Weights are written in canonical signed digits (no two neighbouring digits are non-zero;
Avizienis, "Signed-digit number representations", 1961): the fewest non-zero digits, hence the
fewest additions of a single constant. Two-term sub-expressions that occur in several places are
computed once (greedy, most frequent first; Hartley, "Subexpression sharing in filters using
canonic signed digit multipliers", 1996).
"""

from __future__ import annotations

import heapq
import itertools
import math
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

    def output_width(self, output: Output) -> int:
        """Bits of an output as a signed integer."""
        ends = [output.offset]
        if output.value >= 0:
            sign = -1 if output.negate else 1
            ends = [output.offset + sign * (v << output.shift) for v in self.interval(output.value)]
        return Int.fit(min(*ends, -1), max(ends)).width

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


_Term = tuple[int, int, int]  # value, shift, sign

# Share of the most frequent pair's occurrences from which on a pair is replaced in the same round.
_ENOUGH = 0.8


def _share(rows: list[list[_Term]], builder: _Builder, max_depth: int) -> list[list[_Term]]:
    """Replace frequent pairs of terms by one new value each, until none occurs twice.

    Two pairs are the same up to a common shift and sign. In every round all pairs are counted, and
    those that are almost as frequent as the most frequent one are replaced, if they still are.
    """
    enough = 1 << 32
    while True:
        terms = [(index, *term) for index, row in enumerate(rows) for term in sorted(row)]
        shallow = [builder.depth(value) < max_depth for _, value, _, _ in terms]
        groups, enough = _frequent_pairs(np.array(terms), np.array(shallow), enough)
        if not groups:
            return rows
        replaced = False
        used = [False] * len(terms)
        rows = [[] for _ in rows]
        for firsts, seconds in groups:
            free = []
            for first, second in zip(firsts, seconds, strict=True):
                if not used[first] and not used[second]:
                    used[first] = used[second] = True
                    free.append((first, second))
            if len(free) < enough:
                for first, second in free:
                    used[first] = used[second] = False
                continue
            replaced = True
            for first, second in free:
                row, value, shift, sign = terms[first]
                _, other, other_shift, other_sign = terms[second]
                base = min(shift, other_shift)
                both, _, _ = builder.combine(
                    (value, shift - base, 1), (other, other_shift - base, sign * other_sign)
                )
                rows[row].append((both, base, sign))
        for (row, *term), gone in zip(terms, used, strict=True):
            if not gone:
                rows[row].append(tuple(term))
        if not replaced:
            # All counted pairs overlapped: look at less frequent ones.
            if enough == 2:
                return rows
            enough -= 1


def _frequent_pairs(
    terms: np.ndarray, shallow: np.ndarray, most: int
) -> tuple[list[tuple[list[int], list[int]]], int]:
    """Pairs of terms that occur almost as often as the most frequent one.

    Parameters
    ----------
    terms
        (row, value, shift, sign) of every term, sorted by row, value, shift.
    shallow
        Whether a term may be part of a pair.
    most
        ``enough`` is at most this.

    Returns
    -------
    groups
        Equal pairs as (indices of the first terms, indices of the second ones), the most frequent
        pair first.
    enough
        Occurrences from which on a pair is worth replacing now, 2 or more.
    """
    where = np.flatnonzero(shallow)
    bounds = np.searchsorted(terms[where, 0], np.arange(terms[-1, 0] + 2)) if len(terms) else [0]
    firsts, seconds = [], []
    for start, stop in itertools.pairwise(bounds):
        first, second = np.triu_indices(stop - start, 1)
        firsts.append(where[start + first])
        seconds.append(where[start + second])
    if not firsts or not sum(map(len, firsts)):
        return [], 2
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    _, value, shift, sign = terms.T
    # One number a pattern: both values, the distance of their shifts, whether the signs are equal.
    key = value[first] * (int(value.max()) + 1) + value[second]
    key = (key * 128 + shift[second] - shift[first] + 64) * 2 + (sign[first] == sign[second])
    order = np.argsort(key, kind="stable")
    key, first, second = key[order], first[order], second[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    counts = np.diff(np.concatenate([starts, [len(key)]]))
    enough = max(2, min(most, math.ceil(_ENOUGH * int(counts.max()))))
    frequent = np.flatnonzero(counts >= enough)
    frequent = frequent[np.argsort(-counts[frequent], kind="stable")]
    groups = []
    for start, count in zip(starts[frequent].tolist(), counts[frequent].tolist(), strict=True):
        part = slice(start, start + count)
        groups.append((first[part].tolist(), second[part].tolist()))
    return groups, enough


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
        Share two-term sub-expressions, where that saves additions.
    extra_depth
        Adders that sharing may put before the balanced tree of an output.

    Deterministic: equal arguments give equal graphs.
    """
    rows: list[list[_Term]] = [
        [(i, s, g) for i in np.flatnonzero(row).tolist() for s, g in csd(int(row[i]))]
        for row in matrix
    ]
    plain = _sum_up(rows, bias, _Builder(matrix.shape[1], int(lo), int(hi)))
    if not share:
        return plain
    builder = _Builder(matrix.shape[1], int(lo), int(hi))
    shared = _sum_up(_share(rows, builder, max_depth=extra_depth), bias, builder)
    return shared if shared.additions < plain.additions else plain


def _sum_up(rows: list[list[_Term]], bias: np.ndarray, builder: _Builder) -> AdderGraph:
    """A tree of adders for every row, the shallowest terms first."""
    results = []
    for row, offset in zip(rows, bias.tolist(), strict=True):
        heap = [(builder.depth(v), v, s, g) for v, s, g in row]
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
    return AdderGraph(builder.inputs, builder.lo, builder.hi, tuple(builder.adders), tuple(results))
