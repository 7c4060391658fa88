"""How many of many bits are 1: a tree of counters of seven bits, in stages.

Seven bits of one weight become three, in three tables of six inputs and one short carry chain; the last
two bits of every weight go through one adder. A constant goes into the tree as bits that are 1.
(Parhami, "Computer Arithmetic", section 8.5; for FPGAs Preusser, "Generic and Universal Parallel
Matrix Summation with a Flexible Compression Goal for Xilinx FPGAs", FPL 2017.)

In Verilog every shape is one leaf module, laid out from ``rtl_templates/popcount.v.j2``: neurons with
equally many inputs share it. Amaranth's own simulator gets the sum in as many stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from amaranth import Cat, ClockSignal, Instance, Module, Signal

from ..platform import VerilogPlatform
from . import area
from .area import Area

__all__ = ["CountPlan", "add_leaf", "popcount"]

ONE = "1'b1"
_TABLES = {3: 2, 4: 3, 5: 3, 6: 3, 7: 3}  # look-up tables that count so many bits


@dataclass(frozen=True)
class CountPlan:
    """Where the registers of a tree are, and what lies between them.

    Attributes
    ----------
    bits
        That are counted, 1 or more.
    offset
        Constant that is added.
    width
        Bits of the sum, which wraps.
    first, levels
        Levels of counters in front of the first register, and between two others; the last adder
        counts as two.
    delay
        Stages behind the sum, in which nothing is done.
    """

    bits: int
    offset: int
    width: int
    first: int
    levels: int
    delay: int = 0

    @property
    def depth(self) -> int:
        """Stages in all."""
        return len(self.layout["stages"]) + self.delay

    @property
    def area(self) -> Area:
        layout = self.layout
        chains = 4 * layout["sevens"] + area.carry_chain(layout["added"])
        held = area.registers(layout["flip_flops"] + self.delay * self.width)
        return Area(lut=layout["tables"] + layout["added"], carry=chains) + held

    @cached_property
    def layout(self) -> dict:
        """What the template lays out, stage by stage, and how much it is."""
        offset = self.offset % (1 << self.width)
        columns: list[list[str]] = [[] for _ in range(self.width)]
        columns[0] = [f"bits[{k}]" for k in range(self.bits)]
        for weight in range(self.width):
            if offset >> weight & 1:
                columns[weight].append(ONE)
        stages: list[dict] = [{"counts": [], "registers": []}]
        found = {"stages": stages, "tables": 0, "sevens": 0, "flip_flops": self.width}
        room, level = self.first, 0
        while max(map(len, columns)) > 2:
            if room < 1:
                self._register(columns, found)
                room = self.levels
            level += 1
            columns = self._level(columns, level, found)
            room -= 1
        if room < 2 and stages[-1]["counts"]:
            self._register(columns, found)
        return found | self._last(columns)

    def _register(self, columns: list[list[str]], found: dict) -> None:
        """All bits into registers, and a new stage behind them."""
        stages = found["stages"]
        for weight, column in enumerate(columns):
            varying = [bit for bit in column if bit != ONE]
            if not varying:
                continue
            name = f"weight{1 << weight}_q{len(stages)}"
            stages[-1]["registers"].append(
                {"name": name, "width": len(varying), "value": _joined(varying)}
            )
            found["flip_flops"] += len(varying)
            names = [f"{name}[{k}]" for k in range(len(varying))]
            columns[weight] = names + [ONE] * (len(column) - len(varying))
        stages.append({"counts": [], "registers": []})

    def _level(self, columns: list[list[str]], level: int, found: dict) -> list[list[str]]:
        """One level of counters; bits that are left over wait for others."""
        after: list[list[str]] = [[] for _ in range(self.width)]
        counts = found["stages"][-1]["counts"]
        number = 0
        for weight, column in enumerate(columns):
            bits = list(column)
            while len(bits) >= 7 or 2 < len(bits) == len(column):
                group, bits = bits[:7], bits[7:]
                size = 7 if len(group) == 7 else 6
                name = f"count{level}_{number}"
                number += 1
                counts.append(
                    {
                        "name": name,
                        "weight": 1 << weight,
                        "bits": _joined(group + ["1'b0"] * (size - len(group))),
                        "size": size,
                    }
                )
                made = min(len(group).bit_length(), self.width - weight)
                for k in range(made):
                    after[weight + k].append(f"{name}[{k}]")
                found["tables"] += min(_TABLES[len(group)], made)
                found["sevens"] += size == 7
            after[weight] = bits + after[weight]
        for column in after:  # constants last, where they leave a counter incomplete
            column.sort(key=lambda bit: bit == ONE)
        return after

    def _last(self, columns: list[list[str]]) -> dict:
        """The two rows that are left, as an addition."""
        split = next((k for k, column in enumerate(columns) if len(column) > 1), self.width)
        low = [column[0] if column else "1'b0" for column in columns[:split]]
        left, right = (
            [column[k] if len(column) > k else "1'b0" for column in columns[split:]] for k in (0, 1)
        )
        highest = max((k for k, column in enumerate(columns) if column), default=0)
        return {
            "low": _joined(low) if low else "",
            "left": _joined(left) if left else "",
            "right": _joined(right) if right else "",
            "added": max(0, highest + 1 - split),
        }


def _joined(bits: Sequence[str]) -> str:
    """Bits as Verilog, the first one lowest: runs of one net as a slice of it."""
    parts: list[tuple[str, int, int]] = []
    for bit in bits:
        name, bracket, index = bit.partition("[")
        at = int(index[:-1]) if bracket else -1
        if at > 0 and parts and parts[-1][0] == name and parts[-1][2] == at - 1:
            parts[-1] = (name, parts[-1][1], at)
        else:
            parts.append((name, at, at))
    texts = [
        name if low < 0 else f"{name}[{low}]" if low == high else f"{name}[{high}:{low}]"
        for name, low, high in reversed(parts)
    ]
    return texts[0] if len(texts) == 1 else f"{{{', '.join(texts)}}}"


def popcount(
    m: Module, platform, plan: CountPlan, leaf: str, name: str, enable: Sequence, bits: Sequence
) -> Signal:
    """The number of ones in ``bits``, and the plan's constant, modulo 2^width.

    Parameters
    ----------
    m, platform
        The module that it becomes part of, and what that is elaborated for.
    leaf
        Name of the Verilog module, the same for all of the same plan.
    name
        Of the instance.
    enable
        By stage, whether its registers load.
    """
    result = Signal(plan.width, name=f"{name}_sum")
    if isinstance(platform, VerilogPlatform):
        add_leaf(platform, plan, leaf)
        m.submodules[name] = Instance(
            leaf, i_clk=ClockSignal(), i_enable=Cat(*enable), i_bits=Cat(*bits), o_sum=result
        )
        return result
    total = Signal(plan.width, name=f"{name}_total")
    m.d.comb += total.eq(_ones(list(bits)) + plan.offset)
    for stage in range(plan.depth):
        held = Signal.like(total, name=f"{name}_total_q{stage}", reset_less=True)
        with m.If(enable[stage]):
            m.d.sync += held.eq(total)
        total = held
    m.d.comb += result.eq(total)
    return result


def add_leaf(platform: VerilogPlatform, plan: CountPlan, leaf: str) -> None:
    """The Verilog of a plan, once."""
    if leaf not in platform.leaves:
        sizes = {c["size"] for stage in plan.layout["stages"] for c in stage["counts"]}
        values = {"module": leaf, "plan": plan, "sizes": sizes, **plan.layout}
        platform.add_leaf(leaf, "popcount.v.j2", values)


def _ones(bits: list):
    """Their sum, by halves."""
    if len(bits) == 1:
        return bits[0]
    half = len(bits) // 2
    return _ones(bits[:half]) + _ones(bits[half:])
