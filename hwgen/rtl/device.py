"""The devices that Verilog is synthesized for: Yosys' commands, and what its cells take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from ..errors import InvalidInput
from .lib.area import Area

__all__ = ["DEVICES", "Device", "find_device"]


@dataclass(frozen=True, slots=True)
class Device:
    """A family of FPGAs.

    Attributes
    ----------
    name, about
        For people.
    commands, flat_commands
        Of Yosys, behind ``hierarchy -top TOP``: with the hierarchy kept, and flattened.
    cells
        What a cell takes, by a regular expression that its type matches as a whole.
    estimated
        Whether the closed form of :meth:`hwgen.rtl.network.Network.areas` is fitted to it.
    """

    name: str
    about: str
    commands: tuple[str, ...]
    flat_commands: tuple[str, ...]
    cells: Mapping[str, Area]
    estimated: bool = False

    def area(self, counts: Mapping[str, int]) -> tuple[Area, dict[str, int]]:
        """What cells take, and those of them that nothing is known of.

        Parameters
        ----------
        counts
            Number of cells by type.
        """
        total, unknown = Area(), {}
        for cell, number in sorted(counts.items()):
            each = next((a for kind, a in self.cells.items() if re.fullmatch(kind, cell)), None)
            if each is None:
                unknown[cell] = number
            else:
                taken = {f.name: number * getattr(each, f.name) for f in fields(Area)}
                total += Area(**taken)
        return total, unknown


_NOTHING = {r"\$scopeinfo": Area()}

# The default script for tables of one size takes minutes on ten thousand of them.
_ABC = "abc -script +strash;dc2;if -lut 6"

DEVICES = {
    device.name: device
    for device in (
        Device(
            "ice40",
            "Lattice iCE40 HX: LUT4, 4 Kbit blocks, multipliers in logic",
            ("synth_ice40 -noflatten",),
            ("synth_ice40",),
            {
                **_NOTHING,
                "SB_LUT4": Area(lut=1),
                "SB_DFF.*": Area(ff=1),
                "SB_CARRY": Area(carry=1),
                "SB_RAM40_4K.*": Area(bram=1),
                "SB_MAC16": Area(dsp=1),
                "SB_GB": Area(),
            },
        ),
        Device(
            "ecp5",
            "Lattice ECP5: LUT4, 18 Kbit blocks, 18x18 multipliers",
            ("synth_ecp5 -noflatten",),
            ("synth_ecp5",),
            {
                **_NOTHING,
                "LUT4": Area(lut=1),
                "TRELLIS_FF": Area(ff=1),
                # Its two sums come out of the slice's own tables.
                "CCU2C": Area(lut=2, carry=2),
                "TRELLIS_DPR16X4": Area(lut=6),  # three slices
                "DP16KD|PDPW16KD": Area(bram=1),
                "MULT18X18D|ALU54B": Area(dsp=1),
                "PFUMX|L6MUX21": Area(),
            },
        ),
        Device(
            "xilinx",
            "AMD UltraScale+: LUT6, 18 Kbit halves of blocks, DSP48E2",
            ("synth_xilinx -family xcup -noiopad",),
            ("synth_xilinx -family xcup -noiopad -flatten",),
            {
                **_NOTHING,
                "LUT[1-6]|INV|SRL16E|SRLC16E|SRLC32E|RAM(32|64)X1S": Area(lut=1),
                "RAM(32|64)X1D|RAM128X1S": Area(lut=2),
                "RAM(32M|64M|128X1D|256X1S)": Area(lut=4),
                "RAM(32M16|64M8|64X8SW|32X16DR8|256X1D|512X1S)": Area(lut=8),
                "FD.*": Area(ff=1),
                "CARRY4": Area(carry=4),
                "CARRY8": Area(carry=8),
                "RAMB18.*": Area(bram=1),
                "RAMB36.*": Area(bram=2),
                "DSP48.*": Area(dsp=1),
                "BUFG|MUXF[789]": Area(),
            },
            estimated=True,
        ),
        Device(
            "generic",
            "no device: LUT6 and flip-flops alone, memories in them",
            ("synth -noabc", _ABC, "opt_clean"),
            ("synth -noabc -flatten", _ABC, "opt_clean"),
            {
                **_NOTHING,
                r"\$lut|\$_NOT_": Area(lut=1),
                r"\$_(S|A|AL)?DFF.*": Area(ff=1),
            },
        ),
    )
}


def find_device(name: str) -> Device:
    """A device by its name.

    Raises
    ------
    InvalidInput
        There is none of this name.
    """
    if name not in DEVICES:
        known = ", ".join(DEVICES)
        raise InvalidInput(f"device must be one of {known}, not {name!r}")
    return DEVICES[name]
