"""Invertible logic: Boolean circuits as Ising problems, which run in every direction."""

from .arithmetic import adder, comparator, multiplier
from .circuit import Circuit, Net
from .clamping import Clamped
from .gates import CATALOGUE, Gate
from .hamiltonian import Hamiltonian
from .netlist import read_blif, read_verilog
from .relations import Contradiction, Relation
from .truth_table import fit

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
    "fit",
    "multiplier",
    "read_blif",
    "read_verilog",
]
