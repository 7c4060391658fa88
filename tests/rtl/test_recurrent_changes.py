"""Recurrent cells that add changes alone, and cells whose constants differ from step to step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from amaranth import Const

from hwgen.errors import Mismatch
from hwgen.ir import Schedule, Type
from hwgen.ops.gru import Gru
from hwgen.ops.lstm import Lstm
from hwgen.rtl.lib import recurrent_layer as generator
from hwgen.rtl.lib.changes import Changes
from tests.ops.recurrent_cells import varied
from tests.rtl.test_layers import one
from tests.rtl.test_recurrent import CELLS, FORMS, clocks, lstm, run, sparse, ternary

CHANGES = [
    (kind, form, lanes, rows, deltas, stateful)
    for kind, sizes in ((Lstm, ((1, 1), (4, 4), (16, 1))), (Gru, ((1, 1), (3, 3), (12, 1))))
    for form in FORMS
    for lanes, rows in sizes
    for deltas in ((1, 1), (20, 3), (255, 15))
    for stateful in (False, True)
]


@pytest.mark.parametrize(
    ("kind", "form", "lanes", "rows", "deltas", "stateful"),
    [
        each
        if each[:4] in ((Lstm, "events", 4, 4), (Gru, "events", 12, 1)) and each[4][0] < 255
        else pytest.param(*each, marks=pytest.mark.slow)
        for each in CHANGES
    ],
)
def test_by_changes(kind, form, lanes, rows, deltas, stateful) -> None:
    """A step takes the clocks of what has changed; if all of it is told, no bit is another."""
    x = Type.of((3, 2), -8, 7)
    op = ternary(kind, 5, x, 3, stateful=stateful, part=0.005, every_step=True)
    samples = sparse(np.random.default_rng(lanes), x, 12)
    samples[3] = samples[3, :1]  # nothing changes
    told = replace(op, state_delta=deltas[0], input_delta=deltas[1])
    events = told.events(samples)
    assert (events.max() == 0) == (deltas[0] == 255)
    schedule = Schedule(form, pe=lanes, simd=rows)
    result = run(one(told, x), schedule, samples)
    assert np.diff(result.ends).tolist() == clocks(told, schedule, samples)[1:].tolist()
    assert np.array_equal(told.run(samples), op.run(samples)) == (deltas == (1, 1))


@pytest.mark.parametrize(
    ("kind", "steps", "form", "lanes", "rows"),
    [
        each
        if each[1:] in ((3, "events", 4, 4), (3, "columns", 1, 1))
        else pytest.param(*each, marks=pytest.mark.slow)
        for each in (
            (kind, steps, form, lanes, rows)
            for kind in CELLS
            for steps in (1, 3, 4)
            for form in FORMS
            for lanes, rows in ((1, 1), (kind.gates, kind.gates), (kind.gates * 5,) * 2)
        )
    ],
)
def test_constants_of_a_step(kind, steps, form, lanes, rows) -> None:
    x = Type.of((steps, 2), -8, 7)
    op = varied(ternary(kind, 5, x, 3, threshold=3, part=0.005, every_step=True), steps)
    samples = sparse(np.random.default_rng(lanes), x, 6)
    schedule = Schedule(form, pe=lanes, simd=rows)
    result = run(one(op, x), schedule, samples)
    assert np.diff(result.ends).tolist() == clocks(op, schedule, samples)[1:].tolist()


class Coarse(Changes):
    """Keeps larger changes alone."""

    def __init__(self, element, count, least, *, name):
        super().__init__(element, count, least + 1, name=name)


@pytest.mark.parametrize("mutation", ["none", "sums stay", "elements stay", "a larger change"])
def test_mutated_changes_are_seen(mutation, monkeypatch) -> None:
    x = Type.of((3, 2), -8, 7)
    op = lstm(4, x, part=0.004, every_step=True, state_delta=4, input_delta=3)
    samples = sparse(np.random.default_rng(2), x, 12)
    if mutation == "a larger change":
        monkeypatch.setattr(generator, "Changes", Coarse)
    elif mutation != "none":
        part = {"sums stay": "_forgets", "elements stay": "_first_input"}[mutation]
        monkeypatch.setattr(generator.RecurrentLayer, part, lambda *_: Const(0, 1))
    graph, schedule = one(op, x), Schedule("events", pe=op.rows, simd=4)
    if mutation == "none":
        run(graph, schedule, samples)
    else:
        with pytest.raises(Mismatch, match="outputs differ"):
            run(graph, schedule, samples)
