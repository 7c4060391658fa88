"""Mapped netlists with fewer cells: what abc makes twice, and trees of exclusive ORs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from .mapped import Cell, Module

__all__ = ["join_parities", "share"]

# As an AND: whether the inputs are inverted, and the output.
_ANDS = {"and_": (0, 0), "nand": (0, 1), "or_": (1, 1), "nor": (1, 0)}
_XORS = {"xor": 0, "xnor": 1}
_WIRES = {"buffer": 0, "not_": 1}


def share(module: Module) -> Module:
    """Make each gate once: abc has an AND beside a NAND of the same inputs, and a XOR beside a XNOR.

    Inverters cost nothing in a Hamiltonian, and so one of the two is enough.
    """
    origin: dict[int | str, tuple[int | str, int]] = {"1": ("0", 1)}  # bit it equals, and inversion
    made: dict[tuple, tuple[int, int]] = {}
    cells = []
    for cell in module.cells:
        given = [origin.get(bit, (bit, 0)) for bit in cell.inputs]
        if cell.kind in _WIRES:
            bit, inverted = given[0]
            origin[cell.outputs[0]] = bit, inverted ^ _WIRES[cell.kind]
        elif cell.kind in _ANDS or cell.kind in _XORS:
            if cell.kind in _ANDS:
                inside, outside = _ANDS[cell.kind]
                key = ("and", frozenset((bit, inverted ^ inside) for bit, inverted in given))
            else:
                outside = (_XORS[cell.kind] + sum(inverted for _, inverted in given)) % 2
                bits = tuple(bit for bit, _ in given)
                key = ("xor", frozenset(bits))
                cell = Cell("xnor" if outside else "xor", bits, cell.outputs)
            (out,) = cell.outputs
            bit, inverted = made.setdefault(key, (out, outside))
            if bit != out:
                origin[out] = bit, inverted ^ outside
                cell = Cell("not_" if inverted ^ outside else "buffer", (bit,), (out,))
        cells.append(cell)
    return _live(replace(module, cells=tuple(cells)))


def _live(module: Module) -> Module:
    """Without the cells that nothing reads."""
    read = {bit for bits in module.outputs.values() for bit in bits}
    cells = []
    for cell in reversed(module.cells):
        if read.intersection(cell.outputs):
            read.update(cell.inputs)
            cells.append(cell)
    return replace(module, cells=tuple(reversed(cells)))


def join_parities(module: Module) -> Module:
    """Replace each tree of XOR and XNOR cells by a cell ``parity`` of its leaves.

    The leaf "1" stands for an inversion. A net that something else reads too stays the root of a
    tree of its own. A full adder's sum is the parity of three bits with one auxiliary spin, the carry;
    two XOR gates have two, and a net between.
    """
    uses = Counter(bit for cell in module.cells for bit in cell.inputs)
    uses.update(bit for bits in module.outputs.values() for bit in bits)
    roots: dict[int, tuple[int, list]] = {}  # place and leaves of each that is read once
    cells: dict[int, Cell] = {}
    for place, cell in enumerate(module.cells):
        if cell.kind in _XORS:
            leaves: list[int | str] = ["1"] if cell.kind == "xnor" else []
            for bit in cell.inputs:
                inner = roots.pop(bit, None)
                if inner is None:
                    leaves.append(bit)
                else:
                    leaves += inner[1]
                    del cells[inner[0]]
            (out,) = cell.outputs
            if uses[out] == 1:
                roots[out] = place, leaves
            cell = Cell("parity", tuple(leaves), cell.outputs)
        cells[place] = cell
    return replace(module, cells=tuple(cells.values()))
