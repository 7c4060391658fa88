"""Estimates of area: against numbers of Yosys 0.70, and against Yosys itself."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

import hwgen
from hwgen import zoo
from hwgen.ir import Constant, GraphBuilder, Int, Schedule, Type
from hwgen.ops.argmax import Argmax
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.flatten import Flatten
from hwgen.ops.max_pool2d import MaxPool2d
from hwgen.ops.requantize import Requantize
from hwgen.passes.schedule import schedule
from hwgen.rtl.codes import WeightLane
from hwgen.rtl.device import find_device
from hwgen.rtl.emit import emit
from hwgen.rtl.lib import area
from hwgen.rtl.lib.adder_graph import build_adder_graph
from hwgen.rtl.lib.area import Area
from hwgen.rtl.lib.matrix_area import adders_area
from hwgen.rtl.network import Network
from hwgen.rtl.synthesis import synthesize
from tests.rtl.draw import random_network, random_schedules


def within(estimate: int, truth: int, part: float) -> bool:
    return abs(estimate - truth) <= part * truth


def small_image():
    """Every kind of part: folded and spatial weights, windows, a fork's queue, a repack, argmax."""
    rng = np.random.default_rng(3)

    def conv(outputs: int, inputs: int) -> Conv2d:
        weights = Constant(rng.integers(-100, 100, (outputs, 3, 3, inputs)))
        return Conv2d(Uniform(weights, 8), Constant(rng.integers(-90, 90, outputs)), (1, 1), (1, 1))

    builder = GraphBuilder("image")
    x = builder.input(Type.of((4, 4, 2), 0, 255))
    x = builder.add(conv(2, 2), x, name="conv1")
    x = builder.add(Requantize(Constant([900, 1100]), Constant(18), 0, 15), x, name="relu1")
    x = builder.add(MaxPool2d((2, 2), (2, 2)), x, name="pool")
    x = builder.add(Flatten(), x, name="flatten")
    weights = Uniform(Constant(rng.integers(-7, 8, (3, 8))), 4)
    x = builder.add(Dense(weights, Constant(rng.integers(-9, 9, 3))), x, name="fc")
    return builder.build(builder.add(Argmax(), x, name="best"))


@pytest.mark.slow
def test_a_whole_network_against_yosys(tmp_path):
    graph = small_image()
    fixed = {"conv1": Schedule("folded", pe=2, simd=2), "fc": Schedule("spatial")}
    picks = schedule(graph, None, fixed)
    network = Network(graph, picks)
    design = emit(graph, picks, tmp_path, network)
    result = synthesize(design, network, find_device("xilinx"))
    assert result.latches == 0 and not result.unknown
    assert design.area == network.area == result.estimate
    truth, estimate = result.total, result.estimate
    assert truth.dsp == estimate.dsp == 2 * 2 + 2
    assert truth.bram == estimate.bram == 0
    assert within(estimate.lut, truth.lut, 0.15)
    assert within(estimate.ff, truth.ff, 0.10)
    assert within(estimate.carry, truth.carry, 0.25)
    for layer in result.layers:
        assert within(layer.estimated.ff, layer.counted.ff, 0.1), layer.name


@pytest.mark.parametrize("seed", range(12))
def test_every_part_of_random_networks_has_an_estimate(seed):
    rng = np.random.default_rng(seed)
    graph = random_network(rng)
    network = Network(graph, random_schedules(rng, graph))
    areas = network.areas()
    assert areas.keys() == network.components.keys()
    for name, found in areas.items():
        assert all(type(n) is int and n >= 0 for n in astuple(found)), name
        assert found.lut and found.ff, name  # of a handshake at least
    assert sum(areas.values(), network.port_area) == network.area


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("name", "cycles"), [("digits-mlp", None), ("digits-cnn", 600), ("digits-cnn", 5000)]
)
def test_the_zoo_against_yosys(name, cycles, tmp_path):
    build = hwgen.compile(
        zoo.checkpoint(name), tmp_path / "m", target="verilog", cycles=cycles, verify=False
    )
    result = build.synthesize("xilinx")
    assert within(result.estimate.lut, result.total.lut, 0.15)
    assert within(result.estimate.ff, result.total.ff, 0.10)
    assert result.estimate.dsp == result.total.dsp
    assert result.estimate.bram == result.total.bram


