"""Tables of what Verilog takes of a device."""

from __future__ import annotations

from dataclasses import astuple

from ..rtl.device import DEVICES
from ..rtl.lib.area import Area
from ..rtl.synthesis import Synthesis
from .table import digits, print_table

__all__ = ["area_table"]

_COLUMNS = ("LUT", "FF", "carry bits", "BRAM", "DSP")
_ESTIMATES = ("est. LUT", "est./LUT", "est. FF", "est./FF", "est. carry", "est. BRAM", "est. DSP")


def area_table(synthesis: Synthesis, top: str) -> None:
    """One row a layer, then the total; beside them the estimates, and how it was counted."""
    total, estimate = synthesis.total, synthesis.estimate
    rows = [[layer.name, *_cells(layer.counted, layer.estimated)] for layer in synthesis.layers]
    rows.append(["total", *_cells(total, estimate)])
    if synthesis.flat is not None:
        rows.append(["total, flat", *_cells(synthesis.flat, estimate)])
    columns = _COLUMNS if estimate is None else (*_COLUMNS, *_ESTIMATES)
    print_table(f"{top} on {synthesis.device}", ("layer", *columns), rows)
    print(f"{synthesis.device}: {DEVICES[synthesis.device].about}")
    print(f"latches: {synthesis.latches}")
    for kind, number in synthesis.unknown.items():
        print(f"not counted: {digits(number)} x {kind}")
    if estimate is None:
        fitted = " and ".join(device.name for device in DEVICES.values() if device.estimated)
        print(f"estimates are made for {fitted}")
    commands = [c for c in synthesis.commands if not c.startswith("read_verilog")]
    print(f"{synthesis.yosys}: {'; '.join(commands)}")


def _cells(counted: Area, estimated: Area | None) -> list[object]:
    cells: list[object] = list(astuple(counted))
    if estimated is not None:
        e = estimated
        cells += [e.lut, _ratio(e.lut, counted.lut), e.ff, _ratio(e.ff, counted.ff)]
        cells += [e.carry, e.bram, e.dsp]
    return cells


def _ratio(estimated: int, counted: int) -> str:
    return f"{estimated / counted:.2f}" if counted else "-"
