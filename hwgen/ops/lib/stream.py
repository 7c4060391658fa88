"""Schedules of ops without weights: they take a number of lanes and work at stream speed."""

from __future__ import annotations

from ...ir.schedule import Schedule
from ...ir.types import Type
from .linear import divisors

__all__ = ["beats", "lane_schedules"]


def beats(x: Type, schedule: Schedule) -> int:
    """Beats of one frame of ``x`` at the schedule's lanes (0 lanes: all channels)."""
    return x.size // (schedule.lanes or x.channels)


def lane_schedules(x: Type) -> tuple[Schedule, ...]:
    """One schedule for every divisor of the channels."""
    return tuple(Schedule("stream", lanes=lanes) for lanes in divisors(x.channels))
