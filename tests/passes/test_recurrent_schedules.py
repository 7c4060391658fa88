"""Which hardware a recurrent cell becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwgen import zoo
from hwgen.errors import InvalidInput
from hwgen.ir import Schedule
from hwgen.passes.pipeline import run_passes
from hwgen.passes.schedule import DEFAULT_CYCLES, best_cycles, parse_schedule, schedule
from hwgen.passes.streaming import streaming

NAME = "digits-lstm-ternary"


def cell(graph, **options) -> tuple[Schedule, int]:
    """The cell's schedule, and the clocks of a sample."""
    pick = schedule(graph, **options)["lstm"]
    return pick, graph["lstm"].op.cost(graph.input_type, schedule=pick).cycles


@pytest.mark.parametrize("steps", [None, 1, 4])
def test_without_a_goal_a_step_takes_about_a_thousand_clocks(steps):
    graph = run_passes(zoo.load(NAME))
    graph = graph if steps is None else streaming(graph, steps)
    pick, clocks = cell(graph)
    a_step = clocks / graph.input_type.shape[0]
    assert DEFAULT_CYCLES / 4 < a_step <= DEFAULT_CYCLES
    assert pick.form == "events"  # zeros are skipped unless the user wants otherwise


@pytest.mark.parametrize("goal", [700, 2000, 9000, 60_000])
def test_the_smallest_cell_that_meets_the_goal(goal):
    graph = run_passes(zoo.load(NAME))
    op, x = graph["lstm"].op, graph.input_type
    pick, clocks = cell(graph, cycles=goal)
    assert clocks <= goal
    assert not pick.streamed  # only if it is asked for
    size = op.rough_luts(x, result=graph["lstm"].type, schedule=pick)
    for other in op.schedules(x):
        if op.cost(x, schedule=other).cycles <= goal:
            assert op.rough_luts(x, result=graph["lstm"].type, schedule=other) >= size


def test_streamed_weights_are_asked_for():
    pick = parse_schedule("columns:64x4:streamed")
    assert pick == Schedule("columns", pe=64, simd=4, streamed=True)
    assert str(pick) == "columns 64x4 streamed"
    graph = run_passes(zoo.load(NAME))
    assert schedule(graph, choices={"lstm": pick})["lstm"] == pick
    stored = replace(pick, streamed=False)
    op, x = graph["lstm"].op, graph.input_type
    later = op.cost(x, schedule=pick).cycles - op.cost(x, schedule=stored).cycles
    assert later == 3 * x.shape[0]
    for text in ("folded:1x1:streamed", "spatial:streamed", "columns:64x4:stream", "columns:64:x"):
        with pytest.raises(InvalidInput, match="'events:LANESxROWS:streamed'"):
            parse_schedule(text)
    with pytest.raises(InvalidInput, match="'columns 64x4 streamed' does not fit"):
        schedule(graph, choices={"classes": pick})


def test_a_goal_that_no_lanes_meet_is_refused_with_the_best():
    graph = run_passes(zoo.load(NAME))
    best, node = best_cycles(graph)
    assert node.name == "lstm"
    assert cell(graph, cycles=best)[1] == best
    with pytest.raises(InvalidInput, match=rf"best possible for this network is --cycles {best}"):
        schedule(graph, cycles=best - 1)
