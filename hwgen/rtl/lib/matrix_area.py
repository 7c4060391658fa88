"""How much a constant matrix in logic takes, in closed form from its adder graph."""

from __future__ import annotations

from .adder_graph import AdderGraph
from .area import Area, carry_chain
from .natural import cost

__all__ = ["adders_area"]


def adders_area(graph: AdderGraph, width: int) -> Area:
    """All adders and constants of a graph; its registers apart.

    A sum costs a table at every bit that both operands have, a difference one at every bit of what
    is taken away, a carry-in of 1 one more. A constant of an output costs an inverter for each of
    its ones, a negated output one for every bit.

    Parameters
    ----------
    width
        Bits of an output of the matrix.
    """
    total = Area()
    for adder, cell in zip(graph.adders, graph.cells, strict=True):
        lut = cost(*graph.operands(adder), adder.subtract)
        carried = cell.chain > 0 and adder.carry
        total += Area(lut=lut + carried, carry=carry_chain(cell.chain + carried))
    for output in graph.outputs:
        if graph.adds_constant(output):
            bits = min(width, graph.output_width(output))
            constant = graph.constant(output) & ((1 << bits) - 1)
            zeros = (constant & -constant).bit_length() - 1 if constant else 0
            lut = bits if output.negate else constant.bit_count()
            total += Area(lut=lut, carry=carry_chain(bits - zeros))
    return total
