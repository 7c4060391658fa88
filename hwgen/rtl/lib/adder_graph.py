"""Constant matrices as graphs of shifts and two-input adders.

Weights are written in canonical signed digits (:mod:`hwgen.rtl.lib.signed_digits`), two-term
sub-expressions that occur in several places are computed once (:mod:`hwgen.rtl.lib.sharing`), and
what is left of every row is summed up in a tree.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...ir.types import Int
from .finish import bare, finish
from .natural import Cell, Natural, Operand, cell, cost, input_natural, sum_natural
from .sharing import share as share_terms
from .signed_digits import csd

__all__ = ["Adder", "AdderGraph", "Output", "build_adder_graph", "csd"]


@dataclass(frozen=True, slots=True)
class Adder:
    """``(left << left_shift) +- (right << right_shift)``; operands are earlier values.

    Attributes
    ----------
    depth
        Adders on the longest path from an input.
    lo, hi
        The least and the greatest value.
    carry
        Hardware adds one at the bottom of the carry chain (:mod:`hwgen.rtl.lib.natural`).
    """

    left: int
    left_shift: int
    right: int
    right_shift: int
    subtract: bool
    depth: int
    lo: int
    hi: int
    carry: bool = False


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
        One a row of the matrix.
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

    @cached_property
    def naturals(self) -> tuple[Natural, ...]:
        """How hardware carries every value."""
        naturals = [input_natural(self.lo, self.hi)] * self.inputs
        for a in self.adders:
            left = Operand(a.left, naturals[a.left], a.left_shift)
            right = Operand(a.right, naturals[a.right], a.right_shift)
            natural = sum_natural(left, right, a.subtract, a.carry, (a.lo, a.hi))
            top = natural.hi.bit_length()
            if any(o.top == top and self.users[o.value] == 1 for o in bare(left, right, a)):
                natural = replace(natural, hi=1 << top)  # see hwgen.rtl.lib.finish
            naturals.append(natural)
        return tuple(naturals)

    @cached_property
    def users(self) -> Counter[int]:
        """How many operands and outputs every value is."""
        users = Counter(o.value for o in self.outputs)
        for a in self.adders:
            users.update((a.left, a.right))
        return users

    @property
    def inverts_sign(self) -> bool:
        """Whether the sign bits of inputs are inverted; those of negative numbers only are cut off."""
        return self.lo < 0 <= self.hi

    def width(self, value: int) -> int:
        """Bits of a value in hardware."""
        return self.naturals[value].width

    def operands(self, adder: Adder) -> tuple[Operand, Operand]:
        """Left and right operand as hardware carries them."""
        return (
            Operand(adder.left, self.naturals[adder.left], adder.left_shift),
            Operand(adder.right, self.naturals[adder.right], adder.right_shift),
        )

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The hardware of every adder."""
        return tuple(
            cell(*self.operands(a), a.subtract, a.carry, self.width(k))
            for k, a in enumerate(self.adders, start=self.inputs)
        )

    def constant(self, output: Output) -> int:
        """What hardware adds to an output's value as it is carried: offsets of both."""
        if output.value < 0:
            return output.offset
        carried = self.naturals[output.value].offset << output.shift
        return output.offset + (carried if output.negate else -carried)

    def adds_constant(self, output: Output) -> bool:
        """Whether an output takes one more adder."""
        return output.value >= 0 and (output.negate or self.constant(output) != 0)

    def output_depth(self, output: Output) -> int:
        """Adders on the longest path to an output, the one of its constant included."""
        return 0 if output.value < 0 else self.depth(output.value) + self.adds_constant(output)

    def output_width(self, output: Output) -> int:
        """Bits of an output as a signed integer."""
        ends = [output.offset]
        if output.value >= 0:
            sign = -1 if output.negate else 1
            ends = [output.offset + sign * (v << output.shift) for v in self.interval(output.value)]
        return Int.fit(min(*ends, -1), max(ends)).width

    @property
    def additions(self) -> int:
        """Two-input adders, those of the outputs' constants included."""
        return len(self.adders) + sum(map(self.adds_constant, self.outputs))

    @property
    def tables(self) -> int:
        """Look-up tables of the adders, by :func:`hwgen.rtl.lib.natural.cost`."""
        return sum(cost(*self.operands(a), a.subtract) for a in self.adders)

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


Term = tuple[int, int, int]  # value, shift, sign


