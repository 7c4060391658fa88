"""Constant weights as stochastic streams: a comparator a threshold, and a popcount a neuron.

Numbers are shared by all neurons, so that of every source only different thresholds are compared with,
each in one table of six inputs: the five highest bits of the number, and whether the others are below
those of the threshold, which thresholds share. Where an input is 0 the number is forced beyond all
thresholds or, for half of the components of a bipolar weight, below them: what is added up is then 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal

from ...ops.stochastic_dense import StochasticDense
from ..platform import VerilogPlatform
from . import area
from .area import Area
from .popcount import CountPlan, add_leaf, popcount

__all__ = ["Bit", "StochasticMatrix", "forced_low", "output_offset"]

_TABLE = 6  # inputs of a look-up table


@dataclass(frozen=True)
class Bit:
    """A bit that a neuron counts.

    Attributes
    ----------
    kind
        ``below``: the number of the source is below the threshold. ``nonzero`` and ``negative``: of the
        operand's input. ``zero``: a constant.
    operand, component, threshold
        Which one.
    negated
        Whether it is turned around where the operand's input is negative.
    inverted
        Whether its opposite is counted.
    """

    kind: str
    operand: int = 0
    component: int = 0
    threshold: int = 0
    negated: bool = False
    inverted: bool = False

    @property
    def name(self) -> str:
        """Of the net, before ``negated`` and ``inverted``."""
        if self.kind == "below":
            return f"below_{self.operand}_{self.component}_{self.threshold}"
        return "1'b0" if self.kind == "zero" else f"{self.kind}[{self.operand}]"


def forced_low(op: StochasticDense, component: int) -> bool:
    """Whether a component counts as a 1 where its operand is 0: then the word is 0 as well."""
    return op.coding == "bipolar" and component >= op.components // 2 and op.components > 1


def output_offset(op: StochasticDense) -> int:
    """What is added to the popcounts of bipolar weights, for words of -components..components."""
    return -op.components * op.seeds.shape[0] if op.components > 1 else 0


class StochasticMatrix:
    """The sums of words over all operands, a step a clock: a part of its layer's module.

    With one component a bipolar word is +1 or -1 and needs the number of inputs that are not 0;
    with signs on either side, their products are counted apart. Either is a second popcount, which
    the last stage adds.

    Parameters
    ----------
    name
        Full module name of the layer; the leaf is ``<name>_matrix``.
    op
        The layer.
    signed
        Whether inputs can be negative.
    width
        Bits of a sum.
    levels
        Tables in a row between registers.

    Attributes
    ----------
    depth
        Stages.
    numbers
        Of all sources, forced where the input is 0.
    nonzero, negative
        Of all inputs, of the same step.
    sums
        Of all neurons.
    """

    def __init__(
        self, name: str, op: StochasticDense, signed: bool, width: int, levels: int
    ) -> None:
        self._leaf, self._op, self._width, self._signed = f"{name}_matrix", op, width, signed
        self._operands, self._components = op.seeds.shape
        self._high = _TABLE - 1 - signed  # bits of a number that a comparator sees
        self._plan(levels)
        inputs = self._operands - 1
        self.numbers = Signal(op.number_bits * op.seeds.array.size)
        self.nonzero = Signal(inputs)
        self.negative = Signal(inputs)
        self.sums = Signal(width * len(self.bits))

    # -- what is counted ---------------------------------------------------------------------

    def _plan(self, levels: int) -> None:
        """Bits, constants and stages of all popcounts."""
        op, width = self._op, self._width
        bipolar = op.coding == "bipolar"
        self._counts_inputs = bipolar and op.components == 1
        self._counts_signs = self._signed and not bipolar
        self.bits: list[list[Bit]] = []
        self.sign_bits: list[list[Bit]] = []
        plans, sign_plans = [], []
        first = max(0, levels - 2)  # a comparator takes two tables
        words = width - bipolar  # twice the count is even
        for q, thresholds in zip(op.operands, op.thresholds, strict=True):
            bits, signs, offset = self._neuron(q.tolist(), thresholds.tolist())
            if bipolar:
                offset += output_offset(op) // 2
            self.bits.append(bits)
            self.sign_bits.append(signs)
            plans.append(CountPlan(len(bits), offset, max(1, words), first, levels))
            if self._counts_signs:
                sign_plans.append(CountPlan(len(signs), 0, width, first, levels))
        self._inputs_plan = None
        if self._counts_inputs:
            self._inputs_plan = CountPlan(max(1, self._operands - 1), 0, width, first, levels)
        every = [*plans, *sign_plans] + [self._inputs_plan] * self._counts_inputs
        deepest = max(plan.depth for plan in every)
        late = [replace(plan, delay=deepest - plan.depth) for plan in every]
        self.plans, self.sign_plans = late[: len(plans)], late[len(plans) :][: len(sign_plans)]
        if self._counts_inputs:
            self._inputs_plan = late[-1]
        self.depth = deepest + (self._counts_inputs or self._counts_signs)
        self._leaves: dict[CountPlan, str] = {}
        for plan in late:
            self._leaves.setdefault(plan, f"{self._leaf}_count{len(self._leaves)}")

    def _neuron(self, q: list[int], thresholds: list[int]) -> tuple[list[Bit], list[Bit], int]:
        """The bits of a neuron, those of the signs of its products, and a constant."""
        op = self._op
        bits, signs, offset = [], [], 0
        for j, (weight, threshold) in enumerate(zip(q, thresholds, strict=True)):
            is_input = j < self._operands - 1
            negated = self._signed and is_input
            minus = op.coding != "bipolar" and weight < 0
            if op.coding != "bipolar" and weight == 0:
                continue
            if self._counts_signs and is_input:
                # (p ^ s) - s of every component, s the sign of the product.
                signs.append(Bit("negative", j, inverted=not minus))
                offset -= op.components
            elif minus:
                offset -= op.components  # -p is ~p - 1
            for k in range(op.components):
                bit = self._product(j, k, threshold, is_input)
                if bit is None:
                    if negated:
                        bits.append(Bit("negative", j, inverted=minus))
                    else:
                        offset += minus
                    continue
                if bit == "one":
                    if negated:
                        bits.append(Bit("negative", j, inverted=not minus))
                    else:
                        offset += not minus
                    continue
                bits.append(replace(bit, negated=negated, inverted=bit.inverted ^ minus))
        return bits or [Bit("zero")], signs or [Bit("zero")], offset

    def _product(self, j: int, k: int, threshold: int, is_input: bool) -> Bit | str | None:
        """What a component counts: a bit, or a constant ``one``, or none."""
        op = self._op
        if 0 < threshold < 1 << op.number_bits:
            return Bit("below", j, k, threshold)
        low = forced_low(op, k)
        if not is_input or low == (threshold > 0):
            return "one" if threshold else None
        return Bit("nonzero", j, inverted=low)

    @cached_property
    def compared(self) -> dict[tuple[int, int], list[int]]:
        """By operand and component, the thresholds that its number is compared with."""
        found: dict[tuple[int, int], set[int]] = {}
        for bit in (bit for bits in self.bits for bit in bits if bit.kind == "below"):
            found.setdefault((bit.operand, bit.component), set()).add(bit.threshold)
        return {key: sorted(found[key]) for key in sorted(found)}

    def uses(self, kind: str) -> bool:
        """Whether ``nonzero`` or ``negative`` of the inputs matter."""
        every = (bit for bits in (*self.bits, *self.sign_bits) for bit in bits)
        if kind == "nonzero" and self._counts_inputs:
            return True
        return any(bit.kind == kind or (kind == "negative" and bit.negated) for bit in every)

    def _split(self, threshold: int) -> tuple[int, int, int]:
        """Bits of a number that are looked at first, and both parts of a threshold."""
        low_bits = max(0, self._op.number_bits - self._high)
        return low_bits, threshold >> low_bits, threshold & ((1 << low_bits) - 1)

    # -- hardware ----------------------------------------------------------------------------

    def area(self) -> Area:
        tables = 0
        for (operand, _), thresholds in self.compared.items():
            negated = self._signed and operand < self._operands - 1
            lows = set()
            for threshold in thresholds:
                low_bits, high, low = self._split(threshold)
                if low:
                    lows.add(low)
                seen = _literals(high, self._op.number_bits - low_bits) if not low else _TABLE
                tables += negated or seen > 1
            low_bits = self._split(0)[0]
            tables += sum(_literals(low, low_bits) > 1 for low in lows)
        plans = [*self.plans, *self.sign_plans] + [self._inputs_plan] * self._counts_inputs
        total = sum((plan.area for plan in plans), Area(lut=tables))
        if self._counts_inputs or self._counts_signs:
            each = area.adder(self._width) + area.registers(self._width)
            total += each * len(self.bits)
        return total

    def place(self, m: Module, platform, enable: Sequence) -> None:
        """Put it into a module; ``enable`` says by stage whether its registers load."""
        if isinstance(platform, VerilogPlatform):
            for plan, leaf in self._leaves.items():
                add_leaf(platform, plan, leaf)
            platform.add_leaf(self._leaf, "stochastic_matrix.v.j2", self._values())
            used = {k: getattr(self, k) for k in ("nonzero", "negative") if self.uses(k)}
            m.submodules.matrix = Instance(
                self._leaf,
                i_clk=ClockSignal(),
                i_enable=Cat(*enable),
                i_numbers=self.numbers,
                o_sums=self.sums,
                **{f"i_{name}": value for name, value in used.items()},
            )
            return
        own = enable[: self.plans[0].depth]
        bits = self._op.number_bits

        def value(bit: Bit):
            if bit.kind == "zero":
                return Const(0, 1)
            if bit.kind == "below":
                at = bit.operand * self._components + bit.component
                result = self.numbers.word_select(at, bits) < bit.threshold
            else:
                result = getattr(self, bit.kind)[bit.operand]
            if bit.negated:
                result = result ^ self.negative[bit.operand]
            return (~result)[0] if bit.inverted else result

        def counted(name: str, plan: CountPlan, values: Iterable):
            return popcount(m, platform, plan, self._leaves[plan], name, own, list(values))

        if self._counts_inputs:
            values = list(self.nonzero) or [Const(0, 1)]
            inputs = counted("inputs", self._inputs_plan, values)
        for o, (bits_of, plan) in enumerate(zip(self.bits, self.plans, strict=True)):
            count = counted(f"neuron_{o}", plan, map(value, bits_of))
            target = self.sums.word_select(o, self._width)
            if self._op.coding == "bipolar":
                count = Cat(Const(0, 1), count)
            if self._counts_inputs:
                count = count + ~inputs
            elif self._counts_signs:
                signs = counted(f"signs_{o}", self.sign_plans[o], map(value, self.sign_bits[o]))
                count = count + signs * self._op.components
            else:
                m.d.comb += target.eq(count)
                continue
            held = Signal(self._width, name=f"total_{o}", reset_less=True)
            with m.If(enable[-1]):
                m.d.sync += held.eq(count)
            m.d.comb += target.eq(held)

    # -- Verilog -----------------------------------------------------------------------------

    def _values(self) -> dict:
        """What the template lays out."""
        op, bits = self._op, self._op.number_bits
        low_bits = self._split(0)[0]
        sources = []
        for (j, k), thresholds in self.compared.items():
            number = f"number_{j}_{k}"
            lows = sorted({low for t in thresholds if (low := self._split(t)[2])})
            at = (j * self._components + k) * bits
            sources.append(
                {
                    "number": number,
                    "from": f"numbers[{at + bits - 1}:{at}]" if bits > 1 else f"numbers[{at}]",
                    "lows": [
                        {"name": f"low_{j}_{k}_{t}", "value": _below(number, t, 0, low_bits, bits)}
                        for t in lows
                    ],
                    "belows": [
                        {"name": f"below_{j}_{k}_{t}", "value": self._below(number, j, k, t)}
                        for t in thresholds
                    ],
                }
            )
        return {
            "module": self._leaf,
            "op": op,
            "depth": self.depth,
            "number_bits": bits,
            "all_bits": bits * op.seeds.array.size,
            "low_bits": low_bits,
            "inputs": self._operands - 1,
            "uses_nonzero": self.uses("nonzero"),
            "uses_negative": self.uses("negative"),
            "width": self._width,
            "sources": sources,
            "neurons": [
                {
                    "leaf": self._leaves[plan],
                    "width": plan.width,
                    "bits": [_text(bit) for bit in reversed(neuron)],
                    "signs": [_text(bit) for bit in reversed(signs)],
                    "signs_leaf": self._leaves[self.sign_plans[o]] if self.sign_plans else "",
                }
                for o, (neuron, signs, plan) in enumerate(
                    zip(self.bits, self.sign_bits, self.plans, strict=True)
                )
            ],
            "inputs_leaf": self._leaves[self._inputs_plan] if self._inputs_plan else "",
            "counts_signs": self._counts_signs,
            "doubled": op.coding == "bipolar",
            "count_depth": self.plans[0].depth,
            "component_bits": self._components.bit_length() - 1,
        }

    def _below(self, number: str, j: int, k: int, threshold: int) -> str:
        """Whether a number is below a threshold: of its highest bits, and what is left."""
        low_bits, _, low = self._split(threshold)
        rest = f"low_{j}_{k}_{low}" if low else ""
        bits = self._op.number_bits
        return _below(number, threshold >> low_bits << low_bits, low_bits, bits, bits, rest)


def _below(number: str, threshold: int, first: int, stop: int, width: int, rest: str = "") -> str:
    """``number < threshold`` of some bits; ``rest`` is the same of those below them."""
    text = rest
    for bit in range(first, stop):
        own = f"~{number}[{bit}]" if width > 1 else f"~{number}"
        if threshold >> bit & 1:
            text = f"{own} | {_nested(text)}" if text else own
        elif text:
            text = f"{own} & {_nested(text)}"
    return text


def _nested(text: str) -> str:
    return f"({text})" if " " in text else text


def _text(bit: Bit) -> str:
    text = bit.name
    if bit.negated:
        text = f"{text} ^ negative[{bit.operand}]"
        return f"~({text})" if bit.inverted else text
    return f"~{text}" if bit.inverted else text


def _literals(value: int, bits: int) -> int:
    """Bits that ``number < value`` depends on."""
    return bits - ((value & -value).bit_length() - 1) if value else bits
