"""Does a design do what it must: data, protocol, resets, timing."""

from __future__ import annotations

import numpy as np

from hwgen.errors import InvalidInput, Mismatch
from hwgen.rtl.design import Design

from .result import SimulationResult, Simulator
from .scenario import protocol_scenarios

__all__ = ["check_outputs", "check_timing", "protocol_check"]

MIN_FRAMES = 4  # with fewer the steady state does not show


def protocol_check(
    design: Design, simulator: Simulator, x, expected, *, seed: int = 1
) -> SimulationResult:
    """Put ``design`` through every scenario: back to back, isolated frames, stalls, resets.

    Parameters
    ----------
    x
        Some samples, (batch, ...); repeated if fewer than four.
    expected
        What must come out: (batch, ...).
    seed
        Of the random stalls.

    Returns
    -------
    The result of the run at full speed.

    Raises
    ------
    Mismatch
        Outputs, interval or latency are not as declared.
    ProtocolViolation
        A rule of AXI4-Stream is broken, or beats are repeated.
    SimulationHang
        Beats are lost, or nothing moves any more.
    """
    x, expected = np.asarray(x), np.asarray(expected)
    if len(x) != len(expected) or not len(x):
        raise InvalidInput(f"need as many expected outputs as samples, {len(expected)}, {len(x)}")
    if len(x) < MIN_FRAMES:
        rows = np.arange(MIN_FRAMES) % len(x)
        x, expected = x[rows], expected[rows]
    scenarios = protocol_scenarios(design, seed)
    results = simulator.run_scenarios(design, x, scenarios)
    for scenario, result in zip(scenarios, results, strict=True):
        where = f"{design.top} in {simulator.name}, {scenario.name}"
        check_outputs(expected[: scenario.frames], result.outputs, where)
        check_timing(design, result, where)
    return results[0]


def check_outputs(expected, got, where: str) -> None:
    """Raise Mismatch, naming the first difference, unless both are equal.

    Parameters
    ----------
    expected, got
        Integers of shape (batch, ...); ``got`` may be flat per sample.
    """
    expected = np.asarray(expected)
    got = np.asarray(got).reshape(expected.shape)
    differ = np.argwhere(expected != got)
    if len(differ):
        sample, *index = (int(i) for i in differ[0])
        wrong = len(np.unique(differ[:, 0]))
        first = (sample, *index)
        raise Mismatch(
            f"{where}: {wrong} of {len(expected)} outputs differ, first at sample {sample}, "
            f"index {tuple(index)}: expected {expected[first]}, got {got[first]}"
        )


def check_timing(design: Design, result: SimulationResult, where: str) -> None:
    """Raise Mismatch unless the measured interval and latency are the declared ones.

    Of a design whose timing is a bound no frame may end later than declared: data that is faster
    than other data makes gaps of all lengths behind it.
    """
    if design.timing_is_bound:
        _check_bounds(design, result, where)
        return
    for what in ("interval", "latency"):
        declared, measured = getattr(design, what), getattr(result, what)
        if measured is not None and measured != declared:
            raise Mismatch(
                f"{where}: measured {what} is {measured} cycles, declared are {declared}"
            )


def _check_bounds(design: Design, result: SimulationResult, where: str) -> None:
    for frame, end in enumerate(result.ends):
        most = design.latency + frame * design.interval
        if end > most:
            raise Mismatch(
                f"{where}: frame {frame} ends {end} cycles after the first beat, declared are at "
                f"most {most}"
            )
    if result.latency is not None and result.latency > design.latency:
        raise Mismatch(
            f"{where}: measured latency is {result.latency} cycles, declared are at most "
            f"{design.latency}"
        )
