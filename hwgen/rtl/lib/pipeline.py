"""Elastic pipelines: registers that move on when they are empty or the next one moves."""

from __future__ import annotations

from amaranth import Module, Signal

__all__ = ["ElasticPipeline"]


class ElasticPipeline:
    """Valid bits and enables of a row of registers; the owner adds the data.

    Stage k's data registers load under ``enable[k]``. A stall closes bubbles and loses nothing.

    Parameters
    ----------
    m
        The module that it becomes part of.
    depth
        Stages, 1 or more.
    i_valid, o_ready
        The handshakes at both ends.
    swallow
        If given, a beat that enters the last stage while this is 1 leaves no valid bit there:
        it is consumed by an accumulation.
    """

    def __init__(self, m: Module, depth: int, *, i_valid, o_ready, swallow=None) -> None:
        self.valid = [Signal(name=f"stage{k}_valid") for k in range(depth)]
        self.enable = [Signal(name=f"stage{k}_enable") for k in range(depth)]
        for k in range(depth):
            after = self.enable[k + 1] if k + 1 < depth else o_ready
            before = self.valid[k - 1] if k else i_valid
            if k == depth - 1 and swallow is not None:
                before = before & ~swallow
            m.d.comb += self.enable[k].eq(~self.valid[k] | after)
            with m.If(self.enable[k]):
                m.d.sync += self.valid[k].eq(before)
