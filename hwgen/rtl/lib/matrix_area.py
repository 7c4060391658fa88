"""How much a constant matrix in logic takes, in closed form from its adder graph."""

from __future__ import annotations

from .adder_graph import Adder, AdderGraph, Output
from .area import Area, carry_chain

__all__ = ["adders_area"]


def adders_area(graph: AdderGraph, stage_of, output_stage, width: int) -> Area:
    """All adders and offsets of a graph; its registers apart.

    A sum costs a table at every bit where both operands vary: below the one that is shifted
    further the other passes through, and a natural number ends at its own width. A difference
    costs one at every bit of what is taken away. An offset costs an inverter for each of its ones.

    Parameters
    ----------
    stage_of, output_stage
        The pipeline stage in which a value and an output are computed.
    width
        Bits of an output of the matrix.
    """
    total = Area()
    only_user = _only_users(graph)
    for k, adder in enumerate(graph.adders):
        value = graph.inputs + k
        lut, bits = _adder(graph, adder, value)
        user, shift = only_user.get(value, (None, 0))
        own_chain = True
        if user is not None and not shift:
            # Yosys adds up values that nothing else reads without a carry chain of their own.
            if isinstance(user, Output):
                wide = min(width, graph.output_width(user))
                same = output_stage(user) == stage_of(value)
                same = same and bool(user.offset or user.negate)
            else:
                wide, same = graph.width(user), stage_of(user) == stage_of(value)
            exact = graph.width(value) >= _unbounded_width(graph, adder)
            own_chain = not (same and (wide == graph.width(value) or exact))
        total += Area(lut=lut, carry=carry_chain(bits) if own_chain else 0)
    for output in graph.outputs:
        if output.value >= 0 and (output.offset or output.negate):
            bits = min(width, graph.output_width(output))
            ones = (output.offset & ((1 << bits) - 1)).bit_count()
            zeros = (output.offset & -output.offset).bit_length() - 1 if output.offset else 0
            lut = bits if output.negate else ones
            total += Area(lut=lut, carry=carry_chain(bits - zeros))
    return total


def _adder(graph: AdderGraph, adder: Adder, value: int) -> tuple[int, int]:
    """Tables of an adder, and bits of its carry chain."""
    lo, _ = graph.interval(value)
    end = graph.width(value) - (lo >= 0)  # a natural number's sign is no bit
    left, right = adder.left_shift, adder.right_shift
    left_end = min(end, _end(graph, adder.left, left))
    right_end = min(end, _end(graph, adder.right, right))
    if adder.subtract:  # inverters where there is nothing to take it away from, or above it
        start = right
        lut = max(end - start, 0)
    else:
        start = max(left, right)
        lut = max(min(left_end, right_end) - start, 0)
    return lut, max(end - start, 0) if lut else 0  # without a table it is wiring


def _end(graph: AdderGraph, value: int, shift: int) -> int:
    """The bit above the highest that varies; a sign goes on without end."""
    lo, hi = graph.interval(value)
    return shift + hi.bit_length() if lo >= 0 else 1 << 30


def _unbounded_width(graph: AdderGraph, adder: Adder) -> int:
    """Bits that hold the sum whatever its operands are."""
    left = graph.width(adder.left) + adder.left_shift
    right = graph.width(adder.right) + adder.right_shift
    return max(left, right) + 1


def _only_users(graph: AdderGraph) -> dict[int, tuple[int | Output, int]]:
    """For every value with one user: that value or output, and the shift."""
    users: dict[int, list[tuple[int | Output, int]]] = {}
    for k, adder in enumerate(graph.adders):
        users.setdefault(adder.left, []).append((graph.inputs + k, adder.left_shift))
        users.setdefault(adder.right, []).append((graph.inputs + k, adder.right_shift))
    for output in graph.outputs:
        users.setdefault(output.value, []).append((output, output.shift))
    return {value: found[0] for value, found in users.items() if len(found) == 1}
