"""Memories with streamed weights: every engine's model is the same, and sees what a design does wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwgen.errors import HwgenError, InvalidInput, Mismatch
from hwgen.sim import ProtocolViolation, Scenario, SimulationHang, protocol_check, simulator
from tests.sim.designs import LOOKER

ENGINES = ("verilator", "icarus", pytest.param("verilator-cocotb", marks=pytest.mark.slow))

ASKED_AGAIN = (
    "            o_valid <= 1'b0;\n            asking",
    "            again <= 1'b0;\n            o_valid <= 1'b0;\n            asking",
)

# name: (changes to the Verilog, error, what the message says)
BROKEN = {
    "a request falls": (
        [("if (asking & look_columns_ready) asking", "if (asking) asking")],
        ProtocolViolation,
        "tvalid of a request for weights must stay high",
    ),
    "a request changes": (
        [("if (asking & look_columns_ready)", "if (asking & ~look_columns_ready)"
          " look_columns_payload <= 4'd9 - look_columns_payload;\nif (asking & look_columns_ready)")],
        ProtocolViolation,
        "a request for weights must not change",
    ),
    "no column begins there": (
        [("i_payload * 3", "i_payload * 3 + (i_payload == 2'd2)")],
        ProtocolViolation,
        "must say where a column begins",
    ),
    "behind the last column": (
        [("i_payload * 3", "{1'b0, i_payload} * 3 + 3")],
        ProtocolViolation,
        "must say where a column begins",
    ),
    "too many requests": (
        [("adding <= 1'b0;\n                o_valid", "o_valid"),
         ("asking & ~adding & ~o_valid", "asking & ~o_valid"),
         ("assign look_weights_ready = adding", "assign look_weights_ready = 1'b0"),
         ("if (asking & look_columns_ready) asking <= 1'b0;", "")],
        ProtocolViolation,
        "more requests for weights are under way",
    ),
    "a request waits for tready": (
        [("valid = asking", "valid = asking & look_columns_ready")],
        SimulationHang,
        "no beat moved",
    ),
    "words are left": (
        [("reg asking", "reg again = 1'b0; reg asking"),
         ("if (o_valid & o_ready)", "if (o_valid & o_ready & ~again) begin asking <= 1'b1;"
          " again <= 1'b1; end\nif (o_valid & o_ready)"),
         ASKED_AGAIN],
        ProtocolViolation,
        "every word of a column that was asked for must be taken",
    ),
    "a request survives reset": (
        [("            asking <= 1'b0;\n            adding <= 1'b0;\n            word", "            word")],
        HwgenError,
        "outputs differ|no beat moved|must be taken|under way",
    ),
    "a word is lost": (
        [("assign look_weights_ready = adding", "assign look_weights_ready = adding | look_weights_valid"),
         ("if (adding & look_weights_valid) begin", "if (adding & look_weights_valid & ~asking) begin"),
         ("2'd2", "2'd1")],
        HwgenError,
        "outputs differ|no beat moved|must be taken",
    ),
}  # fmt: skip


def check(folder: Path, engine: str, *changes, **timing):
    if missing := simulator(engine).missing():
        pytest.skip(missing)
    design = LOOKER.build(folder, *changes, **timing)
    x = LOOKER.samples(12)
    return protocol_check(design, simulator(engine), x, LOOKER.expected(x))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_right_design_passes(engine, tmp_path) -> None:
    """Its interval and latency are exact: they hold the latency of the memory."""
    assert check(tmp_path, engine).requests == (12,)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_slow_memory_takes_longer(engine, tmp_path) -> None:
    if missing := simulator(engine).missing():
        pytest.skip(missing)
    design, x = LOOKER.build(tmp_path), LOOKER.samples(24)
    scenarios = [Scenario("slow", slow_memory=True, seed=seed) for seed in (1, 2)]
    found = simulator(engine).run_scenarios(design, x, scenarios)
    for result in found:
        assert (result.outputs == LOOKER.expected(x)).all()
        assert result.interval is None and result.requests == (24,)
        assert 24 * 9 < result.cycles < 24 * 40
    assert found[0].cycles != found[1].cycles
    late = replace(design, memories=(replace(LOOKER.memories[0], latency=9),))
    assert simulator(engine).run(late, x).interval == 7 + 7


FAST = {
    *(("verilator", name) for name in ("a request changes", "words are left", "too many requests")),
    *(("icarus", name) for name in ("a request falls", "no column begins there")),
    ("icarus", "a request waits for tready"),
}
ALL = [(engine, name) for engine in ("verilator", "icarus", "verilator-cocotb") for name in BROKEN]


@pytest.mark.parametrize(
    ("engine", "name"),
    [each if each in FAST else pytest.param(*each, marks=pytest.mark.slow) for each in ALL],
)
def test_broken_designs_fail(engine, name, tmp_path) -> None:
    changes, error, message = BROKEN[name]
    with pytest.raises(error, match=message):
        check(tmp_path, engine, *changes)


def test_unknown_requests_fail(tmp_path) -> None:
    with pytest.raises(ProtocolViolation, match="unknown"):
        check(tmp_path, "icarus", ("valid = asking", "valid = asking ? 1'bx : 1'b0"))


@pytest.mark.parametrize("engine", ENGINES)
def test_damaged_images(engine, tmp_path) -> None:
    """Simulations that are in the cache do not hold the image."""
    if missing := simulator(engine).missing():
        pytest.skip(missing)
    design, x = LOOKER.build(tmp_path), LOOKER.samples(4)
    image = tmp_path / "look.bin"
    data = bytearray(LOOKER.image)
    data[0] ^= 1  # x[0] is 0
    image.write_bytes(data)
    with pytest.raises(Mismatch, match="outputs differ, first at sample 0"):
        protocol_check(design, simulator(engine), x, LOOKER.expected(x))
    image.write_bytes(data[:-1])
    with pytest.raises(InvalidInput, match="must have 12 bytes, 12 words of 1, found 11"):
        simulator(engine).run(design, x)
    image.unlink()
    with pytest.raises(InvalidInput, match="no such file; it holds the streamed weights of look"):
        simulator(engine).run(design, x)
