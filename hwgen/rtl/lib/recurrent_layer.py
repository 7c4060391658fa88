"""Recurrent cells in hardware: columns by events, then the gates of some rows a clock.

Elements of the input and of the state become events: where their column begins, and their value. In
a step all events are added, a column in ``ceil(rows / pe)`` clocks; elements that are 0 are no events
if the schedule skips them. Then ``simd`` gate rows a clock go through gains, sigmoid or tanh, and the
products of their unit; the new h become the events of the next step. The rows of a unit lie side by
side. A step that need not wait for its neighbours takes ``STEP_OVERHEAD`` clocks beside those of its
events and its rows: see :func:`hwgen.ops.lib.recurrent.step_cycles`.

By changes, events tell by how much an element has changed, and the sums stay from step to step.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal

from ...ir.schedule import Schedule
from ...ir.types import Int, Type
from ...ops.lib.recurrent import STATE_BITS, Recurrent, product_intervals, sum_reach
from ..design import StreamShape
from . import area
from .cell_units import CELL_STAGES, CellUnits
from .changes import Changes
from .column_mvm import ColumnMvm
from .column_stream import StreamedColumns, StreamedMvm, image_of
from .column_weights import column_words, interleaved, joint_lane
from .component import StreamComponent, element_shape
from .event_queue import EventQueue
from .gate_rows import GATE_STAGES, GateRows, RowConstants
from .loops import wrapped
from .recurrent_timing import RecurrentSteps, RecurrentTiming
from .row_groups import RowGroups

__all__ = ["RecurrentLayer"]

_STATE = Int(STATE_BITS, signed=True)
_STAGES = GATE_STAGES + CELL_STAGES
_WAITING = 2  # steps of the input that have place


class RecurrentLayer(StreamComponent):
    """A recurrent cell over a sequence. Subclasses say what its units are, and what else is constant.

    Parameters
    ----------
    op
        The cell.
    x
        Type of its input.
    schedule
        Of form ``events`` or ``columns``.
    source, target
        The streams: an element a beat in, the units that are finished at once out.

    Attributes
    ----------
    units
        From the gates of a unit to c and h.
    """

    units: ClassVar[type[CellUnits]]

    def __init__(
        self, op: Recurrent, x: Type, schedule: Schedule, source: StreamShape, target: StreamShape
    ) -> None:
        self._op = op
        self._steps, self._features = x.shape
        self._groups = RowGroups(op.gates, op.units, schedule.simd)
        self._skips = schedule.form == "events"
        self._units = target.lanes  # at once
        self._words = -(-op.rows // schedule.pe)
        self._type, self._x = x, x.element
        self._event_types = (_STATE, x.element)  # of the state, of the input
        if op.by_changes:
            self._event_types = (self._state_changes(0).type, self._input_changes().type)
        lows, highs = ([getattr(t, end) for t in self._event_types] for end in ("lo", "hi"))
        self._element = Int.fit(min(lows), max(highs))
        self._matrices = [op.recurrent_weights, op.input_weights]
        self._lane = lane = joint_lane(self._matrices)
        self._lanes = schedule.pe
        self._sums = tuple(Int.fit(min(lo, -1), hi) for lo, hi in product_intervals(op, x))
        columns, bits = op.units + self._features, schedule.pe * lane.bits
        streamed = StreamedColumns(columns, self._words, bits, self._element)
        self._stream = streamed if schedule.streamed else None
        self._address_bits = streamed.address_bits
        super().__init__((source,), target, streamed.ports if schedule.streamed else {})
        self.timing_is_bound = self._skips
        self.notes = (
            f"Weights: {columns} columns, each in {self._words} words of {bits} bits: {lane.bits} a "
            "row.",
            *(self._stream.notes if self._stream else ()),
        )

    @classmethod
    def of(cls, op: Recurrent, x: Type, result: Type, schedule: Schedule) -> RecurrentLayer:
        """The layer of an op."""
        in_lanes, out_lanes = op.lanes(x, schedule=schedule)
        source, target = StreamShape.of(x, in_lanes), StreamShape.of(result, out_lanes)
        return cls(op, x, schedule, source, target)

    def timing(self):
        op = self._op
        turns = max(1, op.gates // self._groups.rows)
        cell = RecurrentSteps(
            self._steps,
            self._features,
            op.units,
            self._words,
            op.units // self._units,
            turns,
            # A group of rows enters the gates in the next clock, a unit is complete with its last.
            turns + _STAGES,
            op.every_step,
            self._stream.clocks if self._stream else 0,
        )
        return [RecurrentTiming(cell)]

    def area(self):
        mvm = self._mvm()
        parts = [mvm, self._gate_rows(), self._cell_units(), self._input_events()]
        parts += [self._state_events(k) for k in range(self._units)]
        parts += [self._stream] if self._stream else []
        if self._op.by_changes:
            parts += [self._input_changes(), *(self._state_changes(k) for k in range(self._units))]
        total = sum((part.area() for part in parts), area.Area())
        chosen = area.selection(self._units + 1, self._event_types[0].width + self._address_bits)
        counters = self._groups.last.bit_length() + (self._steps - 1).bit_length()
        total += chosen + area.control(counters + 2 * _STAGES + 10)
        return total + area.registers(self.output.lanes * self.output.width)

    def memory(self, name):
        return self._stream.memory(name) if self._stream else None

    def image(self):
        return image_of(self._fields(), self._lane.bits)

    def _fields(self) -> np.ndarray:
        """All words of the columns."""
        fields = [
            column_words(interleaved(code.decode(), self._op.gates), self._lanes, self._lane)
            for code in self._matrices
        ]
        return np.concatenate(fields)

    def _mvm(self) -> ColumnMvm:
        make = StreamedMvm if self._stream else ColumnMvm
        return make(
            self._lane,
            self._fields(),
            self._words,
            self._element,
            self._sums,
            self._groups,
            self._skips,
        )

    def row_constants(self) -> RowConstants:
        """What the gate rows are scaled by."""
        op = self._op
        gains = (
            np.stack([interleaved(rows, op.gates) for rows in np.atleast_2d(v.array)])
            for v in (op.recurrent_gain, op.input_gain, op.bias)
        )
        return RowConstants(
            self.units.kinds, *gains, op.shift, int(sum_reach(op, self._type).max())
        )

    def _gate_rows(self) -> GateRows:
        return GateRows(self.row_constants(), self._groups, self._sums, self._op.activation)

    def _cell_units(self) -> CellUnits:
        return self.units(self._op.units, self._units, self._op.activation, self._op.threshold)

    def _input_events(self) -> EventQueue:
        """Elements of the input: their columns lie behind those of the state."""
        first, depth = self._op.units * self._words, _WAITING * self._features
        return EventQueue(
            self._event_types[1].width,
            first,
            self._words,
            self._features,
            depth,
            name="input_events",
            parity=True,
        )

    def _state_events(self, k: int) -> EventQueue:
        """Units k, k + ``lanes``, ... of the state.

        Where zeros are not skipped, the state before the first step has its events as well.
        """
        each = self._op.units // self._units
        first, stride = k * self._words, self._units * self._words
        name = f"state_events{k}" if self._units > 1 else "state_events"
        width = self._event_types[0].width
        return EventQueue(width, first, stride, each, each, name=name, full=not self._skips)

    def _input_changes(self) -> Changes:
        return Changes(self._x, self._features, self._op.input_delta, name="input")

    def _state_changes(self, k: int) -> Changes:
        """Of the units whose events :meth:`_state_events` holds."""
        name = f"state{k}" if self._units > 1 else "state"
        return Changes(_STATE, self._op.units // self._units, self._op.state_delta, name=name)

    def elaborate(self, platform):
        m = Module()
        m.submodules.columns = mvm = self._mvm()
        m.submodules.input_events = inputs = self._input_events()
        states = [self._state_events(k) for k in range(self._units)]
        for k, queue in enumerate(states):
            m.submodules[f"state_events{k}" if self._units > 1 else "state_events"] = queue

        # What the cell is doing: columns, gate rows, or waiting for the last ones.
        adding = Signal(init=1)
        feeding = Signal()
        enable = Signal()
        all_added = Signal()
        step_done = Signal()
        group = Signal(range(self._groups.last + 1))
        last_group = Signal()
        m.d.comb += last_group.eq(group == self._groups.last)
        with m.If(all_added):
            m.d.sync += [adding.eq(0), feeding.eq(1)]
        with m.If(feeding & enable):
            m.d.sync += group.eq(self._groups.next(group))
            with m.If(last_group):
                m.d.sync += feeding.eq(0)
        with m.If(step_done):
            m.d.sync += adding.eq(1)

        step, last_step, fresh = self._sequence(m, step_done)
        there = self._intake(m, inputs, all_added)
        takes = mvm
        if self._stream:
            takes = self._stream.between(m, self, mvm)
            there = there & takes.idle
        self._issue(m, takes, inputs, states, adding, there, fresh, all_added)

        m.submodules.gate_rows = rows = self._gate_rows()
        m.submodules.units = cell = self._cell_units()
        m.d.comb += [
            mvm.clear.eq(step_done & self._forgets(last_step)),
            mvm.reads.eq(~adding),
            mvm.group.eq(group),
            mvm.enable.eq(enable),
            rows.group.eq(group),
            *([rows.step.eq(step)] if self._op.varies and self._steps > 1 else []),
            rows.enable.eq(enable),
            rows.recurrent_rows.eq(mvm.recurrent_rows),
            rows.input_rows.eq(mvm.input_rows),
            *(getattr(cell, name).eq(getattr(rows, name)) for name in rows.made),
            cell.enable.eq(enable),
            cell.fresh.eq(fresh),
        ]
        # Flags of a unit's last gate row, and of the last one of all, that travel with the data.
        complete = [Signal(name=f"complete_q{k}") for k in range(_STAGES)]
        last = [Signal(name=f"last_q{k}") for k in range(_STAGES)]
        unit = feeding
        if self._groups.rows == 1:
            gate = group[: self._groups.gate_bits]
            unit = feeding & (gate == self._groups.gates - 1)
        with m.If(enable):
            m.d.sync += [
                Cat(complete).eq(Cat(unit, *complete[:-1])),
                Cat(last).eq(Cat(feeding & last_group, *last[:-1])),
            ]
        m.d.comb += [
            cell.unit_valid.eq(complete[GATE_STAGES - 1]),
            step_done.eq(enable & last[-1]),
        ]
        feeds_back = self._feeds_back(last_step)
        for k, queue in enumerate(states):
            element, kept = cell.new_h[k], cell.new_h[k].any()
            if self._op.by_changes:
                element, kept = self._change(m, self._state_changes(k), element, queue, fresh)
            m.d.comb += [
                queue.element.eq(element),
                queue.passes.eq(enable & complete[-1]),
                queue.keep.eq(feeds_back & kept if self._skips else 1),
            ]
        self._give(m, cell.new_h, enable, complete[-1], last_step)
        return m

    def _sequence(self, m: Module, step_done):
        """Which step of a frame it is, 1 in the last one, and in those that begin without a state."""
        last_step = Signal(init=int(self._steps == 1))
        fresh = Signal(init=1)
        step = Signal(range(self._steps))
        if self._steps > 1:
            m.d.comb += last_step.eq(step == self._steps - 1)
            with m.If(step_done):
                m.d.sync += step.eq(wrapped(step, self._steps))
        else:
            m.d.comb += last_step.eq(1)
        with m.If(step_done):
            m.d.sync += fresh.eq(0 if self._op.stateful else last_step)
        return step, last_step, fresh

    def _feeds_back(self, last_step):
        """1 where the state goes on to another step: else it must leave no events behind."""
        return Const(1, 1) if self._op.stateful else ~last_step

    def _forgets(self, last_step):
        """1 where the next step begins with sums of its own."""
        if not self._op.by_changes:
            return Const(1, 1)
        return Const(0, 1) if self._op.stateful else last_step

    def _change(self, m: Module, changes: Changes, value, queue: EventQueue, fresh):
        """By how much an element that passes into a queue has changed, and whether it is kept."""
        m.submodules[changes.name] = changes
        m.d.comb += [
            changes.value.eq(value),
            changes.passes.eq(queue.passes),
            changes.fresh.eq(fresh),
        ]
        return changes.change, changes.kept

    def _first_input(self, m: Module, step_in):
        """1 while elements of the first step of a sequence come in."""
        first = Signal(name="first_step_in", init=1)
        if self._op.stateful:
            after = 0
        elif self._steps == 1:
            after = 1
        else:
            step = Signal(range(self._steps), name="step_in")
            with m.If(step_in):
                m.d.sync += step.eq(wrapped(step, self._steps))
            after = step == self._steps - 1
        with m.If(step_in):
            m.d.sync += first.eq(after)
        return first

    def _intake(self, m: Module, inputs: EventQueue, all_added):
        """Elements of the next step come in while a step is at work: 1 if all of its own are there."""
        steps = Signal(range(_WAITING + 1), name="steps_waiting")
        taken = Signal()
        step_in = Signal()
        element = self.i.payload[0]
        kept = element.any()
        if self._op.by_changes:
            first = self._first_input(m, step_in)
            element, kept = self._change(m, self._input_changes(), element, inputs, first)
        m.d.comb += [
            self.i.ready.eq(steps != _WAITING),
            taken.eq(self.i.valid & self.i.ready),
            step_in.eq(taken & inputs.last),
            inputs.element.eq(element),
            inputs.passes.eq(taken),
            inputs.keep.eq(kept if self._skips else 1),
        ]
        m.d.sync += steps.eq(steps + step_in - all_added)
        return steps != 0

    def _issue(self, m: Module, mvm, inputs, states, adding, there, fresh, all_added) -> None:
        """Events to the columns: those of the state first, then those of the step's own input."""
        odd = Signal(name="odd_step")
        input_waits = Signal()
        state_waits = Signal()
        issue = Signal()
        m.d.comb += [
            input_waits.eq(inputs.waiting & (inputs.odd == odd)),
            state_waits.eq(Cat(queue.waiting for queue in states).any()),
            # Without skipping a step has an element of the input, and begins with it.
            issue.eq(adding & (input_waits | state_waits if self._skips else input_waits)),
            all_added.eq(adding & ~input_waits & ~state_waits & there),
        ]
        with m.If(all_added):
            m.d.sync += odd.eq(~odd)
        x = Signal(element_shape(self._event_types[1]), name="x")
        address = Signal.like(mvm.column, name="column")
        element = Signal.like(mvm.column_element, name="column_element")
        m.d.comb += [
            x.eq(inputs.head),
            address.eq(inputs.address),
            element.eq(x),
            inputs.pop.eq(issue & mvm.last_word & ~state_waits),
        ]
        before = Const(0, 1)
        for queue in states:
            h = queue.head.as_signed()
            with m.If(queue.waiting & ~before):
                m.d.comb += [
                    address.eq(queue.address),
                    element.eq(h if self._skips else Mux(fresh, 0, h)),
                    queue.pop.eq(issue & mvm.last_word),
                ]
            before = before | queue.waiting
        m.d.comb += [
            mvm.issue.eq(issue),
            mvm.column.eq(address),
            mvm.column_element.eq(element),
            mvm.of_input.eq(~state_waits),
        ]

    def _give(self, m: Module, h, enable, complete, last_step) -> None:
        """h to the output; the gates wait while an earlier one is still there."""
        given = Signal()
        m.d.comb += [
            given.eq(complete & (1 if self._op.every_step else last_step)),
            enable.eq(~(given & self.o.valid & ~self.o.ready)),
        ]
        payload = Signal.like(self.o.payload, name="given_h", reset_less=True)
        m.d.comb += self.o.payload.eq(payload)
        with m.If(enable & given):
            m.d.sync += [self.o.valid.eq(1), payload.eq(h)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
