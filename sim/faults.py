"""What can be wrong with a stream, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from hwgen.errors import HwgenError

__all__ = ["Fault", "ProtocolViolation", "SimulationFailed", "SimulationHang", "Status", "report"]


class ProtocolViolation(HwgenError):
    """A design breaks a rule of AXI4-Stream."""

    exit_code = 1


class SimulationHang(HwgenError):
    """A design stopped moving data."""

    exit_code = 1


class SimulationFailed(HwgenError):
    """A simulator could not compile or run a design."""

    exit_code = 1


class Fault(IntEnum):
    """Why a simulation stopped early. The numbers are shared with harness.cpp."""

    NONE = 0
    HANG = 1
    VALID_DROPPED = 2
    DATA_CHANGED = 3
    LAST_CHANGED = 4
    LAST_MISPLACED = 5
    EXTRA_BEAT = 6
    UNKNOWN = 7
    REQUEST_DROPPED = 8
    REQUEST_CHANGED = 9
    REQUEST_WRONG = 10
    TOO_MANY_REQUESTS = 11
    WORDS_LEFT = 12


@dataclass(frozen=True, slots=True)
class Status:
    """Where a simulation stands.

    Attributes
    ----------
    cycle
        Clock cycles since the last reset.
    sent, received
        Beats that went in and came out since the last reset.
    in_beats, out_beats
        Beats of a frame.
    frames
        Frames to send.
    in_ready, out_valid
        The design's handshake signals in this cycle.
    patient
        The sink is waiting for tvalid before it raises tready.
    idle
        Cycles since the last beat went in or out.
    """

    cycle: int
    sent: int
    received: int
    in_beats: int
    out_beats: int
    frames: int
    in_ready: bool
    out_valid: bool
    patient: bool
    idle: int

    @property
    def progress(self) -> str:
        frames_in, beat_in = divmod(self.sent, self.in_beats)
        frames_out, beat_out = divmod(self.received, self.out_beats)
        return (
            f"{_beats(frames_in, beat_in, self.in_beats)} of {self.frames} frames went in, "
            f"{_beats(frames_out, beat_out, self.out_beats)} came out"
        )


def report(fault: Fault, status: Status, where: str) -> HwgenError:
    """The error that says what is wrong.

    Parameters
    ----------
    where
        Design, simulator and scenario.
    """
    frame, beat = divmod(status.received, status.out_beats)
    at = f"{where}: cycle {status.cycle} (frame {frame}, output beat {beat})"
    if fault == Fault.HANG:
        return SimulationHang(
            f"{where}: no beat moved for {status.idle} cycles, up to cycle {status.cycle}: "
            f"{status.progress}; {_hang_reason(status)}"
        )
    text = {
        Fault.VALID_DROPPED: "m_axis_tvalid must stay high until m_axis_tready takes the beat, "
        "it fell while the sink was stalling",
        Fault.DATA_CHANGED: "m_axis_tdata must not change while tvalid is high and tready low, "
        "it changed while the sink was stalling",
        Fault.LAST_CHANGED: "m_axis_tlast must not change while tvalid is high and tready low, "
        "it changed while the sink was stalling",
        Fault.LAST_MISPLACED: "m_axis_tlast must be high on the last of "
        f"{status.out_beats} beats of a frame and only there, "
        + ("it was missing" if beat == status.out_beats - 1 else "it was high"),
        Fault.EXTRA_BEAT: f"exactly {status.frames} frames of {status.out_beats} beats must come "
        "out, another beat followed (one was repeated, or a counter is wrong)",
        Fault.UNKNOWN: "handshake signals must be 0 or 1 after reset, and so must data that is "
        "valid; an unknown (X) was found",
        Fault.REQUEST_DROPPED: "tvalid of a request for weights must stay high until the memory "
        "takes it, it fell while the memory was stalling",
        Fault.REQUEST_CHANGED: "a request for weights must not change while tvalid is high and "
        "tready low, it changed while the memory was stalling",
        Fault.REQUEST_WRONG: "a request for weights must say where a column begins, it does not",
        Fault.TOO_MANY_REQUESTS: "more requests for weights are under way than the design declares",
        Fault.WORDS_LEFT: "every word of a column that was asked for must be taken, some were not",
    }[fault]
    return ProtocolViolation(f"{at}: {text}")


def _hang_reason(status: Status) -> str:
    if status.out_valid and not status.patient:
        return "the output is valid and was never taken"
    if status.patient and not status.out_valid:
        return (
            "the sink waits for m_axis_tvalid before it raises m_axis_tready: "
            "tvalid must not wait for tready"
        )
    if status.sent < status.frames * status.in_beats and not status.in_ready:
        return "s_axis_tready stays low: the design takes no more input"
    return "m_axis_tvalid stays low although the input was taken: the design lost beats or waits"


def _beats(frames: int, beat: int, beats: int) -> str:
    return f"{frames}" if not beat else f"{frames} and {beat}/{beats}"
