"""The serial lane: masks drawn on the way, and a memory of nothing but kept weights.

One input a clock meets the outputs of all lanes. Where a lane's mask bit is 1, its next weight
takes part and its address goes on; where it is 0, the address stands still and the input counts
as 0. (Ardakani et al., ICLR 2017, arXiv 1611.01427, section 4.)
"""

from __future__ import annotations

import numpy as np
from amaranth import Const, Module, Mux, Signal

from ...ops.codes.lfsr_masked import LfsrMasked
from . import area
from .area import Area
from .lfsr import Lfsr
from .loops import LoopNest, wrapped
from .rom import packed, read_only
from .weight_source import WeightSource, bits_of

__all__ = ["MaskedLanes", "SerialWeights", "next_weight", "turn_table"]


class MaskedLanes:
    """What the lanes of a masked layer hold: lane k works on outputs k, k + pe, k + 2 pe, ...

    Parameters
    ----------
    code
        The weights.
    pe
        Lanes.

    Attributes
    ----------
    seeds, counts
        Of the registers, and kept weights: shape (turns, pe), by the turn in which a lane works
        on an output.
    weights
        For every lane the kept weights of its outputs, one after the other.
    """

    def __init__(self, code: LfsrMasked, pe: int) -> None:
        counts = code.counts()
        each = np.split(code.kept.decode(), np.cumsum(counts)[:-1])
        self.weights = [np.concatenate(each[lane::pe]) for lane in range(pe)]
        self.seeds = code.seeds.array.reshape(-1, pe)
        self.counts = counts.reshape(-1, pe)
        self._code = code

    def register(self, lane: int, window: int) -> Lfsr:
        """The shift register of a lane, which begins with the lane's first output."""
        c = self._code
        init = int(self.seeds[0, lane])
        return Lfsr(c.width, c.taps, c.leap, window, c.threshold, init)


def turn_table(m: Module, name: str, values: np.ndarray, bits: int, advance) -> list:
    """For every lane the value of the turn that comes after the current one.

    Parameters
    ----------
    values
        Unsigned, of ``bits`` bits: shape (turns, lanes).
    advance
        1 in the last cycle of a turn.
    """
    turns, lanes = values.shape
    if (values == values[0]).all():
        return [Const(int(value), bits) for value in values[0]]
    contents = [packed(row, bits) for row in values]
    following = read_only(m, name, bits * lanes, contents, "comb")
    index = Signal(range(turns), name=f"{name}_index", init=1)
    with m.If(advance):
        m.d.sync += index.eq(wrapped(index, turns))
    m.d.comb += following.addr.eq(index)
    return [following.data.word_select(lane, bits) for lane in range(lanes)]


def turn_area(values: np.ndarray, bits: int) -> Area:
    """What :func:`turn_table` takes."""
    turns, lanes = values.shape
    if (values == values[0]).all():
        return Area()
    return area.table(turns, bits * lanes) + area.control((turns - 1).bit_length())


def weights_area(fields: np.ndarray, bits: int) -> Area:
    """What :func:`next_weight` takes."""
    if len(fields) == 1:
        return Area()
    memory = area.rom(bits_of(np.asarray(fields)[:, None], bits))
    return memory + area.control((len(fields) - 1).bit_length())


def next_weight(m: Module, name: str, fields: np.ndarray, bits: int, advance, enable):
    """The weight at a lane's address, one cycle late; the address goes round under ``advance``."""
    depth = len(fields)
    if depth == 1:
        return Const(int(fields[0]), bits)
    weight = read_only(m, name, bits, [int(field) for field in fields])
    address = Signal(range(depth), name=f"{name}_at")
    with m.If(advance):
        m.d.sync += address.eq(wrapped(address, depth))
    m.d.comb += [weight.addr.eq(address), weight.en.eq(enable)]
    return weight.data


class SerialWeights(WeightSource):
    """The weights of a dense layer of one input a step.

    Parameters
    ----------
    code
        The weights; all outputs keep something.
    lane
        How a kept weight is stored and multiplied.
    pe
        Outputs computed at once.
    """

    def __init__(self, code: LfsrMasked, lane, pe: int) -> None:
        self._lanes = MaskedLanes(code, pe)
        self._lane = lane
        self._width = code.width

    def fields(self, m: Module, nest: LoopNest, step, enable):
        lanes, bits = self._lanes, self._lane.bits
        last = nest.ends["kernel_row"]
        seeds = turn_table(m, "seed", lanes.seeds, self._width, step & last)
        fields = []
        for k, weights in enumerate(lanes.weights):
            m.submodules[f"lfsr{k}"] = register = lanes.register(k, 1)
            m.d.comb += [
                register.advance.eq(step),
                register.load.eq(last),
                register.seed.eq(seeds[k]),
            ]
            keep_q = Signal(name=f"keep{k}_q")
            with m.If(enable):
                m.d.sync += keep_q.eq(register.mask)
            codes = self._lane.encode(weights)
            taken = step & register.mask
            fields.append([(keep_q, next_weight(m, f"weight{k}", codes, bits, taken, enable))])
        return [fields]

    def product(self, pixel, field):
        keep, weight = field
        return self._lane.product(Mux(keep, pixel, 0), weight)

    def area(self):
        lanes, bits = self._lanes, self._lane.bits
        total = turn_area(lanes.seeds, self._width)
        for k, weights in enumerate(lanes.weights):
            total += lanes.register(k, 1).area() + area.registers(1)
            total += weights_area(self._lane.encode(weights), bits)
        return total

    def product_area(self, pixel):
        return self._lane.area(pixel)  # its tables take the mask bit as well

    def product_width(self, pixel):
        return self._lane.product_width(pixel)
