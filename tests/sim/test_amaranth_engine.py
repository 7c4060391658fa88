"""Amaranth's simulator sees the same faults in a component that the others see in Verilog."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.errors import HwgenError, Mismatch, MissingTool
from hwgen.rtl.design import Design, StreamShape
from hwgen.sim import ProtocolViolation, SimulationHang, protocol_check, simulator

DESIGN = Design(
    Path(),
    "add_beats",
    (),
    StreamShape(lanes=2, width=5, signed=True, beats=2),
    StreamShape(lanes=2, width=6, signed=True, beats=1),
    interval=2,
    latency=2,
)


class AddBeats(wiring.Component):
    """Adds the two beats of a frame; ``fault`` breaks it."""

    def __init__(self, fault: str = "") -> None:
        self._fault = fault
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(signed(5), 2))),
                "o": Out(stream.Signature(data.ArrayLayout(signed(6), 2))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        second = Signal(reset_less=self._fault == "reset")
        held = Signal.like(self.i.payload)
        full = Signal()
        m.d.comb += self.o.valid.eq(full & (self.o.ready if self._fault == "waits" else 1))
        m.d.comb += self.i.ready.eq(1 if self._fault == "loses" else ~full | self.o.ready)
        with m.If(self.o.ready | (self._fault == "drops")):
            m.d.sync += full.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [second.eq(~second), held.eq(self.i.payload)]
            with m.If(second):
                m.d.sync += full.eq(1)
                for lane in range(2):
                    total = held[lane] + self.i.payload[lane] + (self._fault == "data")
                    m.d.sync += self.o.payload[lane].eq(total)
        return m


def check(fault: str = "", **timing: int) -> None:
    x = np.random.default_rng(0).integers(-16, 16, (6, 4), dtype=np.int64)
    engine = simulator("amaranth", core=lambda: AddBeats(fault))
    protocol_check(replace(DESIGN, **timing), engine, x, x.reshape(-1, 2, 2).sum(axis=1))


def test_right_component_passes() -> None:
    check()


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("data", Mismatch, "outputs differ"),
        ("waits", SimulationHang, "tvalid must not wait for tready"),
        ("drops", ProtocolViolation, "tvalid must stay high"),
        ("loses", HwgenError, "tdata must not change|no beat moved"),
        ("reset", HwgenError, "outputs differ|no beat moved"),
    ],
)
def test_broken_components_fail(fault: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        check(fault)


@pytest.mark.parametrize("timing", [{"interval": 3}, {"latency": 1}], ids=str)
def test_wrong_declared_timing_fails(timing: dict[str, int]) -> None:
    with pytest.raises(Mismatch, match=r"measured .* is 2 cycles, declared are"):
        check(**timing)


def test_waves_and_progress(tmp_path: Path) -> None:
    engine = simulator("amaranth", core=AddBeats)
    seen: list[tuple[int, int]] = []
    result = engine.run(
        DESIGN, np.zeros((3, 4), int), waves=tmp_path / "a", progress=lambda *s: seen.append(s)
    )
    assert result.waves == tmp_path / "a.vcd"
    assert "$enddefinitions" in result.waves.read_text()
    assert seen[-1] == (3, 3)


def test_needs_a_component() -> None:
    with pytest.raises(MissingTool, match="give it the function that makes the component"):
        simulator("amaranth").run(DESIGN, np.zeros((1, 4), int))
