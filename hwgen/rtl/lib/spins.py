"""A replica of a network of spins in hardware: its registers, and what they become in a cycle.

The software of it is :mod:`hwgen.ops.lib.ising_walk`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...ir.types import Int
from ...ops.ising import Ising
from . import area
from .area import Area
from .component import element_shape
from .saturation import saturated_sum, saturated_sum_area
from .xorshift import Xorshift

__all__ = ["Replica", "energy_width", "lookup"]

NUMBER = 16  # bits of a random number


def energy_width(op: Ising) -> int:
    """Bits of a sum of ``m (h + F)`` over all spins."""
    most = int((np.abs(op.h.array) + op.pair_reaches).sum())
    return Int.fit(-most, most).width


def lookup(m: Module, index, values: Sequence[int], name: str, width: int) -> Value:
    """``values[index]``, the last one beyond the end; constant if all are alike."""
    if len(set(values)) == 1:
        return Const(values[0], width)
    found = Signal(width, name=name)
    with m.Switch(index):
        for k, value in enumerate(values):
            if value != values[-1]:
                with m.Case(k):
                    m.d.comb += found.eq(value)
        with m.Default():
            m.d.comb += found.eq(values[-1])
    return found


class Replica(wiring.Component):
    """All spins of a network, updated at once or colour by colour.

    Parameters
    ----------
    op
        The network.
    index
        Which replica.

    Attributes
    ----------
    load, update
        Begin with what ``seed`` gives; go on by an update.
    segment, colour
        Which rows of the table hold, which spins are updated.
    clamp_enable, clamp_value
        By port, if there are any.
    lower, upper, from_lower, from_upper
        Registers of the replicas beside it, and whether to take them over.
    registers
        Its own: counters, or spins as they are unless they are clamped.
    spins
        A bit a node.
    energy
        ``-2 E`` of the spins ``op.settling - 1`` cycles ago. Only where something looks at it.
    """

    _MustUse__silence = True  # some are made for their area alone

    def __init__(self, op: Ising, index: int) -> None:
        self.op, self.index = op, index
        self._levels = op.levels.array[:, index]
        self._rows = op.table.array[self._levels]
        self._own = op.spins.tolist()
        self._halves = {i: self._half(i) for i in self._own}
        self._widths = {i: (2 * half - 1).bit_length() for i, half in self._halves.items()}
        bits = sum(self._widths.values())
        self.has_energy = op.checks == "energy" or bool(op.swap_every)
        each = op.replica_generators
        self._random = Xorshift(op.seeds.array[index * each : (index + 1) * each])
        members = {
            "load": In(1),
            "update": In(1),
            "seed": In(len(self._random.seed)),
            "segment": In(range(max(2, len(op.starts.array)))),
            "colour": In(range(max(2, op.colour_count))),
            "registers": Out(bits),
            "spins": Out(op.nodes),
        }
        if op.ports:
            members |= {"clamp_enable": In(len(op.ports)), "clamp_value": In(len(op.ports))}
        if op.swap_every:
            members |= {
                "from_lower": In(1),
                "from_upper": In(1),
                "lower": In(bits),
                "upper": In(bits),
            }
        if self.has_energy:
            members["energy"] = Out(signed(energy_width(op)))
        super().__init__(members)

    @property
    def _counts(self) -> bool:
        return self.op.engine == "accumulator"

    def _half(self, i: int) -> int:
        """Half the states of a node: of a counter the largest limit, in all replicas, that may swap."""
        if not self._counts:
            return 1
        rows = self.op.table.array[self.op.levels.array]
        return int(rows[..., 2 * self.op.node_classes[i] + 1].max())

    def _noises(self, i: int) -> np.ndarray:
        """By segment: int64 (segments,)."""
        return self._rows[:, 2 * self.op.node_classes[i]]

    def _limits(self, i: int) -> np.ndarray:
        return self._rows[:, 2 * self.op.node_classes[i] + 1]

    def elaborate(self, platform):
        m = Module()
        op = self.op
        m.submodules.random = random = self._random
        m.d.comb += [random.load.eq(self.load), random.seed.eq(self.seed)]
        states = {i: Signal(width, name=f"state_{i}") for i, width in self._widths.items()}
        m.d.comb += self.registers.eq(Cat(*states.values()))
        ups = self._spins(m, states)
        sums = [self._sum(m, ups, i) for i in range(op.nodes)]
        pulls = self._pulls(m, ups, sums)
        following = self._counted(m, states, pulls) if self._counts else self._heat_bath(m, pulls)
        first = Value.cast(random.first)
        at = 0
        for i, state in states.items():
            after = following[i]
            up = first[i % len(first)]
            begin = (self._halves[i] - 1) + up if self._counts else up
            own = slice(at, at + len(state))
            at += len(state)
            with m.If(self.load):
                m.d.sync += state.eq(begin)
            if op.swap_every:
                with m.Elif(self.from_lower):
                    m.d.sync += state.eq(self.lower[own])
                with m.Elif(self.from_upper):
                    m.d.sync += state.eq(self.upper[own])
            enabled = self.update
            if op.colour_count > 1:
                enabled = enabled & (self.colour == int(op.colours.array[i]))
            with m.Elif(enabled):
                m.d.sync += state.eq(after)
        if self.has_energy:
            self._energy(m, ups, sums)
        return m

    @property
    def _products(self) -> list[list[int]]:
        return [] if self.op.products is None else self.op.products.array.tolist()

    def _spins(self, m: Module, states: dict[int, Signal]) -> list[Signal]:
        """Of a counter the sign; of a clamped node its value."""
        op = self.op
        ups = [Signal(name=f"spin_{i}") for i in range(op.nodes)]
        for i, state in states.items():
            half = self._halves[i]
            up = state[-1] if half & (half - 1) == 0 else state >= half
            if i in op.ports:
                port = op.ports.index(i)
                up = Mux(self.clamp_enable[port], self.clamp_value[port], up)
            m.d.comb += ups[i].eq(up)
        for node, a, b in self._products:
            m.d.comb += ups[node].eq(ups[a] & ups[b])
        m.d.comb += self.spins.eq(Cat(*ups))
        return ups

    def _neighbours(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        row = self.op.matrix[i]
        found = np.flatnonzero(row)
        return found, row[found]

    def _base(self, i: int) -> int:
        """F if all terms of the sum were 0."""
        return int(self.op.h.array[i] - np.abs(self.op.matrix[i]).sum())

    def _sum(self, m: Module, ups, i: int) -> Value:
        """S of a node, where F = base + 2 S: the weights of the neighbours that pull it up."""
        nodes, weights = self._neighbours(i)
        if not len(nodes):
            return Const(0, 1)
        total = 0
        for weight in sorted(set(np.abs(weights).tolist())):
            pull = [
                ups[int(j)] if w > 0 else ~ups[int(j)]
                for j, w in zip(nodes, weights, strict=True)
                if abs(w) == weight
            ]
            total = total + sum(pull[1:], pull[0]) * weight
        pulls = Signal(range(int(np.abs(weights).sum()) + 1), name=f"pull_{i}")
        m.d.comb += pulls.eq(total)
        return pulls

    def _pulls(self, m: Module, ups, sums) -> dict[int, Value]:
        """By spin, its F less :meth:`_base`: 2 S, and F of the products that would turn with it."""
        through: dict[int, list[Value]] = {i: [] for i in self._own}
        for node, *factors in self._products:
            most = int(self.op.pair_reaches[node])
            shape = element_shape(Int.fit(-most, most))
            field = Signal(shape, name=f"field_{node}")
            m.d.comb += field.eq((sums[node] << 1) + self._base(node))
            for factor, other in zip(factors, reversed(factors), strict=True):
                part = Signal(shape, name=f"through_{node}_{factor}")
                m.d.comb += part.eq(Mux(ups[other], field, 0))
                through[factor].append(part)
        return {i: sum(through[i], sums[i] << 1) for i in self._own}

    def _counted(self, m: Module, states, pulls) -> dict[int, Value]:
        """Counters with the fields and noise added."""
        op, bits, found = self.op, self._random.bits(len(self._own)), {}
        levels = {}  # what nodes of a class have in common
        for i, state in states.items():
            bit = bits[int(op.places[i])]
            kind = int(op.node_classes[i])
            if kind not in levels:
                levels[kind] = self._levels_of(m, i, f"_{kind}" if op.classes is not None else "")
            noise, lowest, highest = levels[kind]
            most = int(op.reaches[i] + self._noises(i).max())
            source = Int.fit(-most, most)
            added = Signal(element_shape(source), name=f"added_{i}")
            if isinstance(noise, Const):
                # S and the random bit are one sum, with the constants of both in one.
                kick = (bit << 1) * noise.value if noise.value else Const(0, 1)
                value = pulls[i] + kick + (self._base(i) - noise.value)
            else:
                value = pulls[i] + self._base(i) + Mux(bit, noise, -noise)
            m.d.comb += added.eq(value)
            following = Signal(len(state), name=f"following_{i}")
            total = saturated_sum(m, state, added, highest, source, f"sum_{i}", lowest)
            m.d.comb += following.eq(total)
            found[i] = following
        return found

    def _levels_of(self, m: Module, i: int, suffix: str) -> tuple:
        """Noise, and the lowest and highest count, of a node's class in this segment."""
        half, width = self._halves[i], self._widths[i]
        noises, limits = self._noises(i).tolist(), self._limits(i).tolist()
        noise = lookup(m, self.segment, noises, f"noise{suffix}", max(1, max(noises).bit_length()))
        lowest = lookup(m, self.segment, [half - x for x in limits], f"lowest{suffix}", width)
        highest = lookup(m, self.segment, [half + x - 1 for x in limits], f"highest{suffix}", width)
        if isinstance(lowest, Const):
            lowest, highest = lowest.value, highest.value
        return noise, lowest, highest

    def _heat_bath(self, m: Module, pulls) -> dict[int, Value]:
        """Whether a node's random number is below the threshold of its field."""
        op = self.op
        numbers = self._random.halves(int(op.places.max()) + 1)
        rows = sorted(set(self._levels.tolist()))
        row = lookup(m, self.segment, [rows.index(r) for r in self._levels], "row", 8)
        mixed = {factor for _, *factors in self._products for factor in factors}
        found = {}
        for i, pull in pulls.items():
            # F is odd or even for all states, unless products come and go.
            most, step = int(op.reaches[i]), 1 if i in mixed else 2
            lowest = self._base(i) if step == 2 else -most
            if step == 2:
                most = int(np.abs(op.matrix[i]).sum()) * 2 + lowest
            index = Signal(range((most - lowest) // step + 1), name=f"index_{i}")
            above_lowest = pull + (self._base(i) - lowest)
            m.d.comb += index.eq(above_lowest >> (step - 1))
            fields = np.arange(lowest, most + 1, step) + op.reach
            thresholds = [
                lookup(m, index, op.table.array[r, fields].tolist(), f"threshold_{i}_{k}", 17)
                for k, r in enumerate(rows)
            ]
            threshold = thresholds[0]
            if len(rows) > 1:
                threshold = Signal(17, name=f"threshold_{i}")
                with m.Switch(row):
                    for k, value in enumerate(thresholds):
                        with m.Case(k):
                            m.d.comb += threshold.eq(value)
            up = Signal(name=f"up_{i}")
            m.d.comb += up.eq(numbers[int(op.places[i])] < threshold)
            found[i] = up
        return found

    def _energy(self, m: Module, ups, sums) -> None:
        """The sum of m (h + F), four terms a register, and registers in front of it."""
        op = self.op
        row, level = [], 0
        for i, (up, total) in enumerate(zip(ups, sums, strict=True)):
            most = abs(int(op.h.array[i])) + int(op.pair_reaches[i])
            shape = element_shape(Int.fit(-most, most))
            outer = Signal(shape, name=f"pull_and_bias_{i}")
            term = Signal(shape, name=f"term_{i}", reset_less=True)
            m.d.comb += outer.eq((total << 1) + (self._base(i) + int(op.h.array[i])))
            m.d.sync += term.eq(Mux(up, outer, -outer))
            row.append((term, most))
        while len(row) > 1:
            level += 1
            groups = [row[k : k + 4] for k in range(0, len(row), 4)]
            row = []
            for k, group in enumerate(groups):
                most = sum(bound for _, bound in group)
                part = Signal(
                    element_shape(Int.fit(-most, most)), name=f"sum_{level}_{k}", reset_less=True
                )
                m.d.sync += part.eq(sum((term for term, _ in group[1:]), group[0][0]))
                row.append((part, most))
        m.d.comb += self.energy.eq(row[0][0])

    # -- what it takes ----------------------------------------------------------------------------

    def area(self) -> Area:
        op = self.op
        total = self._random.area()
        for i in range(op.nodes):
            nodes, weights = self._neighbours(i)
            own = int(np.abs(weights).sum()).bit_length()
            total += Area(lut=round(1.2 * len(nodes)))  # the sum of bits
            if self.has_energy:
                total += area.adder(own + 2) + area.registers(own + 2) + area.adder(own + 4)
        for node, *factors in self._products:
            total += area.adder(int(op.pair_reaches[node]).bit_length() + 1) * len(factors)
        for i, width in self._widths.items():
            most = int(op.reaches[i])
            if self._counts:
                most += int(self._noises(i).max())
                total += saturated_sum_area(2 * self._halves[i] - 1, Int.fit(-most, most))
            else:
                total += area.table((most + 1) * len(self._rows), NUMBER) + area.comparison(NUMBER)
            total += area.registers(width) + Area(lut=width * (1 + bool(op.swap_every)))
        return total
