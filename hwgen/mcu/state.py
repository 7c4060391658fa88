"""What a model keeps from one run to the next: the members of a struct that the caller owns."""

from __future__ import annotations

from collections.abc import Sequence

from .function import Function
from .operands import StateArray

__all__ = ["state_bytes", "state_members"]


def state_members(functions: Sequence[Function]) -> list[StateArray]:
    """All members in the order in which they lie: the widest first, with no gap between them."""
    members = [member for function in functions for member in function.states]
    return sorted(members, key=lambda member: -member.ctype.bytes)


def state_bytes(functions: Sequence[Function]) -> int:
    """Size of the struct; 0 where there is none."""
    members = state_members(functions)
    align = max((member.ctype.bytes for member in members), default=1)
    return -(-sum(member.size * member.ctype.bytes for member in members) // align) * align
