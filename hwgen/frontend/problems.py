"""A problem by name: a netlist, a graph, or a circuit that is built in."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..errors import InvalidInput
from ..invertible import arithmetic
from ..invertible.circuit import Circuit
from ..invertible.netlist import read_blif, read_verilog
from ..invertible.problems import MOST_BITS, Problem
from .ising import read_problem, toroidal
from .ising_problem import IsingProblem

__all__ = ["BUILT_IN", "find_problem"]


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
        return _of_file(name, toroidal(*map(int, match.groups())))
    path = Path(name)
    if not path.exists():
        known = ", ".join([*(shown for shown, _ in BUILT_IN.values()), "toroidal100x8"])
        raise InvalidInput(f"{name}: no such file; expected {FILES}, or a circuit: {known}")
    if path.suffix.lower() in (".v", ".sv", ".blif"):
        is_blif = path.suffix.lower() == ".blif"
        return Problem.of(read_blif(path) if is_blif else read_verilog(path, top), max_degree)
    return _of_file(path.stem, read_problem(path))


def _small(name: str, arguments) -> list:
    arguments = list(arguments)
    for value in arguments:
        if isinstance(value, int) and not 1 <= value <= MOST_BITS:
            raise InvalidInput(f"{name}: words must have 1..{MOST_BITS} bits, not {value}")
    return arguments


def _of_file(name: str, ising: IsingProblem) -> Problem:
    return Problem(name, ising.hamiltonian, ising=ising)
