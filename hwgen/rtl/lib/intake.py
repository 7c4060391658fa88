"""The writing side of a memory that holds the beats of some frames."""

from __future__ import annotations

from amaranth import Module, Signal

from .loops import wrapped

__all__ = ["intake"]


def intake(m: Module, stream, room, depth: int) -> tuple[Signal, Signal]:
    """Take beats of ``stream`` while there is room.

    Returns
    -------
    Whether a beat is taken now, and at which of the memory's ``depth`` words it is written.
    """
    write_address = Signal(range(depth))
    taken = Signal()
    m.d.comb += [stream.ready.eq(room), taken.eq(stream.valid & stream.ready)]
    with m.If(taken):
        m.d.sync += write_address.eq(wrapped(write_address, depth))
    return taken, write_address