class Builder:
    """Adders as they are made; the same one is never made twice."""

    def __init__(self, inputs: int, lo: int, hi: int) -> None:
        self.inputs, self.lo, self.hi = inputs, lo, hi
        self.adders: list[Adder] = []
        self.depths = [0] * inputs
        self.naturals = [input_natural(lo, hi)] * inputs
        self.widths = [natural.width for natural in self.naturals]
        self._weights = list(np.eye(inputs, dtype=np.int32))  # of every value
        self._known: dict[tuple, int] = {}

    def _ordered(self, a: Term, b: Term) -> tuple[Operand, Operand, bool, int, int]:
        """Two terms as left, right, subtract, common shift, sign of the result."""
        if (a[1], a[0]) > (b[1], b[0]):
            a, b = b, a
        common = a[1]
        left = Operand(a[0], self.naturals[a[0]], 0)
        right = Operand(b[0], self.naturals[b[0]], b[1] - common)
        if a[2] == b[2]:
            if b[1] == common and left.natural.width > right.natural.width:
                left, right = right, left
            return left, right, False, common, a[2]
        # Inverting the narrower one is cheaper.
        if left.natural.width < right.natural.width:
            return right, left, True, common, b[2]
        return left, right, True, common, a[2]

    def cost(self, a: Term, b: Term) -> int:
        """Look-up tables of the adder that :meth:`combine` would make."""
        (va, sa, ga), (vb, sb, gb) = a, b
        wa, wb = self.widths[va], self.widths[vb]
        if ga == gb:
            return max(0, min(wa + sa, wb + sb) - max(sa, sb))
        return min(wa, wb)  # the narrower one is inverted

    def combine(self, a: Term, b: Term) -> Term:
        """Two terms to one; shifts and signs common to both stay outside."""
        left, right, subtract, common, sign = self._ordered(a, b)
        return self._add(left, right, subtract), common, sign

    def _add(self, left: Operand, right: Operand, subtract: bool) -> int:
        key = (left.value, left.shift, right.value, right.shift, subtract)
        if key in self._known:
            return self._known[key]
        weights = self._weights[left.value] << left.shift
        weights = weights + (-1 if subtract else 1) * (self._weights[right.value] << right.shift)
        up, down = int(weights.clip(0).sum()), int(weights.clip(None, 0).sum())
        lo, hi = up * self.lo + down * self.hi, up * self.hi + down * self.lo
        depth = 1 + max(self.depths[left.value], self.depths[right.value])
        adder = Adder(*key, depth, lo, hi)
        self._known[key] = value = self.inputs + len(self.adders)
        self.adders.append(adder)
        self.depths.append(depth)
        self._weights.append(weights)
        self.naturals.append(sum_natural(left, right, subtract, adder.carry, (lo, hi)))
        self.widths.append(self.naturals[-1].width)
        return value


def build_adder_graph(
    matrix: np.ndarray,
    bias: np.ndarray,
    lo: int,
    hi: int,
    *,
    share: bool = True,
    extra_depth: int = 0,
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
        Adders by which sharing may lengthen the longest path.

    Deterministic: equal arguments give equal graphs.
    """
    if lo == hi:  # nothing varies: every output is a constant
        offsets = (np.asarray(matrix).sum(axis=1) * lo + bias).tolist()
        outputs = tuple(Output(-1, 0, False, offset) for offset in offsets)
        return AdderGraph(matrix.shape[1], int(lo), int(hi), (), outputs)
    rows: list[list[Term]] = [
        [(i, s, g) for i in np.flatnonzero(row).tolist() for s, g in csd(int(row[i]))]
        for row in matrix
    ]
    plain = _sum_up(rows, bias, Builder(matrix.shape[1], int(lo), int(hi)))
    if not share:
        return plain
    builder = Builder(matrix.shape[1], int(lo), int(hi))
    longest = max((len(row) for row in rows), default=0)
    most = max(0, longest - 1).bit_length() + extra_depth
    shared = _sum_up(share_terms(rows, builder, most), bias, builder)
    return shared if shared.additions < plain.additions else plain


def _sum_up(rows: list[list[Term]], bias: np.ndarray, builder: Builder) -> AdderGraph:
    """A tree of adders for every row, the shallowest terms first."""
    results = []
    for row, offset in zip(rows, bias.tolist(), strict=True):
        heap = [(builder.depths[v], v, s, g) for v, s, g in row]
        heapq.heapify(heap)
        while len(heap) > 1:
            a, b = heapq.heappop(heap), heapq.heappop(heap)
            value, shift, sign = builder.combine(a[1:], b[1:])
            heapq.heappush(heap, (builder.depths[value], value, shift, sign))
        if heap:
            _, value, shift, sign = heap[0]
            results.append(Output(value, shift, sign < 0, int(offset)))
        else:
            results.append(Output(-1, 0, False, int(offset)))
    graph = AdderGraph(
        builder.inputs, builder.lo, builder.hi, tuple(builder.adders), tuple(results)
    )
    return finish(graph)
