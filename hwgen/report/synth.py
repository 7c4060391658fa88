"""Tables of what Verilog takes of a device."""

from __future__ import annotations

from dataclasses import astuple

from ..rtl.device import find_device
from ..rtl.synthesis import Synthesis
from .table import digits, print_table

__all__ = ["area_table"]


def area_table(synthesis: Synthesis, top: str) -> None:
    """One row a layer, then the total; and how it was counted."""
    rows = [[layer.name, *astuple(layer.counted)] for layer in synthesis.layers]
    rows.append(["total", *astuple(synthesis.total)])
    if synthesis.flat is not None:
        rows.append(["total, flat", *astuple(synthesis.flat)])
    print_table(
        f"{top} on {synthesis.device}",
        ("layer", "LUT", "FF", "carry bits", "BRAM", "DSP"),
        rows,
    )
    print(f"{synthesis.device}: {find_device(synthesis.device).about}")
    print(f"latches: {synthesis.latches}")
    for kind, number in synthesis.unknown.items():
        print(f"not counted: {digits(number)} x {kind}")
    commands = [c for c in synthesis.commands if not c.startswith("read_verilog")]
    print(f"{synthesis.yosys}: {'; '.join(commands)}")
