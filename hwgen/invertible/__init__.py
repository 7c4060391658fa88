"""Invertible logic: Boolean circuits as Ising problems, which run in every direction."""

from .arithmetic import adder, column_weights, comparator, multiplier
from .circuit import Circuit, Net
from .clamping import Clamped
from .engine import Accumulator, Gibbs, geometric
from .gates import CATALOGUE, Gate
from .hamiltonian import Hamiltonian
from .lowering import lower
from .netlist import read_blif, read_verilog
from .problems import Problem, factoring
from .relations import Contradiction, Relation
from .solving import Network, Solution, prepare, solve
from .truth_table import fit

__all__ = [
    "CATALOGUE",
    "Accumulator",
    "Circuit",
    "Clamped",
    "Contradiction",
    "Gate",
    "Gibbs",
    "Hamiltonian",
    "Net",
    "Network",
    "Problem",
    "Relation",
    "Solution",
    "adder",
    "column_weights",
    "comparator",
    "factoring",
    "fit",
    "geometric",
    "lower",
    "multiplier",
    "prepare",
    "read_blif",
    "read_verilog",
    "solve",
]
