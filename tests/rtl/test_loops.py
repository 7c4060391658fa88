"""Counters of loop nests against nested Python loops."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.rtl.lib.loops import Loop, LoopNest


@settings(max_examples=20)
@given(st.data())
def test_affine_indices_follow_the_loops(data) -> None:
    turns = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    names = [f"level{k}" for k in range(len(turns))]
    strides = {name: data.draw(st.integers(-9, 9)) for name in names if data.draw(st.booleans())}
    start, restart = data.draw(st.integers(-9, 9)), data.draw(st.integers(-9, 9))
    modulo = data.draw(st.sampled_from([8, 5, 1, 13]))
    random = Random(data.draw(st.integers(0, 99)))

    m, advance = Module(), Signal()
    nest = LoopNest(m, [Loop(*pair) for pair in zip(names, turns, strict=True)], advance)
    plain = nest.affine("plain", strides, start=start)
    wrapped = nest.affine("wrapped", strides, start=start, restart=restart, modulo=modulo)
    done = Signal()
    m.d.comb += done.eq(nest.done)

    async def bench(ctx) -> None:
        for run in range(3):
            for turn in itertools.product(*map(range, turns)):
                while random.random() < 0.3:  # stand still now and then
                    ctx.set(advance, 0)
                    await ctx.tick()
                index = start + sum(
                    t * strides.get(name, 0) for t, name in zip(turn, names, strict=True)
                )
                assert ctx.get(plain) == index
                assert ctx.get(wrapped) == (index + run * restart) % modulo
                assert ctx.get(done) == (turn == tuple(t - 1 for t in turns))
                ctx.set(advance, 1)
                await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


def test_drift_needs_a_modulo() -> None:
    m = Module()
    m._MustUse__silence = True
    nest = LoopNest(m, [Loop("one", 2)], Signal())
    with pytest.raises(ValueError, match="needs a modulo"):
        nest.affine("index", {}, restart=1)
