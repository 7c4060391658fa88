"""What simulate and demo say of recurrent layers is what hardware does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir import Schedule, Type
from hwgen.report.activity import activities, activity_table
from tests.rtl.test_layers import one
from tests.rtl.test_recurrent import FORMS, Gru, Lstm, run, sparse, ternary

X = Type.of((1, 2), -8, 7)


def graph(kind, **options):
    return one(ternary(kind, 5, X, threshold=60, stateful=True, part=0.005, **options), X)


@pytest.mark.parametrize("kind", [Lstm, Gru])
@pytest.mark.parametrize("form", FORMS)
def test_clocks_are_those_of_a_simulation(kind, form) -> None:
    network, schedule = graph(kind), Schedule(form, pe=kind.gates, simd=kind.gates)
    samples = sparse(np.random.default_rng(0), X, 20)
    (found,) = activities(network, {"node": schedule}, samples)
    ends = run(network, schedule, samples).ends
    first = found.events[0, 0] if form == "events" else found.columns
    whole = found.clocks * 20 - (first * found.column_clocks + 5 + 9)
    assert whole == pytest.approx(ends[-1] - ends[0])
    assert found.dense_clocks == 7 * 5 + 5 + 9
    assert (found.columns, found.rows, found.lanes_in_use) == (7, 5 * kind.gates, 1.0)


def test_states_that_are_skipped() -> None:
    samples = sparse(np.random.default_rng(0), X, 20)
    op = graph(Lstm)["node"].op
    states = op.states(samples)[:-1].reshape(-1, 5)
    assert op.idle_states(samples) == (states == 0).mean()
    told = replace(op, state_delta=1, input_delta=1)
    changes = np.diff(op.states(samples).reshape(-1, 5), axis=0, prepend=0)[:-1]
    assert told.idle_states(samples) == (changes == 0).mean()


def test_the_table(capsys) -> None:
    schedule = Schedule("events", pe=8, simd=4)  # a column takes three words of 8 of its 20 rows
    samples = np.zeros((4, 1, 2), dtype=np.int64)
    activity_table(graph(Lstm), {"node": schedule}, samples, "nothing at all")
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("recurrent layers on nothing at all")
    assert "83 %" in text and f"of {7 * 3 + 5 + 9}" in text


def test_no_table_without_recurrent_layers(capsys) -> None:
    from hwgen import zoo

    network = zoo.load("digits-mlp")
    activity_table(network, {}, np.zeros((2, *network.input_type.shape), dtype=np.int64), "it")
    assert capsys.readouterr().out == ""
