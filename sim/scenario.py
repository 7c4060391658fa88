"""What the world around a design does: how the source offers beats and the sink takes them."""

from __future__ import annotations

from dataclasses import dataclass

from hwgen.rtl.design import Design

__all__ = ["Scenario", "idle_limit", "protocol_scenarios"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way to drive a design, from reset to the last beat.

    Attributes
    ----------
    name
        For messages and logs.
    frames
        How many of the given frames to send, or None for all.
    stalls
        Source and sink pause at random, in phases of different tempo; in some phases the sink
        raises tready only after it has seen tvalid, as AXI4-Stream lets it. Otherwise the source
        is always valid and the sink always ready.
    isolated
        Send a frame only when the one before has left and the design is idle.
    reset_at
        Number of clock cycles after which reset strikes for one cycle; then every frame is sent
        again. None: never.
    seed
        Of the stalls.
    slow_memory
        Memories with weights stall at random, too; they do in any case where ``stalls`` is set.
    """

    name: str
    frames: int | None = None
    stalls: bool = False
    isolated: bool = False
    reset_at: int | None = None
    seed: int = 1
    slow_memory: bool = False

    @property
    def timed(self) -> bool:
        """Whether interval (back to back) or latency (isolated) mean anything here."""
        return not self.stalls and not self.slow_memory and self.reset_at is None


def protocol_scenarios(design: Design, seed: int = 1) -> tuple[Scenario, ...]:
    """The scenarios that every design must pass.

    Resets strike while the first frame is inside, and later, under stalls, while frames leave and
    enter at once. A design with memories also meets slow ones while its streams do not stall.
    """
    early = max(1, design.latency // 3)
    late = design.latency + design.interval // 2 + 1
    slow = Scenario("slow memory", slow_memory=True, seed=seed + 2)
    return (
        Scenario("back to back"),
        Scenario("isolated frames", frames=2, isolated=True),
        Scenario("random stalls", stalls=True, seed=seed),
        Scenario("reset in mid-frame", frames=2, reset_at=early),
        Scenario("reset under stalls", frames=2, stalls=True, reset_at=late, seed=seed + 1),
        *(slow,) * bool(design.memories),
    )


def idle_limit(design: Design) -> int:
    """Cycles without any beat in or out after which a design counts as hung."""
    return 1000 + 10 * (design.interval + design.latency)


def drain_cycles(design: Design) -> int:
    """Cycles to watch for superfluous beats after the last expected one."""
    return 16 + min(1000, design.interval + design.latency)
