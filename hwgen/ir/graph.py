"""Graphs: SSA nodes in topological order, which can run themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import InvalidInput, RuleViolation
from .constant import whole_numbers
from .op import Op, check_attributes, find_op
from .types import Type

__all__ = ["Graph", "GraphBuilder", "Node"]

# `run` works through a batch in parts whose values stay in the processor's cache: three times
# faster on small layers. Below the fewest rows the weights' own preparation would show.
_CACHED_ELEMENTS = 1 << 17
_FEWEST_ROWS = 128
_MOST_ELEMENTS = 1 << 24  # of a value at once: 128 MiB, which long streams would soon exceed
_LONGEST_NAME = 64
_GOLDEN_STEPS = 1 << 17  # of the op that takes most of them: some seconds of ``run``


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a graph: an op applied to earlier values.

    Attributes
    ----------
    name
        Unique, ``[a-z][a-z0-9_]*``: names the Verilog module and the C function.
    op, inputs, type
        What is computed, from which values, and the type of the result.
    layer
        The user's own name of the layer it came from, for messages.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    type: Type
    layer: str = ""

    @property
    def where(self) -> str:
        """How messages name the node."""
        return f"{self.op.name} %{self.name}" + (f" (layer {self.layer!r})" if self.layer else "")


@dataclass(frozen=True)
class Graph:
    """A network of integer ops with one output.

    Nodes are in topological order. Inputs are nodes whose op is ``input``.
    """

    name: str
    nodes: tuple[Node, ...]
    output: str

    @cached_property
    def _index(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    def __getitem__(self, name: str) -> Node:
        return self._index[name]

    @property
    def inputs(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.op.name == "input")

    @property
    def input_type(self) -> Type:
        """Type of the only input."""
        (node,) = self.inputs
        return node.type

    @property
    def output_type(self) -> Type:
        return self[self.output].type

    @property
    def stateful(self) -> bool:
        """Whether samples are parts of one sequence: some op's state goes on from one to the next."""
        return any(node.op.stateful for node in self.nodes)

    def operands(self, node: Node) -> tuple[Type, ...]:
        """Types of a node's inputs."""
        return tuple(self[name].type for name in node.inputs)

    @cached_property
    def users(self) -> dict[str, tuple[str, ...]]:
        """For every value, the nodes that read it (once for each time it is read)."""
        users: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                users[name].append(node.name)
        return {name: tuple(readers) for name, readers in users.items()}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the content, names included: what every artefact is stamped with."""
        from .serialize import content_hash

        return content_hash(self)

    def check_input(self, x) -> np.ndarray:
        """``x`` as an int64 batch, or InvalidInput saying what is wrong with it."""
        want = self.input_type
        self._check_shape(x)
        array = whole_numbers(x)
        if array is None:
            raise InvalidInput("input must hold integers; quantize it first (see Graph.quantize)")
        if array.size and (array.min() < want.lo or array.max() > want.hi):
            raise InvalidInput(
                f"input values must lie in [{want.lo}, {want.hi}], "
                f"found [{array.min()}, {array.max()}]"
            )
        return array

    def _check_shape(self, x) -> None:
        want = self.input_type.shape
        try:
            found = np.shape(x)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"input must be an array of numbers: {error}") from None
        if len(found) != 1 + len(want) or found[1:] != want:
            hint = "; images are (batch, height, width, channels)" if len(want) == 3 else ""
            raise InvalidInput(
                f"input must have shape (batch, {', '.join(map(str, want))}), found {found}{hint}"
            )

    def quantize(self, x) -> np.ndarray:
        """Real-valued samples to the integers of the input type: round half to even, then saturate.

        Parameters
        ----------
        x
            Array of shape (batch, *input shape), real units, finite.
        """
        want = self.input_type
        self._check_shape(x)
        try:
            real = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: PyTorch's
            raise InvalidInput(f"input must be an array of real numbers: {error}") from None
        if not np.isfinite(real).all():
            raise InvalidInput("input must be finite, found NaN or infinity")
        q = np.rint(real / want.scale)
        return np.clip(q, want.lo, want.hi).astype(np.int64)

    def run(self, x) -> np.ndarray:
        """Run the golden model.

        Parameters
        ----------
        x
            Integers of shape (batch, *input shape).

        Returns
        -------
        int64 array of shape (batch, *output shape).
        """
        x = self.check_input(x)
        if not len(x):
            return np.zeros((0, *self.output_type.shape), np.int64)
        largest = max(node.type.size for node in self.nodes)
        rows = max(_FEWEST_ROWS, _CACHED_ELEMENTS // largest)
        rows = max(1, min(rows, _MOST_ELEMENTS // largest))
        if self.stateful:
            rows = len(x)
        parts = [
            self._evaluate(x[start : start + rows], keep=False)[self.output]
            for start in range(0, len(x), rows)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def golden_samples(self, most: int) -> int:
        """How many samples golden vectors hold: ``most``, fewer where one takes many steps, at least one."""
        steps = max(node.op.steps(*self.operands(node)) for node in self.nodes)
        return max(1, min(most, _GOLDEN_STEPS // max(1, steps)))

    def run_all(self, x) -> dict[str, np.ndarray]:
        """Like :meth:`run`, but every value by name: to find where two results part."""
        return self._evaluate(self.check_input(x), keep=True)

    def _evaluate(self, x: np.ndarray, keep: bool) -> dict[str, np.ndarray]:
        values: dict[str, np.ndarray] = {}
        left = {name: len(readers) for name, readers in self.users.items()}
        for node in self.nodes:
            if node.op.name == "input":
                values[node.name] = x
                continue
            values[node.name] = node.op.run(*(values[name] for name in node.inputs))
            if not keep:
                for name in node.inputs:
                    left[name] -= 1
                    if not left[name] and name != self.output:
                        del values[name]
        return values

    def rewrite(self, change: Callable[[Node, GraphBuilder, dict[str, str]], str | None]) -> Graph:
        """A new graph, node by node.

        ``change(node, builder, names)`` adds what should stand for ``node`` to ``builder`` and
        returns that value's name, or None to keep the node as it is. ``names`` maps old values
        to new ones.
        """
        builder = GraphBuilder(self.name)
        names: dict[str, str] = {}
        for node in self.nodes:
            new = change(node, builder, names)
            if new is None:
                inputs = [names[name] for name in node.inputs]
                if node.op.name == "input":
                    new = builder.input(node.type, name=node.name, layer=node.layer)
                else:
                    new = builder.add(
                        node.op, *inputs, name=node.name, layer=node.layer, scale=node.type.scale
                    )
            names[node.name] = new
        return builder.build(names[self.output])

    def only(self, keep: Iterable[str]) -> Graph:
        """The same graph with just the nodes named in ``keep``."""
        keep = set(keep)
        return replace(self, nodes=tuple(node for node in self.nodes if node.name in keep))

    def __str__(self) -> str:
        from .text import print_graph

        return print_graph(self)


class GraphBuilder:
    """Builds a graph node by node; types are inferred and checked as they are added.

    Parameters
    ----------
    name
        Name of the model: prefix of every emitted module and function.
    """

    def __init__(self, name: str) -> None:
        self.name = identifier(name) or "model"
        self._nodes: dict[str, Node] = {}

    def input(self, type: Type, name: str = "x", layer: str = "") -> str:
        op = find_op("input")(type.shape, type.element, type.lo, type.hi)  # type: ignore[call-arg]
        return self.add(op, name=name, layer=layer, scale=type.scale)

    def add(self, op: Op, *inputs: str, name: str = "", layer: str = "", scale=1.0) -> str:
        """Append a node and return the name of its value.

        ``name`` is made a legal identifier and unique; it defaults to the op's name.
        """
        for i in inputs:
            if i not in self._nodes:
                raise RuleViolation(
                    f"{op.name} {name!r}: input %{i} must be added before it is used"
                )
        types = tuple(self._nodes[i].type for i in inputs)
        unique = base = identifier(name) or op.name
        count = 2
        while unique in self._nodes:
            unique = f"{base}_{count}"
            count += 1
        node = Node(unique, op, tuple(inputs), Type.of((1,), 0, 0), layer)
        try:
            if len(types) != op.arity:
                raise RuleViolation(f"takes {op.arity} inputs, not {len(types)}")
            check_attributes(op)
            op.verify(*types)
            result = op.infer(*types).with_scale(scale)
            result.check()
        except RuleViolation as error:
            raise RuleViolation(f"{node.where}: {error}") from None
        self._nodes[unique] = replace(node, type=result)
        return unique

    def type(self, name: str) -> Type:
        return self._nodes[name].type

    def build(self, output: str) -> Graph:
        """The finished, verified graph."""
        from .verify import verify

        graph = Graph(self.name, tuple(self._nodes.values()), output)
        verify(graph)
        return graph


def identifier(text: str) -> str:
    """``text`` as ``[a-z][a-z0-9_]*`` without double underscores, which simulators mangle.

    It is cut after 64 characters: a model's and a node's name together name a file.
    """
    clean = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    clean = f"n{clean}" if clean[:1].isdigit() else clean
    return clean[:_LONGEST_NAME].rstrip("_")
