"""The arena planner: no two live buffers overlap, and nothing small is wasted."""

from __future__ import annotations

import random
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.mcu.planning.plan import Buffer, Plan, lower_bound, plan


@st.composite
def buffer_lists(draw, most: int, largest: int = 64) -> list[Buffer]:
    """Random lifetimes; some buffers may take over memory that ends where they begin."""
    buffers: list[Buffer] = []
    for i in range(draw(st.integers(1, most))):
        first = draw(st.integers(0, most))
        last = draw(st.integers(first, most))
        align = draw(st.sampled_from([4, 4, 4, 8]))
        ending = [b.name for b in buffers if b.last == first and b.first < first]
        over = tuple(name for name in ending if draw(st.booleans()))
        buffers.append(Buffer(f"b{i}", draw(st.integers(1, largest)), first, last, align, over))
    return buffers


def rounded(b: Buffer) -> int:
    return -(-b.size // b.align) * b.align


def is_legal(buffers: list[Buffer], offsets: dict[str, int]) -> bool:
    """Whether live buffers keep apart, but for those that lie exactly in place."""
    for a, b in combinations(buffers, 2):
        apart_in_time = a.last < b.first or b.last < a.first
        start_a, start_b = offsets[a.name], offsets[b.name]
        apart_in_space = start_a + rounded(a) <= start_b or start_b + rounded(b) <= start_a
        in_place = start_a == start_b and (a.name in b.in_place or b.name in a.in_place)
        if not (apart_in_time or apart_in_space or in_place):
            return False
    return True


def check(buffers: list[Buffer], layout: Plan) -> None:
    assert set(layout.offsets) == {b.name for b in buffers}
    assert is_legal(buffers, layout.offsets)
    for b in buffers:
        assert layout.offsets[b.name] % b.align == 0
    assert layout.size == max(layout.offsets[b.name] + rounded(b) for b in buffers)
    assert layout.size >= layout.lower_bound == lower_bound(buffers)
    assert layout.align == max(b.align for b in buffers)


@given(buffer_lists(20))
def test_layouts_are_legal(buffers):
    layout = plan(buffers)
    check(buffers, layout)
    assert plan(buffers) == layout


def least_arena(buffers: list[Buffer], limit: int) -> int:
    """The smallest legal arena, by trying every offset of every buffer below ``limit``."""
    best = limit
    choices = [range(0, limit - rounded(b) + 1, b.align) for b in buffers]
    for starts in product(*choices):
        end = max(s + rounded(b) for s, b in zip(starts, buffers, strict=True))
        offsets = {b.name: s for b, s in zip(buffers, starts, strict=True)}
        if end < best and is_legal(buffers, offsets):
            best = end
    return best


@settings(max_examples=150)
@given(buffer_lists(5, largest=12))
def test_small_layouts_are_optimal(buffers):
    layout = plan(buffers)
    check(buffers, layout)
    assert layout.size == least_arena(buffers, layout.size)


def test_a_chain_needs_two_neighbours():
    sizes = [100, 40, 60, 20, 80]
    layout = plan([Buffer(f"b{i}", n, i, i + 1) for i, n in enumerate(sizes)])
    assert (layout.size, layout.is_optimal) == (140, True)


def test_in_place_shares():
    a = Buffer("a", 64, 0, 1)
    b = Buffer("b", 64, 1, 2, in_place=("a",))
    assert plan([a, b]).offsets == {"a": 0, "b": 0}
    assert plan([a, Buffer("b", 64, 1, 2)]).size == 128


def test_search_beats_the_greedy_orders(monkeypatch):
    buffers = [
        Buffer("a", 8, 4, 6),
        Buffer("b", 16, 1, 4),
        Buffer("c", 12, 6, 6),
        Buffer("d", 8, 6, 6),
    ]
    assert (plan(buffers).size, plan(buffers).is_optimal) == (28, True)
    monkeypatch.setattr("hwgen.mcu.planning.plan.MAX_EXACT", 0)
    assert (plan(buffers).size, plan(buffers).is_optimal) == (28, True)
    monkeypatch.setattr("hwgen.mcu.planning.plan.ROUNDS", 0)
    assert plan(buffers).size == 32


def awkward(seed: int, count: int, longest: int) -> list[Buffer]:
    """Lifetimes and sizes without any pattern."""
    rng = random.Random(seed)
    firsts = [rng.randrange(count) for _ in range(count)]
    return [
        Buffer(f"b{i}", 4 * rng.randint(1, 200), first, first + rng.randint(0, longest))
        for i, first in enumerate(firsts)
    ]


@pytest.mark.parametrize(("count", "longest"), [(12, 4), (20, 8), (30, 8), (30, 30)])
def test_many_buffers_come_near_the_bound(count, longest, monkeypatch):
    problems = [awkward(seed, count, longest) for seed in range(8)]
    layouts = [plan(buffers) for buffers in problems]
    for buffers, layout in zip(problems, layouts, strict=True):
        check(buffers, layout)
    assert sum(layout.is_optimal for layout in layouts) >= 7
    assert all(layout.size <= 1.05 * layout.lower_bound for layout in layouts)
    monkeypatch.setattr("hwgen.mcu.planning.plan.ROUNDS", 0)
    greedy = [plan(buffers).size for buffers in problems]
    assert all(g >= layout.size for g, layout in zip(greedy, layouts, strict=True))


def test_greedy_orders_alone_would_waste(monkeypatch):
    problems = [awkward(seed, 20, 8) for seed in range(12)]
    improved = sum(plan(buffers).size for buffers in problems)
    monkeypatch.setattr("hwgen.mcu.planning.plan.ROUNDS", 0)
    assert sum(plan(buffers).size for buffers in problems) > improved


def test_a_large_graph_is_planned_quickly():
    """Residual blocks: a skip connection lives across every block."""
    buffers = []
    for i in range(60):
        buffers.append(Buffer(f"a{i}", 4096 - 16 * i, 3 * i, 3 * i + 2))
        buffers.append(Buffer(f"b{i}", 8192 - 64 * i, 3 * i + 1, 3 * i + 2))
        buffers.append(Buffer(f"c{i}", 2048, 3 * i + 2, 3 * i + 3, in_place=(f"a{i}",)))
    layout = plan(buffers)
    check(buffers, layout)
    assert layout.size <= 1.05 * layout.lower_bound


def test_nothing_needs_nothing():
    assert plan([]) == Plan({}, 0, 0, 1)
