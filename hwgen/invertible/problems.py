"""What can be solved: circuits with words that are given, numbers to factor, Ising files."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InvalidInput
from . import arithmetic
from .circuit import Circuit
from .hamiltonian import Hamiltonian

if TYPE_CHECKING:
    from ..frontend.ising_problem import IsingProblem

__all__ = ["BUILT_IN", "Problem", "factoring", "find_problem"]

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


def _gate(name: str) -> Circuit:
    circuit = Circuit(name)
    a, b = circuit.bit("a"), circuit.bit("b")
    make = getattr(circuit, name + "_" * (name in ("and", "or")))
    circuit.output("y", make(a, b))
    return circuit


def _adder_cell(name: str) -> Circuit:
    circuit = Circuit(name)
    bits = [circuit.bit(pin) for pin in "abc"[: 2 if name == "half_adder" else 3]]
    total, carry = getattr(circuit, name)(*bits)
    circuit.output("sum", total)
    circuit.output("carry", carry)
    return circuit


BUILT_IN: dict[str, tuple[str, Callable[..., Circuit]]] = {
    r"(and|or|nand|nor|xor|xnor)": ("and, or, nand, nor, xor, xnor", _gate),
    r"(half_adder|full_adder)": ("half_adder, full_adder", _adder_cell),
    r"adder(\d+)": ("adder4", arithmetic.adder),
    r"comparator(\d+)": ("comparator4", arithmetic.comparator),
    r"multiplier(\d+)x(\d+)": ("multiplier4x4", arithmetic.multiplier),
}
"""Circuits by name: a pattern whose groups are arguments, how it is written, what makes it."""

FILES = "a netlist (.v, .sv, .blif), a graph (G-set: .gset, .txt), .json (dimod), .qubo"


def find_problem(name: str, top: str | None = None, max_degree: int | None = None) -> Problem:
    """The problem of a file or a built-in circuit.

    Raises
    ------
    InvalidInput
        There is neither; or the file cannot be read.
    """
    for pattern, (_, make) in BUILT_IN.items():
        if match := re.fullmatch(pattern, name):
            arguments = (int(word) if word.isdecimal() else word for word in match.groups())
            return Problem.of(make(*_small(name, arguments)), max_degree)
    if match := re.fullmatch(r"toroidal(\d+)x(\d+)", name):
        from ..frontend.ising import toroidal

        return _of_file(name, toroidal(*map(int, match.groups())))
    path = Path(name)
    if not path.exists():
        known = ", ".join([*(shown for shown, _ in BUILT_IN.values()), "toroidal100x8"])
        raise InvalidInput(f"{name}: no such file; expected {FILES}, or a circuit: {known}")
    if path.suffix.lower() in (".v", ".sv", ".blif"):
        from .netlist import read_blif, read_verilog

        is_blif = path.suffix.lower() == ".blif"
        return Problem.of(read_blif(path) if is_blif else read_verilog(path, top), max_degree)
    from ..frontend.ising import read_problem

    return _of_file(path.stem, read_problem(path))


def _small(name: str, arguments) -> list:
    arguments = list(arguments)
    for value in arguments:
        if isinstance(value, int) and not 1 <= value <= MOST_BITS:
            raise InvalidInput(f"{name}: words must have 1..{MOST_BITS} bits, not {value}")
    return arguments


def _of_file(name: str, ising: IsingProblem) -> Problem:
    return Problem(name, ising.hamiltonian, ising=ising)


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
