"""Shift registers in hardware: Python, Amaranth, Icarus and Verilator draw the same bits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from amaranth import Module, Mux, Signal

from hwgen.ops.lib import lfsr
from hwgen.rtl.design import Design, StreamShape
from hwgen.rtl.lib.component import StreamComponent
from hwgen.rtl.lib.lfsr import Lfsr
from hwgen.sim import simulator
from tests.ops.test_lfsr import GOLDEN
from tests.rtl.bench import emit_component


@dataclass(frozen=True)
class Register:
    """A register under test."""

    width: int
    taps: tuple[int, ...]
    leap: int
    window: int
    threshold: int
    seed: int

    def expected(self, clocks: int) -> np.ndarray:
        """State and mask of every clock: shape (clocks, 1 + window)."""
        states = lfsr.cycle(self.width, self.taps)
        start = int(np.flatnonzero(states == self.seed)[0])
        at = start + self.leap * (np.arange(clocks)[:, None] * self.window + np.arange(self.window))
        drawn = states[at % len(states)]
        return np.concatenate([drawn[:, :1], drawn < self.threshold], axis=1)


class Drawn(StreamComponent):
    """For every beat that comes in, ``clocks`` beats of what all registers draw from their seeds."""

    def __init__(self, registers: list[Register], clocks: int) -> None:
        self._registers, self._clocks = registers, clocks
        lanes = sum(1 + r.window for r in registers)
        width = max(r.width for r in registers)
        super().__init__((StreamShape(1, 1, False, 1),), StreamShape(lanes, width, False, clocks))

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(self._clocks + 1))
        load, moves = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(left == 0),
            self.o.valid.eq(left != 0),
            load.eq(self.i.valid & self.i.ready),
            moves.eq(load | (self.o.valid & self.o.ready)),
        ]
        with m.If(moves):
            m.d.sync += left.eq(Mux(load, self._clocks, left - 1))
        lanes = []
        for k, r in enumerate(self._registers):
            init = r.seed % ((1 << r.width) - 1) + 1  # not the seed: that is to be loaded
            register = Lfsr(r.width, r.taps, r.leap, r.window, r.threshold, init)
            m.submodules[f"lfsr{k}"] = register
            m.d.comb += [
                register.advance.eq(moves),
                register.load.eq(load),
                register.seed.eq(r.seed),
            ]
            lanes += [register.state, *register.mask]
        for k, lane in enumerate(lanes):
            m.d.comb += self.o.payload[k].eq(lane)
        return m


def registers(widths) -> list[Register]:
    """Of every width one that makes single steps, and one that draws a window in leaps."""
    found = []
    for width in widths:
        taps, seeds = lfsr.TAPS[width], lfsr.golden_seeds(2, width, lfsr.TAPS[width])
        limit = lfsr.threshold(0.1 if width > 4 else 0.5, width)
        found.append(Register(width, taps, 1, 1, limit, int(seeds[0])))
        leap = lfsr.default_leap(width)
        found.append(Register(width, taps, leap, 4 + 4 * (width % 2), limit, int(seeds[1])))
    return found


def check(made: list[Register], meant: list[Register], clocks: int, engine: str, folder) -> None:
    """What ``made`` draws in a simulator is what ``meant`` draws in Python."""
    if missing := simulator(engine, core=lambda: None).missing():
        pytest.skip(missing)
    if engine == "amaranth":
        drawn = Drawn(made, clocks)
        design = Design(folder, "unit", (), drawn.inputs[0], drawn.output, 0, 0)
    else:
        design = emit_component(lambda: Drawn(made, clocks), folder)
    frames = np.zeros((2 if clocks < 1024 else 1, 1), int)
    result = simulator(engine, core=lambda: Drawn(made, clocks)).run(design, frames)
    expected = np.concatenate([r.expected(clocks) for r in meant], axis=1).reshape(-1)
    for frame in result.outputs:
        assert np.array_equal(frame, expected)


@pytest.mark.parametrize(
    ("engine", "widths"),
    [
        ("amaranth", range(4, 9)),
        ("icarus", range(4, 9)),
        ("verilator", range(4, 11)),
        pytest.param("amaranth", range(9, 14), marks=pytest.mark.slow),
        pytest.param("amaranth", range(14, 17), marks=pytest.mark.slow),
        pytest.param("icarus", range(9, 14), marks=pytest.mark.slow),
        pytest.param("icarus", range(14, 17), marks=pytest.mark.slow),
        pytest.param("verilator", range(11, 17), marks=pytest.mark.slow),
    ],
)
def test_every_width_for_its_whole_period(engine, widths, tmp_path):
    made = registers(widths)
    check(made, made, (1 << max(widths)) - 1, engine, tmp_path)


def test_golden_sequence(tmp_path):
    golden = Register(10, (10, 7), 1, 1, 103, 1)
    bits = [int(bit) for bit in "111111100011110000001000"]
    assert golden.expected(24).tolist() == [list(pair) for pair in zip(GOLDEN, bits, strict=True)]
    check([golden], [golden], 24, "amaranth", tmp_path)


def test_published_mask(tmp_path):
    """The figure of arXiv 1611.01427, section 3: its bit is 1 where the state is 4 or more."""
    pair = [Register(3, (3, 1), 1, 1, 4, seed) for seed in (3, 2)]
    columns = [1 - r.expected(7)[:, 1] for r in pair]
    assert [c.tolist() for c in columns] == [[0, 1, 1, 1, 0, 1, 0], [0, 1, 0, 0, 1, 1, 1]]
    check(pair, pair, 7, "amaranth", tmp_path)


@pytest.mark.parametrize(
    "change", [{"taps": (10, 3)}, {"seed": 2}, {"leap": 8}, {"threshold": 104}]
)
def test_a_wrong_register_is_seen(change, tmp_path):
    meant = Register(10, (10, 7), 7, 4, 103, 1)
    check([meant], [meant], 1023, "amaranth", tmp_path)
    with pytest.raises(AssertionError):
        check([replace(meant, **change)], [meant], 1023, "amaranth", tmp_path)


def test_a_wrong_tap_in_verilog_is_seen(tmp_path):
    if missing := simulator("icarus").missing():
        pytest.skip(missing)
    meant = Register(5, (5, 3), 1, 1, 8, 1)
    design = emit_component(lambda: Drawn([meant], 31), tmp_path)
    for damaged in (False, True):
        if damaged:
            path = tmp_path / "unit_lfsr0.v"
            text = path.read_text()
            assert "state[2]" in text
            path.write_text(text.replace("state[2]", "state[1]", 1))
        outputs = simulator("icarus").run(design, np.zeros((1, 1), int)).outputs
        assert np.array_equal(outputs[0], meant.expected(31).reshape(-1)) != damaged
