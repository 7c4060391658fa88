"""What every simulator engine takes and returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from hwgen.rtl.design import Design

from .scenario import Scenario

__all__ = ["Progress", "SimulationResult", "Simulator", "measure_interval", "measure_latency"]

Progress = Callable[[int, int], None]
"""Called now and then with (frames that came out, frames to send)."""


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What a simulation showed.

    Attributes
    ----------
    outputs
        int64 array of shape (batch, elements of an output frame), in channels-last order.
    cycles
        Clock cycles from reset to the last output beat.
    interval
        Measured cycles between frames in steady state; None under stalls or with one frame.
    latency
        Measured cycles from the edge that takes a frame's first beat to the edge that gives its
        last output beat, from idle; None under stalls.
    ends
        Of frames back to back: cycles from the edge that takes the first beat of all to the edge
        that gives each one's last output beat; empty otherwise.
    waves
        The waveform file, where one was asked for.
    requests
        Columns of weights that were asked for since reset, of every memory of the design.
    """

    outputs: np.ndarray
    cycles: int
    interval: int | None = None
    latency: int | None = None
    ends: tuple[int, ...] = ()
    waves: Path | None = None
    requests: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        outputs: np.ndarray,
        cycles: int,
        starts: Sequence[int],
        ends: Sequence[int],
        waves: Path | None = None,
        requests: Sequence[int] = (),
    ) -> SimulationResult:
        """A result from the cycles in which frames started and ended."""
        interval = latency = None
        late: tuple[int, ...] = ()
        if scenario.timed and len(ends):
            latency = measure_latency(starts, ends, scenario.isolated)
            if not scenario.isolated:
                interval = measure_interval(ends)
                late = tuple(int(end) - int(starts[0]) for end in ends)
        return cls(outputs, cycles, interval, latency, late, waves, tuple(requests))


class Simulator(Protocol):
    """An engine that runs designs.

    Attributes
    ----------
    name
        ``amaranth``, ``icarus``, ``verilator`` or ``verilator-cocotb``.
    """

    name: str

    def missing(self) -> str | None:
        """None if the engine can run here, else what is missing and how to get it."""

    def run(
        self,
        design: Design,
        x,
        *,
        stalls: bool = False,
        waves: Path | None = None,
        progress: Progress | None = None,
    ) -> SimulationResult:
        """Send the samples ``x`` through ``design`` and collect what comes out.

        Parameters
        ----------
        x
            Integers of shape (batch, ...), in the range of ``design.input``.
        stalls
            Source and sink pause at random; otherwise interval and latency are measured.
        waves
            Write a waveform here; the engine replaces the suffix by that of its format.

        Raises
        ------
        MissingTool, InvalidInput, ProtocolViolation, SimulationHang, SimulationFailed
        """

    def run_scenarios(
        self, design: Design, x, scenarios: Sequence[Scenario]
    ) -> list[SimulationResult]:
        """Like :meth:`run`, once for every scenario."""


def measure_interval(ends: Sequence[int]) -> int | None:
    """Cycles between frames: the longest gap in the second half of a run, None for one frame.

    The first half may show how pipeline stages fill up.
    """
    gaps = np.diff(np.asarray(ends))
    return int(gaps[len(gaps) // 2 :].max()) if len(gaps) else None


def measure_latency(starts: Sequence[int], ends: Sequence[int], isolated: bool) -> int:
    """Cycles a frame takes from idle: the first frame, or the slowest of isolated ones."""
    if not isolated:
        return int(ends[0]) - int(starts[0])
    return int((np.asarray(ends) - np.asarray(starts)).max())
