"""Carry-ins and last adders of an adder graph, for the synthesis of Yosys.

Yosys' ``alumacc`` makes one adder of three operands, which takes twice the look-up tables, from two
adders in a row if the first has no other user, its sum is an operand of the second as it is (not
inverted, no part of its bits cut off), and either both are equally wide or the first adds natural
numbers. Hence such a first adder is written ``a - ~b``, with its carry-in 1, or its sum gets another
bit. A carry-in of 1 costs a table, so that only these adders have one, and differences whose right
operand is the narrower one: from ``a + ~b`` Yosys makes inverters for the bits of a narrow ``b``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .natural import Operand, cost, sum_natural

if TYPE_CHECKING:
    from .adder_graph import Adder, AdderGraph, Output

__all__ = ["bare", "finish"]


def bare(left: Operand, right: Operand, adder: Adder) -> list[Operand]:
    """Operands that come from carry chains and enter that of ``adder`` as they are."""
    start = max(left.shift, right.shift)
    operands = [left, right] if adder.subtract == adder.carry else [left]
    return [o for o in operands if o.natural.start == start - o.shift]


def _narrow(left: Operand, right: Operand, adder: Adder) -> bool:
    """Whether this is a difference with the narrower operand inverted."""
    start = max(left.shift, right.shift)
    return adder.subtract and right.top < left.top and start < right.top


def finish(graph: AdderGraph) -> AdderGraph:
    """``graph`` with carry-ins, and last adders in the form that suits the outputs' constants."""
    return _last_adders(_carries(graph))


def _carries(graph: AdderGraph) -> AdderGraph:
    adders = list(graph.adders)
    last = {o.value for o in graph.outputs}
    for k in reversed(range(len(adders))):
        # An adder comes behind its operands: whether it has a carry-in is settled.
        left, right = graph.operands(adders[k])
        if _narrow(left, right, adders[k]):
            adders[k] = replace(adders[k], carry=True)
        operands = bare(left, right, adders[k])
        if k + graph.inputs in last:  # it may be turned round
            operands += bare(right, left, adders[k])
        for operand in operands:
            if graph.users[operand.value] == 1:
                at = operand.value - graph.inputs
                adders[at] = replace(adders[at], carry=True)
    return replace(graph, adders=tuple(adders))


def _last_adders(graph: AdderGraph) -> AdderGraph:
    """The cheapest form of every row's last adder.

    Its carry-in makes the output's constant even or odd, and a difference can be turned round.
    """
    adders, outputs = list(graph.adders), list(graph.outputs)
    for index, o in enumerate(outputs):
        k = o.value - graph.inputs
        if k < 0 or graph.users[o.value] > 1 or adders[k].left_shift or adders[k].right_shift:
            continue
        width = graph.output_width(o) - o.shift
        forms = []
        for turned in (False, True):
            a, end = adders[k], o
            if turned:
                lo, hi = (-a.hi, -a.lo) if a.subtract else (a.lo, a.hi)
                a = replace(a, left=a.right, right=a.left, lo=lo, hi=hi)
                end = replace(o, negate=o.negate != a.subtract)
            for carry in (False, True):
                form = replace(a, carry=carry)
                forms.append((_cost(graph, form, end, width), turned, carry, form, end))
        *_, adders[k], outputs[index] = min(forms, key=lambda form: form[:3])
    return replace(graph, adders=tuple(adders), outputs=tuple(outputs))


def _cost(graph: AdderGraph, adder: Adder, output: Output, width: int) -> int:
    """Look-up tables of the last adder of a row and of its constant; ``width`` bits are used."""
    left, right = graph.operands(adder)
    natural = sum_natural(left, right, adder.subtract, adder.carry, (adder.lo, adder.hi))
    total = cost(left, right, adder.subtract) + adder.carry
    if _narrow(left, right, adder) and not adder.carry:
        total += right.natural.width
    chain = min(natural.width, width)
    for operand in bare(left, right, adder):
        if graph.users[operand.value] == 1:
            merges = operand.top >= chain or not graph.adders[operand.value - graph.inputs].carry
            total += chain * merges
    carried = natural.offset << output.shift
    constant = (output.offset + (carried if output.negate else -carried)) >> output.shift
    return total + ((constant + output.negate) & ((1 << width) - 1)).bit_count()