@pytest.mark.parametrize(
    ("words", "width", "lut", "blocks"),
    # Memories with one write and one read port, as Yosys mapped them.
    [
        (16, 8, 8, 0),
        (64, 8, 16, 0),
        (100, 8, 42, 0),
        (256, 8, 76, 0),
        (512, 8, 0, 1),
        (256, 64, 0, 2),
        (64, 64, 80, 0),
        (2048, 64, 0, 8),
    ],
)
def test_memories(words, width, lut, blocks):
    got = area.ram(words, width)
    assert got.bram == blocks
    assert got.ff == (0 if blocks else width)
    assert within(got.lut, lut, 0.1)


def test_tables_become_blocks_where_they_are_large():
    rng = np.random.default_rng(5)
    assert area.rom(rng.integers(0, 2, (1000, 8))).bram == 0
    assert area.rom(rng.integers(0, 2, (1100, 8))) == Area(bram=1)
    assert area.rom(rng.integers(0, 2, (288, 32))) == Area(bram=1)
    assert area.rom(rng.integers(0, 2, (36, 256))).bram == 0  # wide and flat: eight blocks


def test_bits_that_are_equal_in_every_word_are_stored_once():
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2, (20, 3))
    doubled = np.hstack([bits, bits, np.ones((20, 4), int), np.zeros((20, 4), int)])
    assert area.rom(doubled) == area.rom(bits)
    assert area.rom(bits).ff == 3


@pytest.mark.parametrize(("terms", "lut"), [(2, 16), (3, 32), (4, 54), (5, 81), (6, 112), (8, 161)])
def test_adder_trees(terms, lut):
    assert within(area.adder_tree(terms, 16).lut, lut, 0.1)


@pytest.mark.parametrize(
    ("a", "b", "lut", "dsp"), [(4, 4, 24, 0), (4, 3, 11, 0), (5, 3, 17, 0), (8, 8, 0, 1)]
)
def test_multipliers(a, b, lut, dsp):
    got = area.multiplier(a, b)
    assert got.dsp == dsp
    assert within(got.lut, lut, 0.2)


@pytest.mark.parametrize(
    ("row", "lut", "carry"),
    [
        ([1, 1], 4, 8),  # x0 + x1: four bits of each, and the carry out
        ([1, 4], 2, 8),  # the lowest two bits of x0 pass through, and two meet
        ([1, 16], 0, 0),  # no bit of one meets a bit of the other
        ([16, 0], 0, 0),  # a shift is wiring
    ],
)
def test_bits_where_both_operands_vary_take_a_table(row, lut, carry):
    graph = build_adder_graph(np.array([row]), np.array([0]), 0, 15)
    got = adders_area(graph, 12)
    assert got == Area(lut=lut, carry=carry)


def test_offsets_cost_their_ones():
    plain = build_adder_graph(np.array([[1, 1]]), np.array([0]), 0, 15)
    offset = build_adder_graph(np.array([[1, 1]]), np.array([0b1011]), 0, 15)
    cost = [adders_area(g, 8).lut for g in (plain, offset)]
    assert cost[1] - cost[0] == 3


def test_a_lane_of_a_new_code_has_an_area():
    class Passing(WeightLane):
        bits = 2

        def __init__(self):
            pass

        def product(self, pixel, field):
            return pixel + field

    assert Passing().area(Int(5, False)) == Area(lut=6)


def test_sums_and_copies():
    a = Area(1, 2, 3, 4, 5)
    assert a + a == a * 2 == Area(2, 4, 6, 8, 10)
