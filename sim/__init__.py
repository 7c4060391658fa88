"""Simulation of emitted designs: one protocol, several engines.

=====================  ============================================================
``amaranth``           the components themselves; needs nothing outside Python
``icarus``             the Verilog in Icarus, driven by cocotb
``verilator-cocotb``   the Verilog in Verilator, driven by the same cocotb bench
``verilator``          the Verilog compiled with a C++ driver: whole data sets
=====================  ============================================================

>>> engine = simulator("verilator")                        # doctest: +SKIP
>>> result = engine.run(Design.load("build/m/verilog"), x)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hwgen.errors import InvalidInput

from .checks import check_outputs, check_timing, protocol_check
from .faults import ProtocolViolation, SimulationFailed, SimulationHang
from .result import Progress, SimulationResult, Simulator
from .scenario import Scenario, protocol_scenarios

if TYPE_CHECKING:
    from amaranth.lib.wiring import Component

__all__ = [
    "ENGINES",
    "Progress",
    "ProtocolViolation",
    "Scenario",
    "SimulationFailed",
    "SimulationHang",
    "SimulationResult",
    "Simulator",
    "check_outputs",
    "check_timing",
    "protocol_check",
    "protocol_scenarios",
    "simulator",
]

ENGINES = ("amaranth", "icarus", "verilator", "verilator-cocotb")


def simulator(
    name: str, *, core: Callable[[], Component] | None = None, logs: Path | None = None
) -> Simulator:
    """The engine called ``name``; its module is imported only now.

    Parameters
    ----------
    name
        One of ``ENGINES``.
    core
        Makes the component of the design; only ``amaranth`` needs it.
    logs
        Folder for the logs of engines that have some.
    """
    if name == "amaranth":
        from .amaranth_engine import AmaranthSimulator

        return AmaranthSimulator(core)
    if name == "verilator":
        from .verilated import VerilatedSimulator

        return VerilatedSimulator()
    if name in ("icarus", "verilator-cocotb"):
        from . import cocotb_engine

        make = cocotb_engine.icarus if name == "icarus" else cocotb_engine.verilator_cocotb
        return make(logs)
    raise InvalidInput(f"a simulator must be one of {', '.join(ENGINES)}, not {name!r}")
