"""Networks of spins in Verilog and C: register by register, for long, in every direction, and mutated."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from hwgen.frontend.problems import find_problem
from hwgen.invertible import adder, multiplier
from hwgen.invertible.arithmetic import column_weights
from hwgen.invertible.engine import Accumulator, Gibbs, geometric
from hwgen.invertible.lowering import lower
from hwgen.invertible.problems import Problem
from hwgen.invertible.solving import FACTORING, PUBLISHED, TUNED, prepare, run_seeds
from hwgen.ir import Schedule
from hwgen.ops.lib.ising_walk import Walk
from hwgen.rtl.emit import emit
from hwgen.rtl.ising import make
from hwgen.sim import simulator

STREAM = Schedule("stream")
SLOW = pytest.mark.slow


def emitted(graph, folder):
    """A design, with the simulator that runs it."""
    engine = simulator("verilator")
    if missing := engine.missing():
        pytest.skip(missing)
    return emit(graph, {graph.output: STREAM}, folder), engine


def component(graph):
    node = graph[graph.output]
    return make(node.op, graph.operands(node), node.type, STREAM, "spins")


@pytest.mark.parametrize(
    "engine",
    [
        Accumulator(noise=(7, 3), limit=(4, 6)),
        Gibbs(strength=(0.3, 0.8)),
        Gibbs(replicas=3, ladder=(0.2, 0.5, 1.0), swap_every=2),
        Accumulator(replicas=3, ladder=(9, 6, 3), limit=(5,), swap_every=7),
        replace(TUNED, noise=(3, 5)),
        Gibbs(strength=(0.3,), products=True),
    ],
    ids=["accumulator", "gibbs", "tempering", "exchanged counters", "products", "gibbs products"],
)
def test_every_register_is_the_models(engine):
    """All spins of all replicas, in every cycle."""
    whole = multiplier(2, 2).hamiltonian()
    graph = lower(whole, engine, cycles=120, stops=False, ports=(0, 3), decisions=(0, 1, 2, 3))
    op = graph["spins"].op
    frames = op.frame.pack_inputs([5], [[1, -1]])
    clamps = np.zeros((1, op.nodes), np.int64)
    clamps[0, [0, 3]] = 1, -1
    walk = Walk(op, clamps)
    expected = [s.spins[0] > 0 for s in walk.states(np.array([5], np.uint32), op.cycles)]
    dut = component(graph)
    seen = []

    async def testbench(ctx):
        for k, value in enumerate(frames[0].tolist()):
            ctx.set(dut.i.payload[k], value)
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in expected:
            values = [ctx.get(replica.spins) for replica in dut.replicas]
            seen.append([[value >> i & 1 for i in range(op.nodes)] for value in values])
            await ctx.tick()

    simulation = Simulator(dut)
    simulation.add_clock(1e-6)
    simulation.add_testbench(testbench)
    simulation.run()
    assert np.array_equal(np.array(seen, bool), np.array(expected))


@pytest.mark.parametrize(
    ("name", "cycles"),
    [("and", 20_000), *(pytest.param(n, 100_000, marks=SLOW) for n in ("and", "full_adder"))],
)
def test_many_cycles_are_the_models(name, cycles, tmp_path):
    """A single step apart would change when the gate holds from then on."""
    gate = find_problem(name).hamiltonian
    graph = lower(gate, Accumulator(noise=(3,), limit=(6,)), cycles=cycles, stops=False)
    design, engine = emitted(graph, tmp_path)
    x = graph["spins"].op.frame.pack_inputs(run_seeds(0, 0, 3))
    expected = graph.run(x)
    assert np.array_equal(engine.run(design, x).outputs, expected)
    hits = graph["spins"].op.frame.unpack_outputs(expected).hits
    assert len(set(hits.tolist())) == 3


def test_one_design_runs_in_every_direction(tmp_path):
    """Ports are clamped by frames: a 3 x 3 multiplier multiplies, divides and factors."""
    whole = multiplier(3, 3).hamiltonian()
    words = {name: whole.words[name] for name in "aby"}
    ports = tuple(node for nodes in words.values() for node in nodes)
    graph = lower(whole, Accumulator(scale=3, noise=(7,), limit=(8,)), cycles=20_000, ports=ports)
    op = graph["spins"].op
    given = [{"a": 5, "b": 6}, {"y": 42, "a": 7}, {"y": 35}, {"y": 12, "b": 3}, {"y": 49}]
    clamps = np.zeros((len(given), len(ports)), np.int64)
    for row, values in zip(clamps, given, strict=True):
        for node, bit in whole.assignment(values).items():
            row[ports.index(node)] = 2 * bit - 1
    x = op.frame.pack_inputs(run_seeds(3, 0, len(given)), clamps)
    design, engine = emitted(graph, tmp_path)
    outputs = engine.run(design, x).outputs
    assert np.array_equal(outputs, graph.run(x))
    answer = op.frame.unpack_outputs(outputs)
    assert answer.found.all()
    a, b, y = (whole.value(answer.spins, name) for name in "aby")
    assert np.array_equal(a * b, y)
    for k, values in enumerate(given):
        assert {name: {"a": a, "b": b, "y": y}[name][k] for name in values} == values


def test_an_adder_subtracts(tmp_path):
    whole = adder(4).hamiltonian()
    ports = tuple(node for name in ("a", "b", "sum", "carry") for node in whole.words[name])
    graph = lower(whole, Accumulator(noise=(4,), limit=(4,)), cycles=20_000, ports=ports)
    op = graph["spins"].op
    given = [{"a": 9, "b": 5}, {"sum": 3, "carry": 1, "a": 12}, {"sum": 9, "carry": 0, "b": 2}]
    clamps = np.zeros((3, len(ports)), np.int64)
    for row, values in zip(clamps, given, strict=True):
        for node, bit in whole.assignment(values).items():
            row[ports.index(node)] = 2 * bit - 1
    design, engine = emitted(graph, tmp_path)
    x = op.frame.pack_inputs(run_seeds(1, 0, 3), clamps)
    outputs = engine.run(design, x).outputs
    assert np.array_equal(outputs, graph.run(x))
    spins = op.frame.unpack_outputs(outputs).spins
    assert whole.value(spins, "sum").tolist() == [14, 3, 9]
    assert whole.value(spins, "b").tolist() == [5, 7, 2]
    assert whole.value(spins, "a").tolist() == [9, 12, 7]


def test_counters_ramp_and_best_states_are_kept(tmp_path):
    """A graph without relations: the least energy, in a design with two replicas."""
    problem = find_problem("toroidal4x5")
    engine = Gibbs(strength=geometric(0.2, 2.0, 5), replicas=2)
    network = prepare(problem, engine=engine, cycles=200)
    design, simulator_ = emitted(network.graph, tmp_path)
    x = network.op.frame.pack_inputs(run_seeds(0, 0, 6))
    outputs = simulator_.run(design, x).outputs
    assert np.array_equal(outputs, network.graph.run(x))
    spins = network.op.frame.unpack_outputs(outputs).spins
    lowest, _ = problem.hamiltonian.ground_states()
    assert problem.hamiltonian.energy(spins).min() == lowest


@pytest.fixture(scope="module")
def factoring(tmp_path_factory):
    network = prepare(Problem.of(multiplier(3, 3)), {"y": 35}, PUBLISHED, cycles=3000)
    graph = network.graph
    design, engine = emitted(graph, tmp_path_factory.mktemp("factoring"))
    x = network.op.frame.pack_inputs(run_seeds(0, 0, 40))
    assert np.array_equal(engine.run(design, x).outputs, graph.run(x))
    return design, engine, x, graph.run(x)


@pytest.mark.parametrize("what", ["sign", "random", "noise", "relation", "saturation"])
def test_a_broken_design_is_caught(factoring, what, tmp_path):
    design, engine, x, expected = factoring
    folder = tmp_path / "mutated"
    shutil.copytree(design.folder, folder)
    changed = 0
    for path in sorted(folder.glob("*.v")):
        text = path.read_text()
        new = _mutated(text, what)
        if new != text:
            path.write_text(new)
            changed += 1
            break
    assert changed, f"nothing to mutate for {what}"
    mutated = replace(design, folder=folder)
    assert not np.array_equal(engine.run(mutated, x).outputs, expected)


def _mutated(text: str, what: str) -> str:
    """Verilog with one fault."""
    if what == "sign":  # of a coupling: a neighbour pulls the other way
        return re.sub(r"(assign pull_\d+ = .*?)state_(\d+)", r"\1~state_\2", text, count=1)
    if what == "random":  # one bit is always 1
        return re.sub(r"(assign shifted_0_2 = )(.*);", r"\1(\2) | 32'h00000001;", text, count=1)
    if what == "noise":  # one spin hears none
        return re.sub(r"(assign added_0 = .*) \+ \{t\d+, 1'h0\}\)", r"\1)", text, count=1)
    if what == "relation":  # the last table lets more assignments pass
        tables = list(re.finditer(r"(assign t\d+ = (\d+)'h)[0-9a-f]+(?= >> )", text))
        if not tables:
            return text
        last, bits = tables[-1], int(tables[-1].group(2))
        return f"{text[: last.start()]}{last.group(1)}{(1 << bits) - 1:x}{text[last.end() :]}"
    return re.sub(r"(assign following_\d+ = sum_\S+ \? \d'h\d : )\|", r"\1&", text, count=1)


@pytest.mark.slow
def test_factors_of_five_bits_in_one_design(tmp_path):
    """The product comes with the frame: all 66 semiprimes, ten seeds each, in one Verilog design."""
    whole = multiplier(5, 5, column_weights(5, 5)).hamiltonian()
    ports = whole.words["y"]
    factors = (*whole.words["a"], *whole.words["b"])
    graph = lower(whole, FACTORING, cycles=8192, ports=ports, decisions=factors)
    op = graph["spins"].op
    primes = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)
    numbers = np.repeat(sorted({p * q for p in primes for q in primes}), 10)
    clamps = 2 * (numbers[:, None] >> np.arange(10) & 1) - 1
    x = op.frame.pack_inputs(run_seeds(0, 0, len(numbers)), clamps)
    design, engine = emitted(graph, tmp_path)
    outputs = engine.run(design, x).outputs
    assert np.array_equal(outputs, graph.run(x))
    answer = op.frame.unpack_outputs(outputs)
    assert answer.found.mean() >= 0.99
    a, b = whole.value(answer.spins, "a"), whole.value(answer.spins, "b")
    assert np.array_equal((a * b)[answer.found], numbers[answer.found])
    assert answer.cycle.mean() <= 219
