"""Tilings: they fit, no other is better, and refusals say what would fit."""

from __future__ import annotations

import random
import re
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.errors import MissingTool, Unsupported
from hwgen.mcu.planning.cost import costs, sizes
from hwgen.mcu.planning.layout import Memory, lay_out, measure, smallest
from hwgen.mcu.planning.tiles import Operand, Work
from hwgen.mcu.planning.tiling import NoTile, best_choice, random_tiling, tile
from tests.mcu.layers import LAYERS, addition, conv, dense, depthwise, works

CLUSTER = Memory(56 * 1024, cores=8)
memories = st.builds(
    Memory,
    l1=st.integers(50, 6000),
    cores=st.sampled_from([1, 2, 8]),
    dma_bytes=st.sampled_from([1, 8]),
    dma_setup=st.sampled_from([0, 16]),
)
generators = st.integers(0, 2**32).map(random.Random)


@settings(max_examples=60, deadline=None)
@given(works(5, is_padded=False), st.booleans(), generators)
def test_tables_are_those_of_a_walk_over_the_tiles(work, from_l3, rng):
    memory = Memory(1 << 20, cores=rng.choice([1, 2, 8]), dma_bytes=1)
    table = costs(work, memory, None, from_l3)
    for number in rng.sample(range(table.time.size), min(table.time.size, 40)):
        tiling = measure(work, lay_out(work, *table.choice(number)), memory, from_l3)
        assert table.memory.flat[number] == tiling.l1_bytes
        assert table.compute.flat[number] == tiling.compute_cycles
        assert table.transfers.flat[number] == tiling.dma_cycles
        if tiling.tiles == 1 and not from_l3:
            assert table.time.flat[number] == tiling.cycles


@settings(max_examples=60, deadline=None)
@given(works(5), generators)
def test_edges_only_ever_save_transfers(work, rng):
    memory = Memory(1 << 20, cores=2, dma_bytes=1)
    table = costs(work, memory)
    for number in rng.sample(range(table.time.size), min(table.time.size, 40)):
        tiling = measure(work, lay_out(work, *table.choice(number)), memory)
        assert table.memory.flat[number] == tiling.l1_bytes
        assert table.transfers.flat[number] >= tiling.dma_cycles


@settings(max_examples=60, deadline=None)
@given(works(6), memories)
def test_no_choice_is_better(work, memory):
    table = costs(work, memory)
    fits = table.memory <= memory.l1
    best = best_choice(table, memory.l1)
    if not fits.any():
        assert best is None
        return
    assert fits.flat[best]
    # The first of the least, so that every version of the solver finds the same one.
    assert best == np.where(fits, table.price, table.price.max() + 1).argmin()
    assert tile(work, memory).l1_bytes <= memory.l1


@settings(max_examples=60, deadline=None)
@given(works(6))
def test_the_smallest_tile_is_the_smallest(work):
    least = smallest(work)
    assert least.l1_bytes == costs(work, Memory(0)).memory.min()
    assert tile(work, Memory(least.l1_bytes)).l1_bytes == least.l1_bytes
    with pytest.raises(Unsupported, match=rf"needs {least.l1_bytes} bytes of L1"):
        tile(work, Memory(least.l1_bytes - 1))


@settings(deadline=None)
@given(works(6), memories, generators)
def test_random_tilings_fit(work, memory, rng):
    if smallest(work).l1_bytes > memory.l1:
        with pytest.raises(Unsupported, match="needs"):
            random_tiling(work, memory, rng)
        return
    tiling = random_tiling(work, memory, rng)
    assert tiling.l1_bytes <= memory.l1
    assert tiling.channels % work.granule == 0 or tiling.channels == work.channels


def test_random_tilings_differ():
    rng = random.Random(1)
    found = {random_tiling(LAYERS["large"], CLUSTER, rng) for _ in range(20)}
    assert len(found) == 20
    assert {tiling.order for tiling in found} == {"weights", "inputs"}


@settings(max_examples=30, deadline=None)
@given(works(6), generators)
def test_what_must_not_be_cut_is_whole(work, rng):
    memory = Memory(1 << 20)
    for axes in ((), ("rows",), ("columns", "channels")):
        fixed = replace(work, axes=axes)
        for tiling in (tile(fixed, memory), random_tiling(fixed, memory, rng), smallest(fixed)):
            for axis in {"rows", "columns", "channels"} - {*axes}:
                assert getattr(tiling, axis) == getattr(work, axis)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_real_networks(name):
    work = LAYERS[name]
    tiling = tile(work, CLUSTER)
    assert tiling == tile(work, CLUSTER)
    assert tiling.l1_bytes <= CLUSTER.l1
    # What the solver minimised is what a walk over the tiles measures.
    table = costs(work, CLUSTER)
    fits = table.memory <= CLUSTER.l1
    time = table.time.flat[best_choice(table, CLUSTER.l1)]
    assert time <= 1.05 * table.time[fits].min()
    assert tiling.cycles == pytest.approx(time, rel=0.05)
    # Either the cores or the transfers are busy nearly all the time.
    compute, transfers = tiling.compute_cycles, tiling.dma_cycles
    assert tiling.cycles <= 1.15 * max(compute, transfers + CLUSTER.delay(compute, 8))
    others = (random_tiling(work, CLUSTER, random.Random(seed)) for seed in range(20))
    assert all(tiling.cycles <= 1.04 * other.cycles for other in others)


def test_a_layer_that_fits_is_one_tile_without_a_solver(monkeypatch):
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    tiling = tile(conv(16, 16, 32, 3), CLUSTER)
    assert (tiling.tiles, tiling.rows, tiling.columns, tiling.channels) == (1, 16, 16, 32)
    with pytest.raises(MissingTool, match="pip install ortools"):
        tile(dense(784, 128), CLUSTER)


