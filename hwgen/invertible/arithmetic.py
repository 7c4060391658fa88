"""Arithmetic circuits that run in every direction.

One adder adds, or subtracts where its sum and one operand are given; one multiplier multiplies,
divides, or factors.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidInput
from .circuit import Circuit, Net

__all__ = ["adder", "column_weights", "comparator", "multiplier"]


def _width(name: str, bits: int) -> None:
    if bits < 1:
        raise InvalidInput(f"{name} must be at least 1, found {bits}")


def _ripple(
    circuit: Circuit, a: Sequence[Net], b: Sequence[Net], name: str, weights: Sequence[int] = ()
) -> tuple[list[Net], Net]:
    """(sum bits, carry) of two numbers; the shorter one is extended by zeros."""
    carry = zero = circuit.constant(0)
    total = []
    for k in range(max(len(a), len(b))):
        p, q = (x[k] if k < len(x) else zero for x in (a, b))
        weight = weights[k] if k < len(weights) else 1
        bit, carry = circuit.full_adder(p, q, carry, f"{name}{k}", weight)
        total.append(bit)
    return total, carry


def adder(bits: int) -> Circuit:
    """``a + b = sum + 2^bits carry`` as a ripple of one half adder and bits - 1 full adders.

    Words
    -----
    a, b, sum
        ``bits`` each.
    carry
        1 bit.
    """
    _width("bits of an adder", bits)
    circuit = Circuit(f"adder{bits}")
    a, b = circuit.word("a", bits), circuit.word("b", bits)
    total, carry = _ripple(circuit, a, b, "add")
    circuit.output("sum", total)
    circuit.output("carry", carry)
    return circuit


def column_weights(n: int, m: int) -> tuple[int, ...]:
    """Weights of a multiplier's columns with which factors are found soonest.

    Of the lowest column, whose product bit says most about the factors, and of the highest ones, where
    carries pile up, the adders weigh more.
    """
    columns = n + m - 2
    high = (2, 4, 8) if columns <= 8 else (2, 2, 4, 8)
    return ((4,) + (1,) * columns)[: max(0, columns - len(high))] + high[-columns:] * (columns > 0)


def multiplier(n: int, m: int, weights: Sequence[int] = ()) -> Circuit:
    """``a * b = y`` as an array: n m ANDs, and m - 1 rows that ripple.

    For n = m that is n half adders and n (n - 2) full adders: 3 n^2 nodes, with the ground energy
    -(3 n^2 + 4 n (n - 1)).

    Parameters
    ----------
    n, m
        Bits of a and b.
    weights
        Of the adders of column 1, 2, ..., where their energies are to differ; 1 by default. With
        weights y has a lowest bit of its own: one node more.

    Words
    -----
    a, b
        n and m bits.
    y
        n + m bits; one less where n or m is 1, for the highest would always be 0.
    """
    _width("bits of a factor", min(n, m))
    circuit = Circuit(f"multiplier{n}x{m}")
    a, b = circuit.word("a", n), circuit.word("b", m)
    done: list[Net] = []
    above: list[Net] = []
    for j, bit in enumerate(b):
        row = [circuit.and_(x, bit, f"p{i}_{j}") for i, x in enumerate(a)]
        if j:
            total, carry = _ripple(circuit, above, row, f"row{j}_", weights[j - 1 :])
            row = [*total, carry]
        done.append(row[0])
        above = row[1:]
    if weights:
        # A node of its own, so that the product bit that nothing adds to can be no spin either.
        done[0] = circuit.copy(done[0], weight=weights[-1])
    y = [*done, *above]
    while y[-1].constant == 0:
        y.pop()
    circuit.output("y", y)
    return circuit


def comparator(bits: int) -> Circuit:
    """Which of two numbers is the larger: the borrows of ``a - b`` and of ``b - a``.

    Words
    -----
    a, b
        ``bits`` each.
    less, equal, greater
        1 bit each: a < b, a = b, a > b.
    """
    _width("bits of a comparator", bits)
    circuit = Circuit(f"comparator{bits}")
    a, b = circuit.word("a", bits), circuit.word("b", bits)
    less = greater = circuit.constant(0)
    for p, q in zip(a, b, strict=True):
        less, greater = circuit.majority(~p, q, less), circuit.majority(p, ~q, greater)
    circuit.output("less", less)
    circuit.output("equal", circuit.nor(less, greater))
    circuit.output("greater", greater)
    return circuit
