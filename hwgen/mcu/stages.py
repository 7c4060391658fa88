"""A graph as the sequence of C functions that compute it.

A stage is one C function: a kernel, and the elementwise ops behind it that nothing else reads (its
epilogue), so that wide accumulators never reach memory. Semantics are those of the nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Unsupported
from ..ir.graph import Graph, Node
from ..ir.types import Type
from .planning.plan import Buffer
from .registry import find_renderer
from .storage import CType, storage
from .target import Target

__all__ = ["Program", "Stage", "Value", "group"]


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor in memory.

    Attributes
    ----------
    name
        The node that computes it.
    type
        As in the graph.
    """

    name: str
    type: Type

    @property
    def ctype(self) -> CType:
        return storage(self.type.element)

    @property
    def bytes(self) -> int:
        return self.type.size * self.ctype.bytes


@dataclass(frozen=True, slots=True)
class Stage:
    """One C function.

    Attributes
    ----------
    name
        Of the function: the first node's.
    kernel
        The node that loops over the inputs; None where the epilogue alone does the work.
    epilogue
        Elementwise nodes applied to each integer before it is stored.
    inputs, output
        What is read from and written to memory. ``inputs`` keeps the view of the reader: a
        flattened image is a vector here, though its memory is that of the image.
    sources
        For each input the value whose memory it is.
    """

    name: str
    kernel: Node | None
    epilogue: tuple[Node, ...]
    inputs: tuple[Value, ...]
    sources: tuple[str, ...]
    output: Value

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (*((self.kernel,) if self.kernel else ()), *self.epilogue)


@dataclass(frozen=True, slots=True)
class Program:
    """All stages in order of execution, from the caller's input to the caller's output."""

    target: Target
    stages: tuple[Stage, ...]
    input: Value
    output: Value

    def buffers(self) -> tuple[Buffer, ...]:
        """Every value between the stages, with the steps at which it is live."""
        last: dict[str, int] = {}
        for step, stage in enumerate(self.stages):
            last.update(dict.fromkeys(stage.sources, step))
        found: dict[str, Buffer] = {}
        for step, stage in enumerate(self.stages[:-1]):
            value = stage.output
            over = tuple(
                dict.fromkeys(
                    source
                    for source, x in zip(stage.sources, stage.inputs, strict=True)
                    if source in found and last[source] == step and self._in_place(stage, x)
                )
            )
            align = max(4, value.ctype.bytes)
            found[value.name] = Buffer(value.name, value.bytes, step, last[value.name], align, over)
        return tuple(found.values())

    def _in_place(self, stage: Stage, x: Value) -> bool:
        """Whether ``stage`` may write its output over its input ``x``, element by element.

        Elements of one size may: signed and unsigned forms of a type may alias in C. Of
        different sizes, only bytes may lie over wider elements, since character types may alias
        anything; element i of the output must not reach unread input, which takes a core that
        goes through the elements in order: neither a team nor tiles do.
        """
        if stage.kernel and not find_renderer(stage.kernel.op, self.target).in_place:
            return False
        out, into = stage.output.ctype.bytes, x.ctype.bytes
        in_order = self.target.cores == 1 and not self.target.l1
        return stage.output.type.size == x.type.size and (out == into or (out == 1 and in_order))


def group(graph: Graph, target: Target) -> Program:
    """The stages of a graph; nodes that the output does not depend on are left out.

    Raises
    ------
    Unsupported
        An op has no kernel for the target, or a value has a time axis.
    """
    live = _live(graph)
    users = {
        name: [reader for reader in readers if reader in live]
        for name, readers in graph.users.items()
    }
    source = Value(graph.inputs[0].name, graph.input_type)
    memory: dict[str, str] = {}
    stages: list[Stage] = []
    done: set[str] = set()
    for node in graph.nodes:
        if node.name not in live or node.name in done:
            continue
        if node.type.steps is not None:
            raise Unsupported(
                f"{node.where}: values with a time axis have no C form for target {target.name}"
            )
        if node.op.name == "input":
            memory[node.name] = source.name
            continue
        kind = find_renderer(node.op, target).kind
        if kind == "alias":
            memory[node.name] = memory[node.inputs[0]]
            continue
        kernel = node if kind == "kernel" else None
        chain = [node]
        while (follower := _follower(graph, target, users, chain[-1])) is not None:
            chain.append(follower)
        done.update(member.name for member in chain)
        output = Value(chain[-1].name, chain[-1].type)
        memory[output.name] = output.name
        stages.append(
            Stage(
                node.name,
                kernel,
                tuple(chain[1:] if kernel else chain),
                tuple(Value(name, graph[name].type) for name in node.inputs),
                tuple(memory[name] for name in node.inputs),
                output,
            )
        )
    result = Value(graph.output, graph.output_type)
    if memory[graph.output] == source.name:
        copy = Value("copy", result.type)
        same = Value(source.name, result.type)  # flattened, perhaps
        stages.append(Stage("copy", None, (), (same,), (source.name,), copy))
    return Program(target, tuple(stages), source, result)


def _live(graph: Graph) -> set[str]:
    live = {graph.output}
    for node in reversed(graph.nodes):
        if node.name in live:
            live.update(node.inputs)
    return live


def _follower(graph: Graph, target: Target, users: dict[str, list[str]], node: Node) -> Node | None:
    """The elementwise op that alone reads ``node``, if there is one."""
    if node.name == graph.output or len(users[node.name]) != 1:
        return None
    reader = graph[users[node.name][0]]
    is_elementwise = find_renderer(reader.op, target).kind == "elementwise"
    return reader if is_elementwise else None
