"""A whole graph as one component: layers, lane adapters, forks and queues, and its timing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from amaranth import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..errors import RuleViolation, Unsupported
from ..ir.graph import Graph
from ..ir.schedule import Schedule
from .design import ColumnMemory, StreamShape
from .lib import timing
from .lib.area import Area, control
from .lib.component import StreamComponent, generator, lanes_layout
from .lib.flow import Fork, Queue, Repack

__all__ = ["Network"]

_UNBOUNDED = 1 << 32
_SLACKS = (0, 2, 8, 32, 128, 512)


@dataclass(frozen=True)
class _Wire:
    """A stream inside the network: output ``port`` of instance ``name`` ('' is the network's input)."""

    name: str
    port: str
    shape: StreamShape


@dataclass(frozen=True)
class _Instance:
    name: str
    component: object
    inputs: tuple[_Wire, ...]
    outputs: tuple[str, ...]


class Network(wiring.Component):
    """The streaming hardware of a graph.

    Parameters
    ----------
    graph
        The network.
    schedules
        A schedule for every node that is not an input, by node name.

    Attributes
    ----------
    input, output
        Streams at both ends.
    interval, latency, timing_is_bound
        In cycles; see :class:`hwgen.rtl.design.Design`.
    memories
        What gives streamed weights. Each is asked through the ports ``<name>_columns`` and
        ``<name>_weights``.
    """

    _MustUse__silence = True  # networks are also made for their timing alone

    def __init__(self, graph: Graph, schedules: Mapping[str, Schedule]) -> None:
        self._graph = graph
        self._schedules = schedules
        self._live = {graph.output}  # values that the output depends on
        for node in reversed(graph.nodes):
            if node.name in self._live:
                self._live.update(node.inputs)
        self._instance_names = _instance_names(graph)
        self._instances: list[_Instance] = []
        self._components: dict[str, StreamComponent] = {}
        # Queues behind forks: without a bound at first, then as deep as that was seen to need.
        # Rarely a branch also has to take a beat before any other can use it.
        self._build(depths=None)
        measured, depths = self._measure()
        free = measured.interval
        for slack in _SLACKS if depths else ():
            self._build({name: depth + (slack if depth else 0) for name, depth in depths.items()})
            measured, _ = self._measure()
            if measured.interval == free:
                break
        self.interval, self.latency = measured.interval, measured.latency
        if self._stopped() is not None:
            # A frame that follows one that was stopped finds everything empty.
            self.interval = max(self.interval, self.latency)
        self.timing_is_bound = any(c.timing_is_bound for c in self._components.values())
        self._streamed = {n: c for n, c in self._components.items() if c.memory(n) is not None}
        self.memories: tuple[ColumnMemory, ...] = tuple(
            component.memory(name) for name, component in self._streamed.items()
        )
        ports = {
            "i": In(stream.Signature(lanes_layout(self.input))),
            "o": Out(stream.Signature(lanes_layout(self.output))),
        }
        for name, component in self._streamed.items():
            for port in ("columns", "weights"):
                ports[f"{name}_{port}"] = component.signature.members[port]
        super().__init__(ports)

    def module_name(self, node: str) -> str:
        """Full name of a node's Verilog module."""
        return f"{self._graph.name}_{self._instance_names[node]}"

    @property
    def components(self) -> dict[str, object]:
        """All parts by instance name: layers, and what lies between them."""
        return {instance.name: instance.component for instance in self._instances}

    @property
    def streams(self) -> list:
        """All ports, those of the memories last."""
        names = [f"{name}_{port}" for name in self._streamed for port in ("columns", "weights")]
        return [self.i, self.o, *(getattr(self, name) for name in names)]

    def images(self) -> dict[str, np.ndarray]:
        """The content of the memories by name: uint8, (words, bytes of a word)."""
        return {name: component.image() for name, component in self._streamed.items()}

    def areas(self) -> dict[str, Area]:
        """What every part takes of a device, estimated, by instance name."""
        return {name: component.area() for name, component in self.components.items()}

    @property
    def area(self) -> Area:
        """What all of it takes of a device, estimated; the ports around it included."""
        return sum(self.areas().values(), self.port_area)

    @property
    def port_area(self) -> Area:
        """The counter that marks the last output beat of a frame."""
        return control((self.output.beats - 1).bit_length())

    # -- construction ------------------------------------------------------------------------

    def _build(self, depths: dict[str, int] | None) -> None:
        """Lay out all instances; ``depths`` are those of the queues, None: without a bound."""
        graph = self._graph
        self._instances = []
        wires: dict[str, list[_Wire]] = {}  # by value: one wire for every reader still to come
        for node in graph.nodes:
            if node.name not in self._live:
                continue
            if node.op.name == "input":
                readers = [graph[name] for name in graph.users[node.name] if name in self._live]
                if not readers:
                    raise Unsupported(
                        f"graph {graph.name!r}: a network without layers has no hardware"
                    )
                lanes, _ = self._lanes(readers[0].name)
                wire = _Wire("", "i", StreamShape.of(node.type, lanes))
                self.input = wire.shape
            elif node.op.name == "flatten":
                wire = wires[node.inputs[0]].pop(0)
            else:
                wire = self._layer(node.name, wires)
            wires[node.name] = self._spread(node.name, wire, depths)
        (last,) = wires[graph.output]
        self.output = last.shape
        if last.name == "":
            raise Unsupported(f"graph {graph.name!r}: a network without layers has no hardware")
        self._last = last

    def _lanes(self, name: str) -> tuple[int, int]:
        node = self._graph[name]
        if node.op.name == "flatten":
            schedule = self._schedules.get(name, Schedule())
            lanes = schedule.lanes or self._graph.operands(node)[0].channels
            return lanes, lanes
        if name not in self._schedules:
            raise RuleViolation(f"{node.where}: must have a schedule")
        return node.op.lanes(*self._graph.operands(node), schedule=self._schedules[name])

    def _layer(self, name: str, wires: dict[str, list[_Wire]]) -> _Wire:
        node = self._graph[name]
        types = self._graph.operands(node)
        schedule = self._schedules[name]
        if schedule not in node.op.schedules(*types):
            raise RuleViolation(f"{node.where}: schedule '{schedule}' does not fit this layer")
        full_name = self.module_name(name)
        if name not in self._components:
            make = generator(node.op)
            self._components[name] = make(node.op, types, node.type, schedule, full_name)
        component = self._components[name]
        inputs = []
        for k, (value, shape) in enumerate(zip(node.inputs, component.inputs, strict=True)):
            inputs.append(self._repacked(f"{name}_{'ij'[k]}", wires[value].pop(0), shape.lanes))
        self._instances.append(
            _Instance(
                full_name.removeprefix(f"{self._graph.name}_"), component, tuple(inputs), ("o",)
            )
        )
        return _Wire(self._instances[-1].name, "o", component.output)

    def _repacked(self, name: str, wire: _Wire, lanes: int) -> _Wire:
        """``wire`` at another number of lanes, in one step or by way of a common divisor."""
        have = wire.shape.lanes
        if have == lanes:
            return wire
        step = lanes if have % lanes == 0 or lanes % have == 0 else math.gcd(have, lanes)
        s = wire.shape
        target = StreamShape(step, s.width, s.signed, s.lanes * s.beats // step)
        instance = f"{name}_repack{'' if step == lanes else '_down'}"
        self._instances.append(_Instance(instance, Repack(s, target), (wire,), ("o",)))
        return self._repacked(name, _Wire(instance, "o", target), lanes)

    def _spread(self, name: str, wire: _Wire, depths: dict[str, int] | None) -> list[_Wire]:
        """One wire for every reader of a value; queues behind a fork keep its branches in step."""
        users = [user for user in self._graph.users[name] if user in self._live]
        readers = len(users) + (name == self._graph.output)
        if readers <= 1:
            return [wire]
        fork = f"{name}_fork"
        ports = tuple(f"o{k}" for k in range(readers))
        self._instances.append(_Instance(fork, Fork(wire.shape, readers), (wire,), ports))
        branches = []
        for k, port in enumerate(ports):
            branch = _Wire(fork, port, wire.shape)
            queue = f"{name}_queue{k}"
            depth = depths[queue] if depths is not None else _UNBOUNDED
            if depth:
                component = Queue(wire.shape, depth)
                self._instances.append(_Instance(queue, component, (branch,), ("o",)))
                branch = _Wire(queue, "o", wire.shape)
            branches.append(branch)
        return branches

    def _stopped(self) -> tuple[_Instance, _Instance, set[str]] | None:
        """Who begins frames, who can stop them, and what lies between, where that is a chain.

        A component that can stop frames has an output ``stop``, and one that can be stopped an input
        of that name; both have a port ``begun``.
        """
        made = {instance.name: instance for instance in self._instances}
        for last in self._instances:
            if _flow(last.component, "stop") is not Out:
                continue
            between: set[str] = set()
            at = last
            while len(at.inputs) == 1 and at.inputs[0].name:
                at = made[at.inputs[0].name]
                if _flow(at.component, "stop") is In:
                    return at, last, between
                if at.outputs != ("o",) or _flow(at.component, "columns") is not None:
                    break
                between.add(at.name)
        return None

    # -- timing ------------------------------------------------------------------------------

    def timing_links(self) -> tuple[list[timing.Link], dict[str, timing.Queue]]:
        """The network's handshakes, fresh; and those of the queues that have no bound yet."""
        links: list[timing.Link] = []
        ends: dict[tuple[str, str], tuple[int, int]] = {("", "i"): (-1, 0)}
        queues: dict[str, timing.Queue] = {}
        for instance in self._instances:
            models = instance.component.timing()
            if isinstance(instance.component, Queue) and instance.component.depth == _UNBOUNDED:
                queues[instance.name] = timing.Queue(None)
                models = [queues[instance.name]]
            origins = [ends[wire.name, wire.port] for wire in instance.inputs]
            for model in models[:-1]:
                links.append(timing.Link(model, origins))
                origins = [(len(links) - 1, 0)]
            links.append(timing.Link(models[-1], origins, outputs=len(instance.outputs)))
            for k, port in enumerate(instance.outputs):
                ends[instance.name, port] = (len(links) - 1, k)
        return links, queues

    def _measure(self) -> tuple[timing.Measured, dict[str, int]]:
        """Interval and latency, and how deep the queues without a bound have to be."""
        links, queues = self.timing_links()
        measured = timing.measure(links, self.input.beats, self.output.beats)
        return measured, self._depths(queues)

    def _depths(self, queues: dict[str, timing.Queue]) -> dict[str, int]:
        """How many beats every queue behind a fork must hold so that no other branch waits for it.

        A branch lags behind by the beats that it has not taken yet and the fastest branch has.
        The fork offers one more to all.
        """
        forks: dict[str, list[str]] = {}
        for name in queues:
            forks.setdefault(name.rpartition("_")[0], []).append(name)
        depths = {}
        for names in forks.values():
            left = np.array([queues[name].left for name in names])
            first = left.min(axis=0)
            for name, own in zip(names, left, strict=True):
                lag = int((np.arange(len(first)) - np.searchsorted(own, first, "right")).max()) + 1
                depths[name] = lag + 1 if lag else 0
        return depths

    # -- hardware ----------------------------------------------------------------------------

    def elaborate(self, platform):
        m = Module()
        streams = {("", "i"): wiring.flipped(self.i)}
        between: set[str] = set()
        stop = Signal(name="stop_frame")
        if (stopped := self._stopped()) is not None:
            begins, ends, between = stopped
            m.d.comb += [
                ends.component.begun.eq(begins.component.begun),
                stop.eq(ends.component.stop),
                begins.component.stop.eq(stop),
            ]
        for instance in self._instances:
            component = instance.component
            # What is on the way when a frame is stopped is dropped.
            dropped = instance.name in between
            m.submodules[instance.name] = ResetInserter(stop)(component) if dropped else component
            for port, wire in zip(("i", "j"), instance.inputs, strict=False):
                wiring.connect(m, streams[wire.name, wire.port], getattr(component, port))
            for port in instance.outputs:
                # Nets named after the component that drives them.
                given = getattr(component, port)
                path = instance.name if port == "o" else f"{instance.name}_{port}"
                own = given.signature.create(path=(path,))
                wiring.connect(m, given, wiring.flipped(own))
                streams[instance.name, port] = own
        for name, component in self._streamed.items():
            for port in ("columns", "weights"):
                outer = wiring.flipped(getattr(self, f"{name}_{port}"))
                wiring.connect(m, getattr(component, port), outer)
        wiring.connect(m, streams[self._last.name, self._last.port], wiring.flipped(self.o))
        return m


def _flow(component, port: str):
    """Whether a component's port is ``In`` or ``Out``; None if it has no such port."""
    members = component.signature.members
    return members[port].flow if port in members else None


def _instance_names(graph: Graph) -> dict[str, str]:
    """``<layer>_<op>`` for every node, the op not said twice, all different."""
    names: dict[str, str] = {}
    for node in graph.nodes:
        base = node.name
        if base != node.op.name and not base.endswith(f"_{node.op.name}"):
            base = f"{base}_{node.op.name}"
        name, count = base, 2
        while name in names.values():
            name, count = f"{base}_{count}", count + 1
        names[node.name] = name
    return names
