"""An ATen graph of ``torch.export`` as a short list of float layers.

Every argument of every operator is looked at: one that is not read must have the value that does
nothing, or the graph is refused.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field

import torch

from ..errors import Unsupported
from .aten_rules import HINTS, RULES, SUPPORTED, Call

__all__ = ["FloatStep", "float_steps"]


@dataclass
class FloatStep:
    """One float layer.

    Attributes
    ----------
    kind
        "linear", "conv2d", "batch_norm", "relu", "clip", "sigmoid", "tanh", "max_pool2d",
        "avg_pool2d", "global_avg_pool2d", "flatten", "add".
    value, inputs
        Name of the result and of the values that are read; "input" is the program's input.
    path
        The user's name of the layer.
    fields
        What else the kind has: tensors, sizes, bounds.
    """

    kind: str
    value: str
    inputs: tuple[str, ...]
    path: str
    fields: dict = field(default_factory=dict)


def float_steps(program: torch.export.ExportedProgram) -> tuple[list[FloatStep], str]:
    """The layers of an exported program, and the name of its output.

    Raises
    ------
    Unsupported
        An operator, or an argument of one, cannot be deployed; the message names the layer.
    """
    return _Reader(program).read()


class _Reader:
    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self.program = program
        self.constants = self._constants()
        self.values: dict[torch.fx.Node, str] = {}
        self.steps: list[FloatStep] = []

    def _constants(self) -> dict[torch.fx.Node, torch.Tensor]:
        signature, program = self.program.graph_signature, self.program
        names = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        stored = {**program.state_dict, **program.constants}
        return {
            node: stored[names[node.name]].detach()
            for node in program.graph.nodes
            if node.op == "placeholder" and node.name in names
        }

    def read(self) -> tuple[list[FloatStep], str]:
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                if node in self.constants:
                    continue
                if self.values:
                    raise Unsupported(
                        f"model must have one input, found a second one, {node.name!r}"
                    )
                self.values[node] = "input"
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                return self.steps, self._output(node)
            else:
                raise Unsupported(f"model must have no {node.op} in its graph, found {node.name!r}")
        raise Unsupported("model must return something")

    def _output(self, node: torch.fx.Node) -> str:
        results = node.args[0]
        if len(results) != 1 or results[0] not in self.values:
            raise Unsupported(
                f"model must return one tensor that depends on its input, found {len(results)}; "
                f"layers that change buffers in eval mode are not supported"
            )
        return self.values[results[0]]

    def _call(self, node: torch.fx.Node) -> None:
        reads = node.all_input_nodes
        if reads and all(n in self.constants for n in reads):
            args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), self.constants.get)
            self.constants[node] = node.target(*args, **kwargs)
            return
        if node.target is operator.getitem and node.args[1] == 0:
            self.values[node] = self.values[node.args[0]]
            return
        name = str(node.target).split(".")[1] if "." in str(node.target) else node.target.__name__
        where = f"layer {self._path(node)!r} ({name.strip('_')})"
        if node.target is operator.getitem:
            raise Unsupported(f"{where}: only the first result of an operator can be used")
        rule = RULES.get(str(node.target))
        if rule is None:
            hint = HINTS.get(name.strip("_"), "")
            raise Unsupported(
                f"{where}: operator {node.target} is not supported{hint}; supported are {SUPPORTED}"
            )
        call = Call(node, where, self.constants, self.values)
        kind, fields = rule(call)
        call.check_all_read()
        if kind is None:
            self.values[node] = call.inputs[0]
            return
        self.values[node] = node.name
        self.steps.append(FloatStep(kind, node.name, tuple(call.inputs), self._path(node), fields))

    @staticmethod
    def _path(node: torch.fx.Node) -> str:
        stack = node.meta.get("nn_module_stack") or {}
        paths = [entry[0] for entry in stack.values() if entry[0]]
        path = paths[-1].replace("L['self'].", "") if paths else ""
        return path if path and not path.startswith("L[") else node.name
