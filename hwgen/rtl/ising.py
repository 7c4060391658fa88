"""Networks of spins in hardware: replicas, what exchanges them, a checker and the first valid state."""

from __future__ import annotations

from functools import reduce
from operator import and_

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed

from ..ops.ising import LEVELS, Ising
from ..ops.lib.xorshift import SEED_BITS
from .design import StreamShape
from .lib import area, timing
from .lib.area import Area
from .lib.component import StreamComponent, generates
from .lib.loops import wrapped
from .lib.registers import Field, Registers
from .lib.spins import NUMBER, Replica, energy_width, lookup
from .lib.xorshift import Xorshift

__all__ = ["IsingLayer"]

COUNT = 32  # bits of the counters in an answer


class IsingLayer(StreamComponent):
    """A beat of seed and clamps in, as many cycles as it takes, a beat with the answer out.

    Parameters
    ----------
    op
        The network.

    Attributes
    ----------
    replicas
        Their components.
    running
        1 while states follow each other.
    elapsed
        Cycles since the first state.
    valid
        By replica, whether its state (with energies: that of ``op.delay`` cycles ago) is valid.
    """

    def __init__(self, op: Ising, source: StreamShape, target: StreamShape) -> None:
        self._op = op
        self.timing_is_bound = bool(op.stops and op.checks)
        self.replicas = [Replica(op, r) for r in range(op.replicas)]
        own = op.replicas * op.replica_generators
        self._swaps = Xorshift(op.seeds.array[own:]) if op.swap_every else None
        self._clamps: dict[str, Signal] = {}
        self.running = Signal(name="running")
        self.elapsed = Signal(range(op.cycles + op.delay + 1), name="elapsed")
        self.valid = Signal(op.replicas, name="valid")
        super().__init__((source,), target)

    def timing(self):
        return [timing.Accumulate(1, self._op.cycles + self._op.delay + 2)]

    def elaborate(self, platform):
        m = Module()
        op = self._op
        for r, replica in enumerate(self.replicas):
            m.submodules[f"replica_{r}"] = replica
        load = Signal()
        m.d.comb += [
            self.i.ready.eq(~self.running & (~self.o.valid | self.o.ready)),
            load.eq(self.i.valid & self.i.ready),
        ]
        self._inputs(m, load)
        update, colour, exchange, odd = self._phases(m, load)
        segment = self._segment(m, load)
        for replica in self.replicas:
            m.d.comb += [
                replica.load.eq(load),
                replica.update.eq(update),
                replica.segment.eq(segment),
                replica.colour.eq(colour),
            ]
        if op.swap_every:
            self._exchange(m, load, exchange, odd)
        self._answer(m, load)
        return m

    def _inputs(self, m: Module, load) -> None:
        """Hand the seed on, and keep the clamps."""
        op, width = self._op, self._op.frame.port_bytes
        octets = list(self.i.payload)
        seed = Cat(*octets[:4])
        if op.ports:
            parts = {
                "clamp_enable": Cat(*octets[4 : 4 + width]),
                "clamp_value": Cat(*octets[4 + width :]),
            }
            for name, part in parts.items():
                kept = self._clamps[name] = Signal(len(op.ports), name=name)
                with m.If(load):
                    m.d.sync += kept.eq(part)
                for replica in self.replicas:
                    # The first state is clamped by what is kept: it shows a cycle after the load.
                    m.d.comb += getattr(replica, name).eq(kept)
        generators = [*self.replicas, *([self._swaps] if self._swaps else [])]
        for each in generators:
            m.d.comb += each.seed.eq(seed[: len(each.seed)])

    def _phases(self, m: Module, load) -> tuple[Value, Value, Value, Value]:
        """What happens in a cycle: an update (of which colour), or an exchange (of which pairs)."""
        op = self._op
        update = Signal()
        exchange = Signal()
        colour = Signal(range(max(2, op.colour_count)))
        odd = Signal(name="odd_pairs")
        m.d.comb += update.eq(self.running)
        if op.swap_every:
            period = op.swap_every + op.settling
            phase = Signal(range(period))
            with m.If(load):
                m.d.sync += [phase.eq(0), odd.eq(0)]
            with m.Elif(self.running):
                m.d.sync += phase.eq(wrapped(phase, period))
            m.d.comb += [
                update.eq(self.running & (phase < op.swap_every)),
                exchange.eq(self.running & (phase == period - 1)),
            ]
            with m.If(exchange):
                m.d.sync += odd.eq(~odd)
        if op.colour_count > 1:
            with m.If(load):
                m.d.sync += colour.eq(0)
            with m.Elif(update):
                m.d.sync += colour.eq(wrapped(colour, op.colour_count))
        return update, colour, exchange, odd

    def _segment(self, m: Module, load) -> Value:
        starts = self._op.starts.array.tolist()
        segment = Signal(range(max(2, len(starts))))
        if len(starts) > 1:
            with m.If(load):
                m.d.sync += segment.eq(0)
            for k, start in enumerate(starts[1:], 1):
                with m.If(self.running & (self.elapsed == start - 1)):
                    m.d.sync += segment.eq(k)
        return segment

    def _exchange(self, m: Module, load, exchange, odd) -> None:
        """Which neighbouring replicas change places."""
        op = self._op
        m.submodules.swap_random = random = self._swaps
        m.d.comb += random.load.eq(load)
        numbers = random.halves(op.replicas - 1)
        for p in range(op.replicas - 1):
            lower, upper = self.replicas[p], self.replicas[p + 1]
            difference = Signal(signed(energy_width(op) + 1), name=f"difference_{p}")
            steps = Signal(signed(energy_width(op) - 1), name=f"steps_{p}")
            table = [*op.swap_table.array[p].tolist(), 0]
            beyond = Signal(name=f"beyond_{p}")
            index = Signal(range(len(table)), name=f"index_{p}")
            swap = Signal(name=f"swap_{p}")
            m.d.comb += [
                # Energies here are -2 E.
                difference.eq(upper.energy - lower.energy),
                steps.eq(difference >> 2),
                beyond.eq(steps >= len(table)),
                index.eq(Mux(beyond, len(table) - 1, (steps - 1)[: len(index)])),
            ]
            allowed = lookup(m, index, table, f"allowed_{p}", NUMBER + 1)
            wanted = (steps <= 0) | (numbers[p] < allowed)
            m.d.comb += [
                swap.eq(exchange & (odd if p % 2 else ~odd) & wanted),
                lower.upper.eq(upper.registers),
                upper.lower.eq(lower.registers),
                lower.from_upper.eq(swap),
                upper.from_lower.eq(swap),
            ]

    def _completed(self, m: Module, r: int) -> list[Value]:
        """The spins of a replica with those that are derived, after ``op.delay`` registers."""
        op = self._op
        bits = list(self.replicas[r].spins)
        for level, rows in enumerate(op.derived_levels, 1):
            for k in rows:
                node, *inputs = op.derived.array[k].tolist()
                derived = Signal(name=f"derived_{r}_{node}")
                found = _looked_up(bits, inputs, int(op.derived_tables.array[k]))
                if node in op.ports:
                    enable = self._clamps["clamp_enable"][op.ports.index(node)]
                    found = Mux(enable, bits[node], found)
                m.d.comb += derived.eq(found)
                bits[node] = derived
            if level % LEVELS == 0:
                kept = Signal(op.nodes, name=f"checked_{r}_{level}", reset_less=True)
                m.d.sync += kept.eq(Cat(*bits))
                bits = list(kept)
        return bits

    def _holds(self, bits: list[Value]) -> Value:
        """Whether every relation allows them."""
        nodes, tables = self._op.relation_nodes.array, self._op.relation_tables.array
        held = [
            _looked_up(bits, row, table)
            for row, table in zip(nodes.tolist(), tables.tolist(), strict=True)
        ]
        return reduce(and_, held)

    def _answer(self, m: Module, load) -> None:
        """Look at every state, and keep the answer so far, which is the output register."""
        op = self._op
        found = Signal()
        cycle = Signal(COUNT)
        hits = Signal(COUNT)
        spins = Signal(op.nodes, name="answer")
        seen = [replica.spins for replica in self.replicas]
        if op.checks == "energy":
            seen = [self._delayed(m, value, f"seen_{r}") for r, value in enumerate(seen)]
            threshold = -2 * op.target
            for r, replica in enumerate(self.replicas):
                m.d.comb += self.valid[r].eq(replica.energy >= threshold)
            better, best = self._best(m, seen)
        elif op.checks:
            for r in range(op.replicas):
                bits = self._completed(m, r)
                seen[r] = Cat(*bits)
                m.d.comb += self.valid[r].eq(self._holds(bits))

        checks = Signal()
        last = Signal(name="last_cycle")
        hit = Signal()
        ends = Signal()
        m.d.comb += [
            checks.eq(self.running & (self.elapsed > op.delay)),
            last.eq(self.elapsed == op.cycles + op.delay),
            hit.eq(checks & self.valid.any()),
            ends.eq(self.running & (last | (hit if op.stops else 0))),
        ]
        winner = Signal(op.nodes)
        m.d.comb += winner.eq(seen[-1])
        for r in reversed(range(op.replicas - 1)):
            with m.If(self.valid[r]):
                m.d.comb += winner.eq(seen[r])
        with m.If(load):
            m.d.sync += [found.eq(0), hits.eq(0), cycle.eq(op.cycles)]
        with m.Elif(hit):
            m.d.sync += hits.eq(hits + 1)
        with m.If(hit & ~found):
            m.d.sync += [found.eq(1), spins.eq(winner), cycle.eq(self.elapsed - op.delay)]
        if op.checks == "energy":
            with m.Elif(checks & ~found & better):
                m.d.sync += [spins.eq(best), cycle.eq(self.elapsed - op.delay)]
        else:
            with m.Elif(ends & ~found):
                m.d.sync += spins.eq(seen[0])

        with m.If(load):
            m.d.sync += [self.running.eq(1), self.elapsed.eq(0)]
        with m.Elif(self.running):
            m.d.sync += self.elapsed.eq(self.elapsed + 1)
        with m.If(ends):
            m.d.sync += [self.running.eq(0), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        octets = Cat(found, Const(0, 7), cycle, hits, spins)
        for k in range(self.output.lanes):
            m.d.comb += self.o.payload[k].eq(octets[8 * k : 8 * k + 8])

    def _delayed(self, m: Module, value, name: str) -> Value:
        """Spins as long ago as those of which energies are known."""
        for k in range(self._op.delay):
            kept = Signal(len(value), name=f"{name}_{k}", reset_less=True)
            m.d.sync += kept.eq(value)
            value = kept
        return value

    def _best(self, m: Module, seen: list[Value]) -> tuple[Value, Value]:
        """Whether a replica has the least energy so far, and the spins of the one that has least."""
        op = self._op
        energy, spins = self.replicas[0].energy, seen[0]
        for r, replica in enumerate(self.replicas[1:], 1):
            is_lower = Signal(name=f"is_lower_{r}")
            m.d.comb += is_lower.eq(replica.energy > energy)
            energy, spins = Mux(is_lower, replica.energy, energy), Mux(is_lower, seen[r], spins)
        least = Signal(signed(energy_width(op)), name="least_energy", reset_less=True)
        now = Signal.like(least, name="energy_now")
        best = Signal(op.nodes, name="best_spins")
        better = Signal()
        m.d.comb += [
            now.eq(energy),
            best.eq(spins),
            better.eq((self.elapsed == op.delay + 1) | (now > least)),
        ]
        with m.If(better):
            m.d.sync += least.eq(now)
        return better, best

    def area(self):
        op = self._op
        total = area.registers(op.nodes + 1) + area.control(3 * COUNT) + Area(lut=op.nodes)
        for replica in self.replicas:
            total += replica.area()
        if op.checks == "relations":
            relations = len(op.relation_tables.array)
            total += Area(lut=relations + relations // 5 + 1) * op.replicas
            tables = sum(len(rows) for rows in op.derived_levels)
            total += (Area(lut=tables) + area.registers(op.nodes * op.delay)) * op.replicas
        if op.checks == "energy":
            total += area.registers(op.nodes * op.delay * op.replicas)
        if op.swap_every:
            entries = op.swap_table.shape[1]
            each = area.table(entries, NUMBER) + area.adder(energy_width(op))
            total += self._swaps.area() + (each + area.comparison(NUMBER)) * (op.replicas - 1)
        return total

    def registers(self):
        op = self._op
        ports = len(op.ports)
        return Registers(
            inputs=(
                Field("seed", SEED_BITS, "seed of the random numbers"),
                Field("clamp_enable", ports, "bit k tells whether port k is clamped"),
                Field("clamp_value", ports, "bit k is 1 to clamp port k to 1, 0 for -1"),
            ),
            outputs=(
                Field("found", 1, "whether there was a valid state"),
                Field("cycle", COUNT, "cycles until the state of the answer"),
                Field("hits", COUNT, "cycles behind which a state was valid"),
                Field("spins", op.nodes, "bit i is 1 where spin i is 1, 0 for -1"),
            ),
        )


def _looked_up(bits: list[Value], nodes: list[int], table: int) -> Value:
    """The bit of a table at what some nodes have."""
    index = Cat(*(bits[i] for i in nodes if i >= 0))
    words = 1 << len(index)
    return Const(table & ((1 << words) - 1), words).bit_select(index, 1)


@generates(Ising)
def make(op, types, result, schedule, name):
    (x,) = types
    lanes, out_lanes = op.lanes(x, schedule=schedule)
    return IsingLayer(op, StreamShape.of(x, lanes), StreamShape.of(result, out_lanes))
