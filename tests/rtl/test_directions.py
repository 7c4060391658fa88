"""Both directions of a sequence in hardware: the pace of one, and no deadlock for any data."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.ir import Graph, GraphBuilder, Schedule, Type
from hwgen.ops.concat import Concat
from hwgen.ops.gru import Gru
from hwgen.ops.lstm import Lstm
from hwgen.ops.reverse import Reverse
from hwgen.passes.schedule import schedule
from hwgen.rtl.emit import emit
from hwgen.rtl.network import Network
from hwgen.sim import protocol_check, simulator
from tests.mcu.recurrent_cells import alone, cell


def directions(x: Type, units: tuple[int, int], kind: type, every_step: bool, seed: int) -> Graph:
    """A cell from either end, side by side; weights, gains and biases by chance."""
    rng = np.random.default_rng(seed)
    ahead, back = (
        cell(rng, n, x, kind=kind, most_bias=100, threshold=20, every_step=every_step)
        for n in units
    )
    builder = GraphBuilder("directions")
    value = builder.input(x)
    first = builder.add(ahead, value, name="ahead")
    second = builder.add(back, builder.add(Reverse(), value, name="entry"), name="back")
    if every_step:
        second = builder.add(Reverse(), second, name="exit")
    return builder.build(builder.add(Concat(), first, second, name="both"))


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", [Lstm, Gru])
@pytest.mark.parametrize("form", ["events", "columns"])
def test_both_directions_take_as_long_as_one(form, kind, every_step):
    for steps, features, units, units_at_once in ((1, 1, 2, 1), (5, 3, 4, 2), (12, 1, 3, 3)):
        x = Type.of((steps, features), -8, 7)
        graph = directions(x, (units, units), kind, every_step, seed=steps)
        lanes = kind.gates * units_at_once
        pick = Schedule(form, pe=lanes, simd=lanes)
        network = Network(graph, schedule(graph, choices={"ahead": pick, "back": pick}))
        single = Network(alone(graph["ahead"].op, x), {"cell": pick})
        assert network.interval == single.interval
        assert network.latency < 3 * single.latency + 20


@pytest.mark.parametrize(
    ("kind", "every_step"),
    [(Lstm, True), pytest.param(Gru, False, marks=pytest.mark.slow)],
)
def test_sequences_of_zeros_between_others(kind, every_step, tmp_path):
    """What one direction skips the other must wait for; frames end in time all the same."""
    engine = simulator("verilator")
    if engine.missing():
        pytest.skip(engine.missing())
    steps, features = 9, 4
    x = Type.of((steps, features), -8, 7)
    graph = directions(x, (5, 3), kind, every_step, seed=4)
    data = np.random.default_rng(1).integers(-8, 8, (9, steps, features))
    data[1] = data[4] = 0
    data[2, : steps // 2] = 0  # one direction is fast first, the other one later
    data[3, steps // 2 :] = 0
    data[5:7, :, 1:] = 0
    pick = Schedule("events", pe=kind.gates, simd=1)
    schedules = schedule(graph, choices={"ahead": pick, "back": pick})
    design = emit(graph, schedules, tmp_path)
    expected = graph.run(data)
    assert len(np.unique(expected)) > 10
    protocol_check(design, engine, data, expected)
