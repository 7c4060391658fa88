"""What can be solved: circuits with words that are given, numbers to factor, plain Ising problems."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import InvalidInput
from . import arithmetic
from .circuit import Circuit
from .hamiltonian import Hamiltonian

if TYPE_CHECKING:
    from ..frontend.ising_problem import IsingProblem

__all__ = ["MOST_BITS", "Problem", "factoring", "smallest_factor"]

MOST_BITS = 32  # of a factor


@dataclass(frozen=True, eq=False)
class Problem:
    """A network of spins, and what is asked of it.

    Attributes
    ----------
    name
        For people and files.
    hamiltonian
        Of the whole, nothing fixed.
    inputs
        Words that decide all others.
    given
        Values of words.
    circuit
        What it was made of, if anything.
    ising
        The file it was read from, if it was.
    factors
        The number to factor, 0 for other problems.
    """

    name: str
    hamiltonian: Hamiltonian
    inputs: tuple[str, ...] = ()
    given: Mapping[str, int] = field(default_factory=dict)
    circuit: Circuit | None = None
    ising: IsingProblem | None = None
    factors: int = 0

    @classmethod
    def of(cls, circuit: Circuit, max_degree: int | None = None, **more) -> Problem:
        """A circuit with nothing given."""
        whole = circuit.hamiltonian(max_degree)
        return cls(circuit.name, whole, circuit.inputs, circuit=circuit, **more)


def smallest_factor(number: int) -> tuple[int, int]:
    """The smallest prime factor, by trial division, and how many divisions that took."""
    divisions = 0
    for divisor in (2, *range(3, math.isqrt(number) + 1, 2)):
        divisions += 1
        if number % divisor == 0:
            return divisor, divisions
    return number, divisions


def factoring(
    number: int, bits: tuple[int, int] | None = None, max_degree: int | None = None
) -> Problem:
    """A multiplier whose product is given.

    Parameters
    ----------
    number
        4 to 2^40.
    bits
        Of both factors. By default as many for both as half the number has, if two such factors
        exist, else as many as the smallest factor and what is left need.

    Raises
    ------
    InvalidInput
        The number is prime, or has no factors of so many bits.
    """
    if not 4 <= number <= 1 << 40:
        raise InvalidInput(f"a number to factor must lie in 4..2^40, found {number}")
    smallest, _ = smallest_factor(number)
    if smallest == number:
        raise InvalidInput(f"{number} is prime: no two factors above 1 have it as their product")
    pairs = [(number // d, d) for d in range(2, math.isqrt(number) + 1) if number % d == 0]
    half = -(-number.bit_length() // 2)
    fits = [p for p in pairs if _fits(p, bits or (half, half))]
    if bits is None:
        a, b = fits[0] if fits else pairs[0]
        bits = (half, half) if fits else (a.bit_length(), b.bit_length())
    elif not fits:
        a, b = pairs[-1]
        raise InvalidInput(
            f"{number} is no product of factors of {bits[0]} and {bits[1]} bits; it is {a} x {b}, which "
            f"takes --bits {a.bit_length()}x{b.bit_length()}"
        )
    if max(bits) > MOST_BITS:
        raise InvalidInput(f"a factor may have up to {MOST_BITS} bits, not {max(bits)}")
    circuit = arithmetic.multiplier(*bits, weights=arithmetic.column_weights(*bits))
    if number.bit_length() > len(circuit.words["y"]):
        raise InvalidInput(f"{number} is too large for a product of {bits[0]} x {bits[1]} bits")
    made = Problem.of(circuit, max_degree)
    return Problem(
        f"factor{number}",
        made.hamiltonian,
        made.inputs,
        {"y": number},
        circuit,
        factors=number,
    )


def _fits(pair: tuple[int, int], bits: tuple[int, int]) -> bool:
    low, high = sorted(bits)
    return min(pair).bit_length() <= low and max(pair).bit_length() <= high
