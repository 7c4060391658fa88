"""ising."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, GraphBuilder, Type
from hwgen.ops.ising import Ising
from hwgen.ops.lib import xorshift
from hwgen.ops.lib.ising_walk import Walk
from tests.ops import draw as d
from tests.ops.harness import Case, OpTests


def network(
    rng,
    nodes=6,
    *,
    engine="accumulator",
    replicas=1,
    cycles=20,
    checks="relations",
    ports=3,
    stops=True,
    swaps=False,
    segments=1,
    most=3,
    density=0.5,
    derived=0,
    classes=1,
    products=0,
    rows=0,
) -> Ising:
    """A random network."""
    classes = min(classes, nodes)
    order = rng.permutation(nodes).tolist()
    made = {}
    while nodes - len(made) > 2 and len(made) < products:
        node = order.pop()
        made[node] = rng.choice(order[: max(2, nodes - products)], 2, replace=False).tolist()
    pairs = [
        (i, j)
        for i in range(nodes)
        for j in range(i + 1, nodes)
        if rng.random() < density and not set(made.get(i, [i])) & set(made.get(j, [j]))
    ]
    weights = rng.choice([w for w in range(-most, most + 1) if w], len(pairs))
    h = rng.integers(-most, most, nodes, endpoint=True)
    bare = Ising(
        h=Constant(h),
        edges=Constant(pairs) if pairs else None,
        couplings=Constant(weights) if pairs else None,
        engine=engine,
        cycles=cycles,
        starts=Constant([0]),
        levels=Constant([[0]]),
        table=Constant([0]),
        seeds=Constant([0]),
        products=Constant([[node, *two] for node, two in made.items()]) if made else None,
    )
    colours, reach = None, bare.reach
    rows = rows or int(rng.integers(1, 4))
    if engine == "gibbs":
        colours = [0] * nodes
        for i in range(nodes):
            taken = {colours[j] for j in range(i) if bare.influences[i, j]}
            colours[i] = next(c for c in range(nodes) if c not in taken)
        fields = np.arange(-reach, reach + 1)
        strength = rng.uniform(0.1, 1, rows)[:, None]
        table = np.rint(65536 / (1 + np.exp(-2 * strength * fields)))
    else:
        table = np.zeros((rows, 2 * classes), np.int64)
        table[:, 0::2] = rng.integers(0, 6, (rows, classes))
        table[:, 1::2] = rng.choice([1, 3, 4, 8, 12], (rows, classes))
    starts = np.concatenate(
        [[0], 1 + np.sort(rng.choice(max(segments, cycles), segments - 1, False))]
    )
    count = max(colours) + 1 if colours else 1
    relations = {}
    if checks == "relations":
        sizes = rng.integers(1, min(nodes, 6), 2, endpoint=True)
        named = -np.ones((2, max(sizes)), np.int64)
        for row, size in zip(named, sizes, strict=True):
            row[:size] = rng.choice(nodes, size, replace=False)
        relations = {
            "relation_nodes": named,
            "relation_tables": rng.integers(-(1 << 63), (1 << 63) - 1, 2),
        }
        order = rng.permutation(nodes)
        chain = []
        for at in range(1, min(nodes, 1 + derived)):
            inputs = rng.choice(order[:at], int(rng.integers(1, min(at, 6), endpoint=True)), False)
            chain.append([order[at], *inputs, *[-1] * (6 - len(inputs))])
        if chain:
            relations["derived"] = chain
            relations["derived_tables"] = rng.integers(-(1 << 63), (1 << 63) - 1, len(chain))
    free = [k for k in range(nodes) if k not in made]
    attributes = {
        "starts": starts,
        "levels": rng.integers(0, rows, (segments, replicas)),
        "table": table,
        "seeds": (1 << 31) + rng.choice(1 << 20, 400, replace=False) * 2039,
        "colours": colours,
        "classes": np.arange(nodes) % classes if classes > 1 and engine == "accumulator" else None,
        "swap_table": np.sort(rng.integers(0, 65537, (replicas - 1, 6)))[:, ::-1]
        if swaps
        else None,
        **relations,
    }
    op = replace(
        bare,
        ports=tuple(int(p) for p in rng.choice(free, min(ports, len(free)), replace=False)),
        target=int(rng.integers(-3 * nodes, 0)) if checks == "energy" else None,
        stops=stops,
        swap_every=int(count * rng.integers(1, 4)) if swaps else 0,
        **{name: None if v is None else Constant(v) for name, v in attributes.items()},
    )
    return replace(op, seeds=Constant(op.seeds.array[: op.generators]))


def case(rng, **choices) -> Case:
    op = network(rng, **choices)
    return Case(op, Type.of((op.frame.input_bytes,), 0, 255))


@st.composite
def cases(draw) -> Case:
    rng = np.random.default_rng(draw(d.seeds))
    replicas = int(rng.choice([1, 1, 2, 3, 5]))
    return case(
        rng,
        nodes=int(rng.integers(1, 12)),
        engine=str(rng.choice(["accumulator", "gibbs"])),
        replicas=replicas,
        cycles=int(rng.integers(1, 40)),
        checks=str(rng.choice(["relations", "energy", ""])),
        ports=int(rng.integers(0, 10)),
        stops=bool(rng.integers(2)),
        swaps=replicas > 1 and bool(rng.integers(2)),
        segments=int(rng.integers(1, 4)),
        derived=int(rng.choice([0, 3, 10])),
        classes=int(rng.choice([1, 1, 3])),
        products=int(rng.choice([0, 0, 3])),
    )


def corner(seed: int, **choices) -> Case:
    return case(np.random.default_rng(seed), **choices)


class TestIsing(OpTests):
    cases = cases()
    corners = (
        corner(1),
        corner(10, classes=3, segments=2, checks=""),
        corner(11, nodes=9, products=4, classes=2, derived=2, stops=False),
        corner(12, nodes=9, products=4, engine="gibbs", replicas=2, swaps=True, checks="energy"),
        # Replicas that change places have other limits.
        corner(13, nodes=5, replicas=3, swaps=True, cycles=40, stops=False, rows=3),
        # More than one generator a replica.
        corner(4, nodes=34, density=0.05, cycles=30),
        # Derived nodes, in more levels than lie between two registers.
        corner(9, nodes=11, derived=10, density=0.2, replicas=2, cycles=40),
        # One spin; no ports; one cycle.
        corner(6, nodes=1, ports=0, cycles=1, checks="energy"),
        corner(7, nodes=17, ports=17, cycles=30, checks="energy", stops=False, replicas=2),
    )

    def naive(self, op, x):
        return list(naive_run(op, x))

    def test_torch_equals_run(self):
        """There is nothing to train."""


def naive_run(op: Ising, x: list[int]) -> list[int]:
    """Spin by spin and edge by edge."""
    ports, n, replicas = op.ports, op.nodes, op.replicas
    seed = sum(x[k] << (8 * k) for k in range(4)) & 0x7FFFFFFF
    width = (len(ports) + 7) // 8
    clamps = {}
    for k, node in enumerate(ports):
        if x[4 + k // 8] >> (k % 8) & 1:
            clamps[node] = 2 * (x[4 + width + k // 8] >> (k % 8) & 1) - 1
    h = op.h.array.tolist()
    edges = [] if op.edges is None else op.edges.array.tolist()
    weights = [] if op.couplings is None else op.couplings.array.tolist()
    random = [s ^ seed for s in op.seeds.array.tolist()]
    each = op.replica_generators

    products = [] if op.products is None else op.products.array.tolist()
    made = {node for node, _, _ in products}

    def clamped(spins):
        spins = [clamps.get(i, m) for i, m in enumerate(spins)]
        for node, a, b in products:
            spins[node] = 1 if spins[a] == spins[b] == 1 else -1
        return spins

    spins, counters = [], []
    for r in range(replicas):
        own = random[r * each : (r + 1) * each]
        bits = [own[i % (32 * each) // 32] >> (i % 32) & 1 for i in range(n)]
        spins.append(clamped([2 * b - 1 for b in bits]))
        counters.append([b - 1 for b in bits])

    def fields(m):
        f = list(h)
        for (i, j), w in zip(edges, weights, strict=True):
            f[i] += w * m[j]
            f[j] += w * m[i]
        g = list(f)
        for node, a, b in products:
            g[a] += f[node] * (m[b] > 0)
            g[b] += f[node] * (m[a] > 0)
        return g

    def energy(m):
        e = sum(a * b for a, b in zip(h, m, strict=True))
        return -(e + sum(w * m[i] * m[j] for (i, j), w in zip(edges, weights, strict=True)))

    def completed(m):
        m = list(m)
        if op.derived is not None:
            tables = op.derived_tables.array.tolist()
            for (node, *inputs), table in zip(op.derived.array.tolist(), tables, strict=True):
                k = sum(1 << place for place, i in enumerate(inputs) if i >= 0 and m[i] > 0)
                m[node] = clamps.get(node, 1 if table >> k & 1 else -1)
        return m

    def is_valid(m):
        if op.target is not None:
            return energy(m) <= op.target
        m = completed(m)
        if op.relation_nodes is None:
            return False
        for row, table in zip(
            op.relation_nodes.array.tolist(), op.relation_tables.array.tolist(), strict=True
        ):
            k = sum(1 << place for place, i in enumerate(row) if i >= 0 and m[i] > 0)
            if not table >> k & 1:
                return False
        return True

    colours = op.colours.array.tolist() if op.colours is not None else []
    period = op.swap_every + op.settling if op.swap_every else None
    reach = op.table.shape[1] // 2
    found, at, hits, best, answer = False, op.cycles, 0, None, None
    for t in range(op.cycles):
        for g, s in enumerate(random):
            s ^= s << 13 & 0xFFFFFFFF
            s ^= s >> 17
            random[g] = s ^ (s << 5 & 0xFFFFFFFF)
        turn, phase = divmod(t, period) if period else (0, t)
        segment = max(k for k, start in enumerate(op.starts.array.tolist()) if start <= t)
        if period and phase >= op.swap_every:
            if phase == period - 1:
                old, kept = list(spins), list(counters)
                for p in range(turn % 2, replicas - 1, 2):
                    dd = (energy(old[p]) - energy(old[p + 1])) // 2
                    number = random[replicas * each + p // 2] >> (16 * (p % 2)) & 0xFFFF
                    row = op.swap_table.array[p].tolist()
                    if dd <= 0 or (dd <= len(row) and number < row[dd - 1]):
                        spins[p], spins[p + 1] = old[p + 1], old[p]
                        counters[p], counters[p + 1] = kept[p + 1], kept[p]
        else:
            for r in range(replicas):
                row = op.table.array[op.levels.array[segment, r]].tolist()
                f = fields(spins[r])
                own = random[r * each : (r + 1) * each]
                if op.engine == "accumulator":
                    for place, i in enumerate(k for k in range(n) if k not in made):
                        kind = 0 if op.classes is None else op.classes.array.tolist()[i]
                        noise, limit = row[2 * kind : 2 * kind + 2]
                        sign = 1 if own[place // 32] >> (place % 32) & 1 else -1
                        counters[r][i] = max(
                            -limit, min(limit - 1, counters[r][i] + f[i] + noise * sign)
                        )
                    spins[r] = clamped([1 if c >= 0 else -1 for c in counters[r]])
                else:
                    m, place = list(spins[r]), 0
                    for i in range(n):
                        if i not in made and colours[i] == phase % (max(colours) + 1):
                            number = own[place // 2] >> (16 * (place % 2)) & 0xFFFF
                            m[i] = 1 if number < row[f[i] + reach] else -1
                            place += 1
                    spins[r] = clamped(m)
        valid = [r for r in range(replicas) if is_valid(spins[r])]
        hits += bool(valid)
        if valid and not found:
            found, at, answer = True, t + 1, completed(spins[valid[0]])
        if op.target is not None and not found:
            for r in range(replicas):
                if best is None or energy(spins[r]) < best:
                    best, at, answer = energy(spins[r]), t + 1, list(spins[r])
        if found and op.stops:
            break
    if answer is None:
        answer = completed(spins[0])
    out = [
        int(found),
        *((at >> 8 * k) & 255 for k in range(4)),
        *((hits >> 8 * k) & 255 for k in range(4)),
    ]
    for k in range(0, n, 8):
        out.append(sum(1 << i for i, m in enumerate(answer[k : k + 8]) if m > 0))
    return out


def statistics(advance) -> tuple[float, float]:
    """Of the bits of four generators over 2^16 cycles, in deviations: worst mean, worst pair up to lag 3."""
    cycles = 1 << 16
    states = np.random.default_rng(0).integers(1 << 31, 1 << 32, 4).astype(np.uint32)
    streams = np.empty((cycles, 128), np.int8)
    for t in range(cycles):
        states = advance(states)
        streams[t] = xorshift.bits(states, 128)
    signs = (2 * streams - 1).astype(np.float32)
    worst = 0.0
    for lag in range(4):
        pairs = signs[: cycles - lag].T @ signs[lag:] / np.sqrt(cycles - lag)
        if lag == 0:
            np.fill_diagonal(pairs, 0)
        worst = max(worst, float(np.abs(pairs).max()))
    return float(np.abs(signs.sum(axis=0)).max() / np.sqrt(cycles)), worst


class TestXorshift:
    def test_every_bit_is_fair_and_no_two_are_alike(self):
        mean, pair = statistics(xorshift.advance)
        assert mean < 4
        assert pair < 5.2  # of 65 536 pairs

    def test_a_biased_bit_and_a_shift_register_are_told(self):
        biased, _ = statistics(lambda s: xorshift.advance(s) | (xorshift.advance(s) >> 4 & 16))
        assert biased > 4
        # One step of a shift register a cycle: a bit is its neighbour's a cycle ago.
        _, alike = statistics(lambda s: s << 1 | (s >> 31 ^ s >> 21 ^ s >> 1 ^ s) & 1)
        assert alike > 5.2

    def test_matrix_is_a_step(self):
        states = np.random.default_rng(1).integers(1, 1 << 32, 50).astype(np.uint32)
        expected = xorshift.advance(states).tolist()
        for state, following in zip(states.tolist(), expected, strict=True):
            found = sum(
                (bin(state & row).count("1") & 1) << bit
                for bit, row in enumerate(xorshift.matrix())
            )
            assert found == following


def test_products_are_energies_of_more_spins():
    """F is half of what turning a spin over changes the energy by, products turned with it."""
    for seed in range(20):
        op = network(np.random.default_rng(seed), nodes=9, products=4, ports=0, density=0.7)
        assert len(op.products.array) == 4
        walk = Walk(op, np.zeros((1, 9), np.int64))
        spins = np.random.default_rng(seed).choice([-1, 1], (30, 1, 9))
        node, a, b = op.products.array.T
        spins[..., node] = np.minimum(spins[..., a], spins[..., b])
        fields = walk.fields(spins)
        pulls, energy = walk.pulls(spins, fields), walk.energies(spins, fields)
        for i in op.spins.tolist():
            turned = spins.copy()
            turned[..., i] *= -1
            turned[..., node] = np.minimum(turned[..., a], turned[..., b])
            change = walk.energies(turned, walk.fields(turned)) - energy
            assert np.array_equal(change, 2 * spins[..., i] * pulls[..., i])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"engine": "annealer"}, "engine must be accumulator or gibbs, not 'annealer'"),
        ({"ports": (0, 0)}, "ports must be different nodes"),
        ({"cycles": 0}, "cycles must lie in 1.."),
        ({"swap_every": 4}, "an exchange needs two replicas or more"),
        ({"target": -3}, "a target goes with no relations"),
        ({"colours": "h"}, "has no colours"),
        ({"seeds": "h"}, "one a generator"),
        ({"table": "h"}, "a noise and a limit a class"),
    ],
)
def test_what_is_wrong_is_told(change, told):
    op = network(np.random.default_rng(0))
    changed = {k: op.h if v == "h" else v for k, v in change.items()}
    builder = GraphBuilder("g")
    x = builder.input(Type.of((op.frame.input_bytes,), 0, 255))
    with pytest.raises(RuleViolation, match=told):
        builder.add(replace(op, **changed), x)


def test_frames_survive():
    op = network(np.random.default_rng(0), nodes=13, ports=9)
    rng = np.random.default_rng(1)
    seeds, clamps = rng.integers(0, 1 << 31, 20), rng.integers(-1, 2, (20, 9))
    x = op.frame.pack_inputs(seeds, clamps)
    again = op.frame.unpack_inputs(x)
    assert np.array_equal(again[0], seeds)
    assert np.array_equal(again[1], clamps)
    answer = op.solve(x)
    back = op.frame.unpack_outputs(op.run(x))
    assert all(np.array_equal(a, b) for a, b in zip(answer, back, strict=True))


def test_few_neighbours_are_gathered():
    """A sparse network has the fields that its matrix gives."""
    op = network(np.random.default_rng(8), nodes=200, density=0.004, ports=4, checks="")
    assert 40 * (op.matrix != 0).sum(axis=1).max() <= 200
    spins = np.random.default_rng(0).choice([-1, 1], (7, 2, 200))
    walk = Walk(op, np.zeros((7, 200), np.int64))
    assert np.array_equal(walk.fields(spins), spins @ op.matrix + op.h.array)


def test_a_run_is_its_states():
    """The states that are shown one by one are those that a run checks."""
    op = network(np.random.default_rng(3), nodes=5, stops=False, cycles=50, ports=2)
    clamps = np.zeros((4, 5), np.int64)
    walk = Walk(op, clamps)
    states = list(walk.states(np.arange(4, dtype=np.uint32), 50))
    hits = sum(walk.valid(walk.completed(s.spins)).any(axis=1).astype(int) for s in states[1:])
    assert np.array_equal(hits, op.solve(op.frame.pack_inputs(np.arange(4))).hits)
