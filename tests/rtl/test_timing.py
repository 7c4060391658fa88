"""Declared interval and latency: beat by beat equals cycle by cycle."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.errors import HwgenError
from hwgen.rtl.accumulate import LastStep
from hwgen.rtl.lib import timing
from hwgen.rtl.lib.recurrent_timing import RecurrentSteps, RecurrentTiming
from hwgen.rtl.network import Network
from hwgen.rtl.reverse import ReverseTiming
from tests.rtl import cycle_by_cycle
from tests.rtl.draw import networks, random_schedules, random_sequences

FRAMES = 5


def check(network: Network) -> None:
    links, _ = network.timing_links()
    first, ends = cycle_by_cycle.measure(links, network.output.beats, FRAMES)
    links, _ = network.timing_links()
    fast = timing.frame_ends(links, network.input.beats, network.output.beats)
    assert list(itertools.islice(fast, FRAMES)) == [end - first for end in ends]
    assert network.latency == ends[0] - first


@settings(max_examples=60)
@given(networks())
def test_networks(drawn) -> None:
    check(Network(*drawn))


@pytest.mark.slow
@settings(max_examples=3000)
@given(networks())
def test_many_networks(drawn) -> None:
    check(Network(*drawn))


def _recurrent(n: int, ahead: int = 0) -> RecurrentTiming:
    """A cell of some size: all steps of a frame give their results, or the last one does."""
    cell = RecurrentSteps(
        steps=1 + n // 3,
        features=1 + n % 2,
        units=1,
        words=1 + n // 3,
        beats=1 + n // 2,
        gap=1 + 3 * (n % 2),
        stages=3,
        every_step=n > 2,
        ahead=ahead,
    )
    return RecurrentTiming(cell)


@st.composite
def chains(draw) -> list[timing.Link]:
    """Components in a row that no network would have so: every rule against every other."""
    models = []
    for _ in range(draw(st.integers(1, 6))):
        small = draw(st.integers(1, 4))
        make = draw(
            st.sampled_from(
                [
                    lambda n: timing.Pipeline(n),
                    lambda n: timing.Accumulate(n),
                    lambda n: timing.Repack(n, 1),
                    lambda n: timing.Repack(1, n),
                    lambda n: timing.Repack(1 + n // 3, n),
                    lambda n: LastStep(1 + n % 2, 1 + n // 3),
                    lambda n: timing.Queue(n),
                    lambda n: timing.Fork(),
                    lambda n: timing.Join(),
                    lambda n: ReverseTiming(1 + n % 3, 1 + n // 3),
                    _recurrent,
                    lambda n: _recurrent(n, ahead=n),
                ]
            )
        )
        models.append((make, small))
    return models


@settings(max_examples=100)
@given(chains())
def test_chains(parts) -> None:
    def links() -> list[timing.Link]:
        return [
            timing.Link(make(n), [(k - 1, 0)] if k else [(-1, 0)])
            for k, (make, n) in enumerate(parts)
        ]

    gathered = scattered = 1
    for link in links():
        if isinstance(link.model, ReverseTiming):
            # Whole sequences come in and leave.
            gathered *= link.model.steps * link.model.step_beats
            scattered *= link.model.steps * link.model.step_beats
        if isinstance(link.model, LastStep):
            gathered *= link.model.steps * link.model.beats
            scattered *= link.model.beats
        if isinstance(link.model, timing.Accumulate):
            gathered *= link.model.beats
        if isinstance(link.model, RecurrentTiming):
            cell = link.model.cell
            gathered *= cell.steps * cell.features
            scattered *= cell.beats * (cell.steps if cell.every_step else 1)
        if isinstance(link.model, timing.Repack):
            gathered *= link.model.gather
            scattered *= link.model.scatter
    in_beats, out_beats = gathered * 6, scattered * 6
    first, ends = cycle_by_cycle.measure(links(), out_beats, 3)
    fast = timing.frame_ends(links(), in_beats, out_beats)
    assert list(itertools.islice(fast, 3)) == [end - first for end in ends]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_networks_over_sequences(seed) -> None:
    rng = np.random.default_rng(seed)
    graph = random_sequences(rng)
    check(Network(graph, random_schedules(rng, graph)))


def test_blocked_networks_are_found() -> None:
    # One branch needs four beats before it gives one; the other cannot hold them.
    links = [
        timing.Link(timing.Fork(), [(-1, 0)], outputs=2),
        timing.Link(timing.Repack(4, 1), [(0, 0)]),
        timing.Link(timing.Repack(1, 4), [(1, 0)]),
        timing.Link(timing.Join(), [(2, 0), (0, 1)]),
    ]
    with pytest.raises(HwgenError, match="block each other"):
        timing.measure(links, 4, 4)
