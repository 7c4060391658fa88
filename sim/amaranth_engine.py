"""Amaranth's own simulator: needs no tool outside Python, and runs the component itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from hwgen.errors import MissingTool
from hwgen.rtl.design import Design

from .driver import FaultFound, StreamDriver
from .faults import report
from .memory import Request
from .packing import pack_lanes, unpack_lanes
from .result import Progress, SimulationResult
from .scenario import Scenario
from .waves import wave_file

if TYPE_CHECKING:
    from amaranth.lib.wiring import Component

__all__ = ["AmaranthSimulator"]


@dataclass(frozen=True, slots=True)
class AmaranthSimulator:
    """Runs a component with stream ports ``i`` and ``o``, the core of a design.

    The component stands below the AXI4-Stream top, which adds neither registers nor logic to the
    handshake: interval and latency are those of the design. There is no tlast to check.

    Attributes
    ----------
    core
        Makes a fresh component for every simulation.
    """

    core: Callable[[], Component] | None = None
    name: str = "amaranth"

    def missing(self) -> str | None:
        if self.core is None:
            return (
                "the amaranth engine runs components, not Verilog; "
                "give it the function that makes the component"
            )
        return None

    def run(
        self,
        design: Design,
        x,
        *,
        stalls: bool = False,
        waves: Path | None = None,
        progress: Progress | None = None,
    ) -> SimulationResult:
        name = "random stalls" if stalls else "back to back"
        return self._run(design, x, Scenario(name, stalls=stalls), waves, progress)

    def run_scenarios(
        self, design: Design, x, scenarios: Sequence[Scenario]
    ) -> list[SimulationResult]:
        return [self._run(design, x, scenario, None, None) for scenario in scenarios]

    def _run(
        self,
        design: Design,
        x,
        scenario: Scenario,
        waves: Path | None,
        progress: Progress | None,
    ) -> SimulationResult:
        if self.core is None:
            raise MissingTool(f"{design.top}: {self.missing()}")
        beats = pack_lanes(np.asarray(x)[: scenario.frames], design.input)
        driver = StreamDriver.of(design, scenario, beats, design.input.lanes * design.input.width)
        if waves is not None:
            waves = wave_file(waves, ".vcd")
        try:
            _simulate(self.core(), design, driver, waves, progress)
        except FaultFound as found:
            where = f"{design.top} in Amaranth, {scenario.name}"
            raise report(found.fault, found.status, where) from None
        if progress:
            progress(driver.frames, driver.frames)
        outputs = unpack_lanes(driver.outputs, design.output)
        return SimulationResult.of(
            scenario, outputs, driver.cycles, driver.starts, driver.ends, waves, driver.requests
        )


def _simulate(
    core: Component,
    design: Design,
    driver: StreamDriver,
    waves: Path | None,
    progress: Progress | None,
) -> None:
    from amaranth.hdl import ClockDomain, Module, Value
    from amaranth.sim import Simulator

    top = Module()
    top.domains.sync = domain = ClockDomain()
    top.submodules.core = core
    in_data, in_valid, in_ready = Value.cast(core.i.payload), core.i.valid, core.i.ready
    out_data, out_valid, out_ready = Value.cast(core.o.payload), core.o.valid, core.o.ready

    asks = [getattr(core, f"{memory.name}_columns") for memory in design.memories]
    takes = [getattr(core, f"{memory.name}_weights") for memory in design.memories]
    watched = [s for a, t in zip(asks, takes, strict=True) for s in (a.valid, a.payload, t.ready)]

    async def bench(ctx) -> None:
        told = monotonic()
        while not driver.done:
            now = driver.drive()
            ctx.set(domain.rst, now.reset)
            ctx.set(in_valid, now.valid)
            ctx.set(in_data, now.data)
            ctx.set(out_ready, now.ready)
            for ask, take, answer in zip(asks, takes, now.answers, strict=True):
                ctx.set(ask.ready, answer.ready)
                ctx.set(take.valid, answer.valid)
                ctx.set(take.payload, answer.data)
            # Sampled at the clock edge: what the logic had settled to before it.
            _, _, ready, valid, data, *memory = await ctx.tick().sample(
                in_ready, out_valid, out_data, *watched
            )
            requests = [
                Request(asked, taken, lambda address=address: address)
                for asked, address, taken in zip(*(memory[k::3] for k in range(3)), strict=True)
            ]
            driver.observe(ready, valid, lambda data=data: data, None, requests)
            if progress and monotonic() - told > 0.3:
                progress(len(driver.ends), driver.frames)
                told = monotonic()

    simulator = Simulator(top)
    simulator.add_clock(10e-9)
    simulator.add_testbench(bench)
    if waves is None:
        simulator.run()
    else:
        with simulator.write_vcd(str(waves)):
            simulator.run()
