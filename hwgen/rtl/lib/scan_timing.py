"""The handshakes of scanning lanes: how long every turn takes, without its data."""

from __future__ import annotations

from collections.abc import Sequence

from .mac_timing import Event, StepTiming

__all__ = ["ScanTiming"]


class ScanTiming(StepTiming):
    """See :class:`hwgen.rtl.lib.scan_array.ScanArray`.

    Parameters
    ----------
    clocks
        Steps of every turn; the first one of a frame waits for the whole frame, and one more behind
        the last turn frees it.
    frame_beats
        Beats of a frame. Two frames have place.
    stages
        Registers between a step and the accumulator.
    """

    def __init__(self, clocks: Sequence[int], frame_beats: int, stages: int) -> None:
        self.clocks, self.frame_beats, self.stages = list(clocks), frame_beats, stages
        super().__init__(stages, frame_beats, 2 * frame_beats)

    def events(self) -> list[Event]:
        first, *others = self.clocks
        whole = self.frame_beats - 1
        if first == 1:
            events = [Event(1, whole, True, -1)]
        else:
            events = [Event(1, whole, False, -1), Event(first - 1, -1, True, -1)]
        events += [Event(clocks, -1, True, -1) for clocks in others]
        return [*events, Event(1, -1, False, 3 * self.frame_beats)]
