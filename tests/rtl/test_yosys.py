"""Counts of cells, on Verilog whose size is known beforehand."""

from __future__ import annotations

import pytest

from hwgen.errors import HwgenError, InvalidInput, MissingTool
from hwgen.rtl.device import DEVICES, find_device
from hwgen.rtl.lib.area import Area
from hwgen.rtl.yosys import count_cells

# Two registers of 8 bits, and two of 3 bits in instances of a module of its own.
REGISTERS = """
module top (input wire clk, input wire [7:0] a, output reg [7:0] q, output wire [5:0] small);
  reg [7:0] p;
  always @(posedge clk) begin p <= a; q <= p; end
  pair low (.clk(clk), .a(p[2:0]), .q(small[2:0]));
  pair high (.clk(clk), .a(p[7:5]), .q(small[5:3]));
endmodule
module pair (input wire clk, input wire [2:0] a, output reg [2:0] q);
  always @(posedge clk) q <= ~a;
endmodule
module unused (input wire a, output wire b);
  assign b = ~a;
endmodule
"""
LATCH = """
module top (input wire enable, input wire [2:0] a, output reg [2:0] q);
  always @* if (enable) q = a;
endmodule
"""


@pytest.fixture
def verilog(tmp_path):
    """A file that holds the text, at a path with a space."""

    def write(text: str):
        folder = tmp_path / "with space"
        folder.mkdir(exist_ok=True)
        (folder / "top.v").write_text(text)
        return [folder / "top.v"]

    return write


@pytest.mark.parametrize("device", ["ice40", "ecp5", "generic"])
def test_registers_of_every_instance_are_counted(verilog, device):
    count = count_cells(find_device(device), "top", verilog(REGISTERS))
    assert count.instances("top") == {"pair": 2}
    assert count.own("top") == Area(ff=16)
    assert count.own("pair").ff == 3
    assert count.within("top").ff == 16 + 2 * 3
    assert count.within("top").lut == 2 * count.own("pair").lut
    assert count.latches == 0
    assert not count.unknown


def test_flat_leaves_one_module_and_the_registers(verilog):
    count = count_cells(find_device("ice40"), "top", verilog(REGISTERS), flat=True)
    assert list(count.modules) == ["top"]
    assert count.own("top").ff == 16 + 2 * 3


def test_latches_are_counted(verilog):
    assert count_cells(find_device("generic"), "top", verilog(LATCH)).latches == 1


def test_cells_of_devices():
    cells = {"LUT6": 3, "INV": 1, "FDRE": 5, "RAM64M8": 2, "CARRY4": 2, "RAMB36E2": 1, "X": 7}
    area, unknown = DEVICES["xilinx"].area({**cells, "DSP48E2": 4})
    assert area == Area(lut=3 + 1 + 2 * 8, ff=5, carry=8, bram=2, dsp=4)
    assert unknown == {"X": 7}
    area, unknown = DEVICES["ecp5"].area({"LUT4": 3, "CCU2C": 2, "TRELLIS_FF": 1})
    assert (area, unknown) == (Area(lut=3 + 4, ff=1, carry=4), {})


def test_a_yosys_error_is_told(verilog):
    with pytest.raises(HwgenError, match=r"could not synthesize top:\n(.*\n)*.*syntax error"):
        count_cells(find_device("ice40"), "top", verilog("module top (;"))


def test_an_unknown_device_is_refused():
    with pytest.raises(InvalidInput, match="ice40, ecp5, xilinx, generic, not 'spartan'"):
        find_device("spartan")


def test_missing_yosys_is_told(verilog, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingTool, match="pip install pyosys"):
        count_cells(find_device("ice40"), "top", verilog(REGISTERS))
