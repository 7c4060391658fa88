"""Puts single components and whole networks through the protocol check."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwgen.ir import Graph, Schedule
from hwgen.rtl import emit as emit_module
from hwgen.rtl.design import Design
from hwgen.rtl.lib import timing
from hwgen.rtl.lib.component import StreamComponent
from hwgen.rtl.network import Network
from hwgen.rtl.platform import VerilogPlatform
from hwgen.rtl.top import render_top
from hwgen.sim import protocol_check, simulator
from tests.rtl.draw import samples

__all__ = ["check_component", "check_design", "check_network", "described", "emit_component"]


def check_component(make: Callable[[], StreamComponent], x, expected, seed: int = 1) -> None:
    """One component in Amaranth's simulator: data, stalls, resets, and its declared timing."""
    component = make()
    links = [
        timing.Link(model, [(k - 1, 0)] if k else [(-1, 0)])
        for k, model in enumerate(component.timing())
    ]
    source, target = component.inputs[0], component.output
    measured = timing.measure(links, source.beats, target.beats)
    design = Design(
        Path(),
        "unit",
        (),
        source,
        target,
        measured.interval,
        measured.latency,
        timing_is_bound=component.timing_is_bound,
    )
    protocol_check(design, simulator("amaranth", core=make), x, expected, seed=seed)


def emit_component(make: Callable[[], StreamComponent], folder: Path) -> Design:
    """The Verilog of one component, below an AXI4-Stream top; of unknown interval and latency."""
    header = "// A component by itself."
    component, platform = make(), VerilogPlatform(header)
    text = emit_module._rtlil(component, [component.i, component.o], "unit_core", platform)
    text = emit_module._write_verilog(emit_module._rename(text, "unit_core", "unit"))
    modules = {**emit_module._split(text), **platform.leaves}
    source, target = component.inputs[0], component.output
    modules["unit"] = render_top("unit", "unit_core", source, target, header)
    for name, body in modules.items():
        (folder / f"{name}.v").write_text(body, encoding="utf-8")
    return Design(folder, "unit", tuple(f"{name}.v" for name in modules), source, target, 0, 0)


def check_network(
    graph: Graph, schedules: dict[str, Schedule], frames: int = 4, seed: int = 1
) -> None:
    """A network in Amaranth's simulator."""
    x = samples(graph, frames, seed)
    engine = simulator("amaranth", core=lambda: Network(graph, schedules))
    with tempfile.TemporaryDirectory() as folder:
        design = described(Network(graph, schedules), Path(folder))
        protocol_check(design, engine, x, graph.run(x), seed=seed)


def described(network: Network, folder: Path) -> Design:
    """The design of a network without its Verilog; ``folder`` gets what its memories hold."""
    emit_module.write_images(network, folder)
    return Design(
        folder,
        "unit",
        (),
        network.input,
        network.output,
        network.interval,
        network.latency,
        timing_is_bound=network.timing_is_bound,
        memories=network.memories,
    )


def check_design(design: Design, graph: Graph, frames: int = 6, engine: str = "verilator") -> None:
    """Emitted Verilog in a simulator."""
    simulator_ = simulator(engine)
    if missing := simulator_.missing():
        pytest.skip(missing)
    x = samples(graph, frames)
    protocol_check(design, simulator_, x, np.asarray(graph.run(x)))
