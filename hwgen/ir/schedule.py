"""How one op becomes hardware. A schedule never changes a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["PIPELINE", "Schedule"]

PIPELINE = 4  # adders in a row between registers of a spatial op, by default


@dataclass(frozen=True, slots=True)
class Schedule:
    """The hardware form of one op.

    Attributes
    ----------
    form
        ``spatial``: constants in logic, fully pipelined; a dense layer takes one frame a clock,
        a convolution one window position a clock.
        ``folded``: ``pe`` x ``simd`` x ``parallel`` multipliers work through the layer, weights in ROM.
        ``serial``: one input a clock meets ``pe`` outputs, whose masks are drawn on the way; only
        the kept weights are stored.
        ``scan``: like ``serial``, but ``simd`` bits of the masks are looked at in every clock, and
        the multipliers see the kept weights only.
        ``columns``: of recurrent cells; ``pe`` lanes add a column of the weight matrices to as many
        rows a clock, then ``simd`` gate rows a clock go through the gates.
        ``events``: like ``columns``, but columns of inputs and states that are 0 take no time.
        ``stream``: ops without weights; they work on ``lanes`` elements a beat.
    pe
        Output channels computed at once (within a group); divides the output channels of a group.
    simd
        Inputs multiplied at once for each of them; divides the input channels of a group. Of
        ``scan``: inputs looked at. Of ``columns`` and ``events``: gate rows that are finished.
    parallel
        Channel groups computed at once; divides ``groups``. Above 1 only with the whole group
        in ``pe`` and ``simd``, so that a beat holds neighbouring channels.
    lanes
        Elements a beat of a ``stream`` op; divides the channels. 0: all of them.
    streamed
        Of ``columns`` and ``events``: the weights of a column come through a port when it is added,
        and are not in ROM. For networks too large for a device; never chosen without being asked for.
    pipeline
        Most adders in a row between two registers of a ``spatial`` op. Any number fits any op:
        schedules that differ in this alone are equal.
    """

    form: Literal["spatial", "folded", "serial", "scan", "columns", "events", "stream"] = "stream"
    pe: int = 1
    simd: int = 1
    parallel: int = 1
    lanes: int = 0
    streamed: bool = False
    pipeline: int = field(default=PIPELINE, compare=False)

    @property
    def multipliers(self) -> int:
        """Multipliers of a folded, serial or scanning array, or of the lanes of a cell."""
        shared = self.form in ("scan", "columns", "events")
        return self.pe * self.parallel * (1 if shared else self.simd)

    def __str__(self) -> str:
        if self.form == "folded":
            groups = f"x{self.parallel}" if self.parallel > 1 else ""
            return f"folded {self.pe}x{self.simd}{groups}"
        if self.form == "serial":
            return f"serial {self.pe}"
        if self.form in ("scan", "columns", "events"):
            return f"{self.form} {self.pe}x{self.simd}{' streamed' * self.streamed}"
        return self.form
