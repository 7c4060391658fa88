"""C of networks of spins in the forms that small random networks do not have."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.collapse import collapsed
from hwgen.mcu.emit import emit
from hwgen.mcu.spins import Spins
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.ops.ising import Ising
from hwgen.sim.riscv.models import run_many_on_core
from tests.mcu.stub import THREADS, build, needs_threads, run
from tests.ops.test_ising import network


def grid(height: int, width: int, engine: str = "accumulator", replicas: int = 1, **more) -> Ising:
    """A torus of weights of 1 and -1, which looks at energies."""
    rng = np.random.default_rng(height)
    nodes = np.arange(height * width).reshape(height, width)
    pairs = [np.stack([nodes, np.roll(nodes, 1, axis)], -1).reshape(-1, 2) for axis in (0, 1)]
    edges = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    checkers = np.indices((height, width)).sum(axis=0).ravel() % 2
    is_gibbs = engine == "gibbs"
    thresholds = np.rint(65536 / (1 + np.exp(-np.arange(-4, 5))))
    op = Ising(
        h=Constant(np.zeros(nodes.size, int)),
        edges=Constant(edges),
        couplings=Constant(more.pop("weights", rng.choice([-1, 1], len(edges)))),
        engine=engine,
        cycles=40,
        starts=Constant(np.array([0])),
        levels=Constant(np.zeros((1, replicas), int)),
        table=Constant(thresholds[None] if is_gibbs else more.pop("table", np.array([[1, 3]]))),
        seeds=Constant(np.array([1 << 31])),
        ports=(0, 5, nodes.size - 1),
        colours=Constant(checkers) if is_gibbs else None,
        target=-nodes.size,
        stops=False,
        **more,
    )
    return replace(op, seeds=Constant((1 << 31) + 7919 * np.arange(op.generators)))


def star(leaves: int) -> Ising:
    """One spin with many neighbours, which have none but it, and nothing that is looked at."""
    op = grid(2, 2)
    edges = np.stack([np.zeros(leaves, int), 1 + np.arange(leaves)], axis=1)
    op = replace(
        op,
        h=Constant(np.arange(leaves + 1) % 3 - 1),
        edges=Constant(edges),
        couplings=Constant(1 + np.arange(leaves) % 2),
        ports=(0,),
        target=None,
    )
    return replace(op, seeds=Constant((1 << 31) + 7919 * np.arange(op.generators)))


def six_terms(count: int = 7, **more) -> Ising:
    """Relations of six nodes, and of fewer, with tables of all bits."""
    op = network(np.random.default_rng(5), count, stops=False, cycles=30, ports=0, **more)
    rng = np.random.default_rng(6)
    nodes = np.array([[6, 0, 3, 2, 5, 1], [4, 1, -1, -1, -1, -1], [2, 3, 4, 5, 6, -1]])
    tables = rng.integers(-(1 << 63), (1 << 63) - 1, 3) | rng.integers(-(1 << 63), (1 << 63) - 1, 3)
    return replace(
        op, relation_nodes=Constant(nodes), relation_tables=Constant(tables | -(1 << 62))
    )


def mixed(seed: int, nodes: int, **more) -> Ising:
    """Products, classes and derived nodes in one network, which is valid now and then."""
    choices = {"products": nodes // 4, "derived": nodes // 3, "ports": 9, "stops": False} | more
    return network(np.random.default_rng(seed), nodes, cycles=40, **choices)


def six_derived() -> Ising:
    """Tables of six nodes and of fewer, of which the checker needs two to derive what relations read."""
    tables = np.random.default_rng(7).integers(-(1 << 63), (1 << 63) - 1, 3)
    return replace(
        six_terms(12, classes=2, segments=3, replicas=3),
        derived=Constant([[8, 5, 4, 3, 2, 1, 0], [7, 9, 10, 11, *[-1] * 3], [6, 7, 8, *[-1] * 4]]),
        derived_tables=Constant(tables),
    )


SWAPS = np.tile(np.linspace(60_000, 500, 120).astype(int), (2, 1))
FORMS = {
    "neighbours_in_rows": grid(20, 16),
    "neighbours_in_rows_gibbs": grid(20, 16, "gibbs"),
    "exchange": grid(20, 16, "gibbs", 3, swap_every=2, swap_table=Constant(SWAPS)),
    "one_weight": grid(20, 16, weights=-np.ones(640, int)),
    "neighbours_in_a_list": star(300),
    "16_bits": grid(20, 16, table=np.array([[60, 70]])),
    "32_bits": grid(6, 4, table=np.array([[(1 << 14) - 1, 1 << 14]])),
    "six_terms": six_terms(),
    "six_derived": six_derived(),
    "mixed": mixed(1, 70, density=0.1, classes=3, segments=4, replicas=3),
    "mixed_gibbs": mixed(2, 50, density=0.2, engine="gibbs"),
    "mixed_in_rows": mixed(3, 300, density=0.004, most=1, classes=2),
    "mixed_exchange": mixed(4, 70, density=0.1, classes=2, replicas=4, swaps=True),
    "mixed_exchange_gibbs": mixed(5, 40, density=0.1, engine="gibbs", replicas=3, swaps=True),
    "mixed_energy": mixed(6, 40, density=0.1, checks="energy", derived=0),
}


def graph_of(op: Ising, name: str) -> Graph:
    builder = GraphBuilder(name)
    x = builder.input(Type.of((op.frame.input_bytes,), 0, 255))
    return builder.build(builder.add(op, x, name="node"))


def inputs(op: Ising, count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, op.frame.input_bytes))


def test_forms_are_those_that_are_meant():
    host = find_target("host")
    spins = {name: Spins(op, host) for name, op in FORMS.items()}
    dense = {name for name, s in spins.items() if s.is_dense}
    assert {name for name in dense if "mixed" not in name} == {
        "32_bits",
        "six_terms",
        "six_derived",
    }
    assert "mixed" in dense and "mixed_in_rows" not in dense
    assert set(collapsed(FORMS["six_derived"])[0]) == {6, 8}
    some = {name for name, s in spins.items() if s.deciding_words is not None}
    assert some >= {"six_derived", "mixed", "mixed_gibbs", "mixed_exchange"}
    assert spins["neighbours_in_rows"].neighbours.lanes.shape == (320, 4)
    assert spins["neighbours_in_a_list"].neighbours.lanes.shape == (600,)
    lanes = {name: s.lane.bits for name, s in spins.items()}
    assert {name: bits for name, bits in lanes.items() if bits > 8} == {
        "neighbours_in_a_list": 16,
        "16_bits": 16,
        "32_bits": 32,
    }


@pytest.mark.parametrize("name", ["six_derived", *(name for name in FORMS if "mixed" in name)])
def test_networks_are_valid_now_and_then(name):
    """So that a checker that looks at other times is found out."""
    op = FORMS[name]
    hits = op.solve(inputs(op, 9)).hits
    assert ((hits > 0) & (hits < op.cycles)).any()


@pytest.mark.parametrize("sanitize", [pytest.param(True, marks=pytest.mark.slow), False])
def test_forms_on_the_host(tmp_path, sanitize):
    """Without sanitizers in the instructions that this processor has."""
    graphs = {name: graph_of(op, name) for name, op in FORMS.items()}
    x = {name: inputs(op, 9) for name, op in FORMS.items()}
    jobs = [(emit(graphs[name], tmp_path / name, samples=x[name][:1]), x[name]) for name in FORMS]
    for name, y in zip(FORMS, run_many_on_host(jobs, sanitize), strict=True):
        assert np.array_equal(y, graphs[name].run(x[name])), name


@pytest.mark.parametrize("target", [pytest.param("rv32imc", marks=pytest.mark.slow), "gap8"])
def test_forms_on_cores(tmp_path, target):
    pytest.importorskip("ziglang")
    jobs, expected = [], []
    for name, op in FORMS.items():
        graph, x = graph_of(replace(op, cycles=10), name), inputs(op, 2)
        jobs.append((emit(graph, tmp_path / name, target, samples=x[:1]), x))
        expected.append(graph.run(x))
    results = run_many_on_core(jobs, "iss", find_target(target).cores)
    for name, y, want in zip(FORMS, results, expected, strict=True):
        assert np.array_equal(y, want), name


def test_long_runs_have_few_golden_vectors(tmp_path, monkeypatch):
    """Each takes as long as all cycles in numpy."""
    monkeypatch.setattr("hwgen.ir.graph._GOLDEN_STEPS", 100)
    for cycles, count in ((12, 8), (40, 2)):
        op = replace(six_terms(), cycles=cycles)
        made = emit(graph_of(op, "lengthy"), tmp_path / str(cycles))
        assert f"#define SAMPLES {count}\n" in (made.folder / "lengthy_test.c").read_text()


@pytest.mark.parametrize("engine", ["accumulator", "gibbs"])
def test_what_fast_memory_does_not_hold_stays(tmp_path, engine):
    """4096 spins on GAP8, and the same on the host."""
    op = grid(64, 64, engine)
    op = replace(op, cycles=4)
    graph, x = graph_of(op, "large"), inputs(op, 1)
    build = emit(graph, tmp_path, "gap8", samples=x)
    text = (build.folder / "large.c").read_text()
    assert "static const _Alignas(4) uint16_t node_neighbours" in text
    (y,) = run_many_on_host([(build, x)])
    assert np.array_equal(y, graph.run(x))


def shared(folder, op: Ising):
    """A team's C, and what builds and runs it under a watch for races."""
    graph, x = graph_of(replace(op, stops=True), "shared"), inputs(op, 2)
    made = emit(graph, folder, "gap8", samples=x)
    sources = [made.folder / name for name in ("gap_main.c", *made.sources)]

    def verdict(name: str, runs: int = 1):
        """Of the first run in which there is a race: on a busy machine one in ten does not see it."""
        program = build(made.folder, name, *sources, options=THREADS, includes=(made.folder,))
        for _ in range(runs):
            done = run(program, 8, "thread")
            if done.returncode:
                break
        return done

    return sources[-1], verdict


@pytest.mark.slow
@pytest.mark.parametrize("barrier", [0, 1, 2])
def test_cores_that_share_replicas_do_not_race(tmp_path, barrier):
    """Without any one of the barriers they do: behind the start, and two a cycle."""
    needs_threads()
    source, verdict = shared(tmp_path, FORMS["exchange"])
    done = verdict("whole")
    assert done.returncode == 0, done.stderr
    whole = source.read_text()
    at = [match.start() for match in re.finditer(r"hwgen_barrier\(\);", whole)][barrier]
    source.write_text(whole[:at] + whole[at:].replace("hwgen_barrier();", "", 1))
    assert verdict("without", runs=8).returncode != 0


@pytest.mark.slow
def test_cores_that_share_classes_and_checkers_do_not_race(tmp_path):
    """If all complete states in the same memory they do."""
    needs_threads()
    source, verdict = shared(tmp_path, FORMS["six_derived"])
    done = verdict("whole")
    assert done.returncode == 0, done.stderr
    whole = source.read_text()
    assert "w->bits[hwgen_core()]" in whole
    source.write_text(whole.replace("w->bits[hwgen_core()]", "w->bits[0]"))
    assert verdict("without", runs=8).returncode != 0
