"""Invertible logic: Boolean circuits as Ising problems, which run in every direction."""

from .arithmetic import adder, comparator, multiplier
from .circuit import Circuit, Net
from .gates import CATALOGUE, Gate
from .hamiltonian import Clamped, Hamiltonian
from .relations import Contradiction, Relation

__all__ = [
    "CATALOGUE",
    "Circuit",
    "Clamped",
    "Contradiction",
    "Gate",
    "Hamiltonian",
    "Net",
    "Relation",
    "adder",
    "comparator",
    "multiplier",
]