def test_a_layer_that_fits_is_cut_if_its_transfers_take_as_long_as_its_sums():
    tiling = tile(dense(256, 128), CLUSTER)
    assert tiling.tiles > 1
    whole = lay_out(dense(256, 128), 1, 1, 128, "weights")
    assert whole.l1_bytes <= CLUSTER.l1
    assert tiling.cycles < measure(dense(256, 128), whole, CLUSTER).cycles


def test_the_order_of_the_loops_follows_the_larger_operand():
    small = Memory(3000, cores=1)
    heavy = replace(conv(4, 16, 256, 1), constant_bytes=0, cycles_per_output=1)
    assert tile(heavy, small).weight_bytes == 16 * 256
    light = replace(conv(32, 32, 16, 1), constant_bytes=0, cycles_per_output=1)
    assert tile(light, small).input_bytes == 32 * 32 * 32


def test_weights_from_l3_come_once_and_in_chunks():
    work = dense(4096, 512)
    memory = replace(CLUSTER, l1=200_000)
    tiling = tile(work, memory, chunk=40_000)
    assert (tiling.order, tiling.weight_bytes) == ("weights", 4096 * 512)
    assert tiling.weights.size == 2 * 4 * 4096
    # At a byte a cycle that is what takes the time.
    assert 4096 * 512 <= tiling.cycles <= 1.02 * 4096 * 512
    assert tile(work, memory).cycles < 0.3 * tiling.cycles
    message = "weights of 4 channels need 16384 bytes"
    with pytest.raises(Unsupported, match=message):
        tile(work, memory, chunk=16_383)
    with pytest.raises(Unsupported, match="cannot be cut along its channels"):
        tile(replace(work, axes=()), memory, chunk=40_000)


def test_refusals_say_what_would_fit():
    work = conv(7, 256, 256, 3)
    with pytest.raises(Unsupported) as refusal:
        tile(work, CLUSTER, "block4.conv2")
    message = str(refusal.value)
    assert message == (
        "block4.conv2: its smallest tile, 1x1x4 outputs, needs 99856 bytes of L1, of which 57344 "
        "are free (input 2 x 2304, weights 2 x 9216, output 2 x 8, constants 3072, buffers of "
        "the cores 73728); what would fit: L1 larger by 42512 bytes, or at most 143 input "
        "channels instead of 256, or at most 3 cores instead of 8"
    )
    numbers = re.search(r"by (\d+) bytes, or at most (\d+) .* at most (\d+) cores", message)
    larger, inputs, cores = map(int, numbers.groups())
    tile(work, replace(CLUSTER, l1=CLUSTER.l1 + larger))
    tile(conv(7, inputs, 256, 3), CLUSTER)
    tile(conv(7, 256, 256, 3, cores=cores), CLUSTER)
    for worse in (
        lambda: tile(work, replace(CLUSTER, l1=CLUSTER.l1 + larger - 1)),
        lambda: tile(conv(7, inputs + 1, 256, 3), CLUSTER),
        lambda: tile(conv(7, 256, 256, 3, cores=cores + 1), CLUSTER),
    ):
        with pytest.raises(Unsupported):
            worse()


def test_fewer_cores_leave_room_of_their_stacks():
    """Also where a layer has no buffers of its cores."""
    work = addition(4, 8)
    least = smallest(work).l1_bytes
    cluster = Memory(least - 100, cores=8, stack=64)
    with pytest.raises(
        NoTile, match="L1 larger by 100 bytes, or at most 6 cores instead of 8"
    ) as no:
        tile(work, cluster)
    assert no.value.missing == 100
    tile(work, replace(cluster, cores=6, l1=cluster.l1 + 2 * 64))
    with pytest.raises(NoTile):
        tile(work, replace(cluster, cores=7, l1=cluster.l1 + 64))


def test_refusals_of_layers_without_weights_or_buffers():
    with pytest.raises(Unsupported) as refusal:
        tile(addition(4, 8), Memory(11))
    assert str(refusal.value) == (
        "layer: its smallest tile, 1x1x8 outputs, needs 48 bytes of L1, of which 11 are free "
        "(input1 2 x 8, input2 2 x 8, output 2 x 8); what would fit: L1 larger by 37 bytes"
    )


def test_sizes_to_try():
    assert sizes(7, 1, 8) == (7, 6, 5, 4, 3, 2, 1)
    assert sizes(10, 4, 8) == (10, 8, 4)
    for extent, granule, cores in product((1, 17, 224, 512, 100_000), (1, 4), (1, 8)):
        found = sizes(extent, granule, cores)
        assert found[0] == extent
        assert len(found) <= 60
        assert all(n % granule == 0 for n in found[1:])
        assert list(found) == sorted(set(found), reverse=True)
        assert extent > 256 * granule or found[-1] == min(granule, extent)
    assert {112, 75, 80, 56, 45, 48, 8, 1} <= {*sizes(224, 1, 8)}


def test_a_depthwise_layer_takes_whole_rows_of_few_channels_or_few_rows_of_all():
    tiling = tile(depthwise(28, 256), CLUSTER)
    assert tiling.columns == 28
    assert tiling.input_bytes <= 1.2 * 28 * 28 * 256


def test_two_inputs_share_fast_memory():
    x = Operand(1, 1, 1000, groups=1000)
    work = Work(1, 1, 1000, (x, x), split="channels")
    assert tile(work, Memory(3000)).tiles == 1
    assert tile(work, Memory(2999)).tiles > 1
