"""An ATen graph of ``torch.export`` as a short list of float layers.

Every argument of every operator is looked at: one that is not read must have the value that does
nothing, or the graph is refused.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field

import torch

from ..errors import Unsupported

__all__ = ["FloatStep", "float_steps"]

SUPPORTED = (
    "linear, conv2d, batch_norm behind one of them, relu, relu6, hardtanh, clamp, sigmoid, tanh, "
    "max_pool2d, avg_pool2d, adaptive_avg_pool2d to 1, mean over height and width, flatten, add, "
    "dropout"
)


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
        rule = _RULES.get(str(node.target))
        if rule is None:
            hint = _HINTS.get(name.strip("_"), "")
            raise Unsupported(
                f"{where}: operator {node.target} is not supported{hint}; supported are {SUPPORTED}"
            )
        call = _Call(node, where, self.constants, self.values)
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


class _Call:
    """The arguments of one operator by name; remembers which have been read."""

    def __init__(self, node, where: str, constants, values) -> None:
        self.where, self._constants, self._values = where, constants, values
        schema = node.target._schema.arguments
        self.given = {a.name: a.default_value for a in schema if a.has_default_value()}
        self.given.update(zip((a.name for a in schema), node.args, strict=False))
        self.given.update(node.kwargs)
        self.node = node
        self.inputs: list[str] = []

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result, batch included."""
        value = self.node.meta["val"]
        return tuple((value[0] if isinstance(value, tuple | list) else value).shape)

    def input(self, name: str = "self") -> tuple[int, ...]:
        """Read a tensor that depends on the input; returns its shape."""
        node = self.given.pop(name)
        if not isinstance(node, torch.fx.Node) or node not in self._values:
            raise Unsupported(
                f"{self.where}: {name} must be a value that depends on the model's input, found "
                f"{node!r}"
            )
        self.inputs.append(self._values[node])
        return tuple(node.meta["val"].shape) if hasattr(node.meta["val"], "shape") else ()

    def tensor(self, name: str) -> torch.Tensor | None:
        """Read a constant tensor, or None."""
        node = self.given.pop(name, None)
        if node is None:
            return None
        if node not in self._constants:
            raise Unsupported(
                f"{self.where}: {name} must be a parameter or buffer, found a value that depends on "
                f"the model's input"
            )
        return self._constants[node]

    def read(self, name: str):
        """Read a plain argument."""
        return self.given.pop(name)

    def pair(self, name: str) -> tuple[int, int]:
        """Read one or two integers as a pair."""
        value = list(self.given.pop(name))
        return tuple(value * 2 if len(value) == 1 else value)

    def must_be(self, **wanted) -> None:
        """Read arguments that can have one value only."""
        for name, want in wanted.items():
            if name not in self.given:
                continue
            found = self.given.pop(name)
            plain = list(found) if isinstance(found, list | tuple) else found
            same = plain == want or (isinstance(plain, list) and all(v == want for v in plain))
            if not same:
                raise Unsupported(f"{self.where}: {name} must be {want!r}, found {found!r}")

    def ignore(self, *names: str) -> None:
        """Arguments that change no result."""
        for name in names:
            self.given.pop(name, None)

    def check_all_read(self) -> None:
        for name, value in self.given.items():
            if value is not None:
                raise Unsupported(
                    f"{self.where}: argument {name} of {self.node.target} is not supported, found "
                    f"{value!r}"
                )


def _linear(call: _Call):
    call.input("input")
    return "linear", {"weight": call.tensor("weight"), "bias": call.tensor("bias")}


def _addmm(call: _Call):
    call.input("mat1")
    call.must_be(beta=1, alpha=1)
    return "linear", {"weight": call.tensor("mat2").T, "bias": call.tensor("self")}


def _mm(call: _Call):
    call.input("self")
    weight = call.tensor("mat2" if "mat2" in call.given else "other")
    return "linear", {"weight": weight.T, "bias": None}


def _conv2d(call: _Call):
    call.input("input")
    weight = call.tensor("weight")
    call.must_be(dilation=1, transposed=False, output_padding=0)
    stride = call.pair("stride")
    padding = call.given["padding"]
    if isinstance(padding, str):
        kernel = weight.shape[2:]
        call.read("padding")
        if padding == "same" and any(k % 2 == 0 for k in kernel):
            raise Unsupported(
                f"{call.where}: padding 'same' must have odd kernels, found {tuple(kernel)}"
            )
        padding = tuple(k // 2 for k in kernel) if padding == "same" else (0, 0)
    else:
        padding = call.pair("padding")
    return "conv2d", {
        "weight": weight,
        "bias": call.tensor("bias"),
        "stride": stride,
        "padding": padding,
        "groups": call.read("groups"),
    }


def _batch_norm(call: _Call):
    call.input("input")
    call.must_be(training=False)
    call.ignore("momentum", "cudnn_enabled")
    mean = call.tensor("running_mean")
    if mean is None:
        raise Unsupported(f"{call.where}: batch norm must keep running statistics")
    return "batch_norm", {
        "mean": mean,
        "var": call.tensor("running_var"),
        "weight": call.tensor("weight"),
        "bias": call.tensor("bias"),
        "eps": call.read("eps"),
    }


def _plain(kind: str):
    def rule(call: _Call):
        call.input("self")
        return kind, {}

    return rule


def _relu6(call: _Call):
    call.input("self")
    return _bounds(call, 0.0, 6.0)


def _hardtanh(call: _Call):
    call.input("self")
    return _bounds(call, call.read("min_val"), call.read("max_val"))


def _clamp(call: _Call):
    call.input("self")
    return _bounds(call, call.read("min"), call.read("max"))


def _bounds(call: _Call, lo, hi):
    if lo == 0 and hi is None:
        return "relu", {}
    if lo is None or hi is None or hi <= 0 or lo not in (0, -hi):
        raise Unsupported(
            f"{call.where}: bounds must be 0 and a positive number, or -a and a, found {lo} and {hi}"
        )
    return "clip", {"lo": float(lo), "hi": float(hi)}


def _max_pool2d(call: _Call):
    call.input("self")
    call.must_be(dilation=1, ceil_mode=False)
    return "max_pool2d", _pool(call)


def _pool(call: _Call) -> dict:
    kernel, padding = call.pair("kernel_size"), call.pair("padding")
    stride = call.pair("stride") if call.given["stride"] else call.read("stride") or kernel
    return {"kernel_size": kernel, "stride": tuple(stride), "padding": padding}


def _avg_pool2d(call: _Call):
    call.input("self")
    call.must_be(ceil_mode=False, divisor_override=None)
    fields = _pool(call)
    if any(fields["padding"]):
        call.must_be(count_include_pad=True)
    call.ignore("count_include_pad")
    return "avg_pool2d", fields


def _adaptive_avg_pool2d(call: _Call):
    shape = call.input("self")
    size = tuple(call.read("output_size"))
    if size == shape[2:]:
        return None, {}
    if size != (1, 1):
        raise Unsupported(
            f"{call.where}: output_size must be 1 (a global average), found {size}; use AvgPool2d"
        )
    return "global_avg_pool2d", {}


def _mean(call: _Call):
    shape = call.input("self")
    axes = sorted(axis % len(shape) for axis in call.read("dim") or ())
    if len(shape) != 4 or axes != [2, 3]:
        raise Unsupported(f"{call.where}: mean must be over height and width, found axes {axes}")
    return "global_avg_pool2d", {"flatten": not call.read("keepdim")}


def _reshape(call: _Call):
    before, after = call.input("self"), call.shape
    call.ignore("size", "shape", "start_dim", "end_dim")
    if after == before:
        return None, {}
    if len(before) != 4 or len(after) != 2 or after[0] != before[0]:
        raise Unsupported(
            f"{call.where}: must flatten an image to (batch, features), found a reshape from "
            f"{before} to {after}"
        )
    return "flatten", {}


def _dropout(call: _Call):
    call.input("input" if "input" in call.given else "self")
    call.must_be(train=False)
    call.ignore("p")
    return None, {}


def _nothing(call: _Call):
    call.input("self")
    call.ignore("memory_format")
    return None, {}


def _add(call: _Call):
    first, second = call.input("self"), call.input("other")
    call.must_be(alpha=1)
    if first != second:
        raise Unsupported(f"{call.where}: operands must have one shape, found {first} and {second}")
    return "add", {}


_RULES = {
    "aten.linear.default": _linear,
    "aten.addmm.default": _addmm,
    "aten.mm.default": _mm,
    "aten.matmul.default": _mm,
    "aten.conv2d.default": _conv2d,
    "aten.conv2d.padding": _conv2d,
    "aten.convolution.default": _conv2d,
    "aten.batch_norm.default": _batch_norm,
    "aten._native_batch_norm_legit_no_training.default": _batch_norm,
    "aten.relu.default": _plain("relu"),
    "aten.relu_.default": _plain("relu"),
    "aten.relu6.default": _relu6,
    "aten.relu6_.default": _relu6,
    "aten.hardtanh.default": _hardtanh,
    "aten.hardtanh_.default": _hardtanh,
    "aten.clamp.default": _clamp,
    "aten.sigmoid.default": _plain("sigmoid"),
    "aten.tanh.default": _plain("tanh"),
    "aten.max_pool2d.default": _max_pool2d,
    "aten.max_pool2d_with_indices.default": _max_pool2d,
    "aten.avg_pool2d.default": _avg_pool2d,
    "aten.adaptive_avg_pool2d.default": _adaptive_avg_pool2d,
    "aten._adaptive_avg_pool2d.default": _adaptive_avg_pool2d,
    "aten.mean.dim": _mean,
    "aten.flatten.using_ints": _reshape,
    "aten.view.default": _reshape,
    "aten.reshape.default": _reshape,
    "aten._unsafe_view.default": _reshape,
    "aten.dropout.default": _dropout,
    "aten.dropout_.default": _dropout,
    "aten.feature_dropout.default": _dropout,
    "aten.clone.default": _nothing,
    "aten.contiguous.default": _nothing,
    "aten.alias.default": _nothing,
    "aten.detach.default": _nothing,
    "aten.add.Tensor": _add,
    "aten.add_.Tensor": _add,
}

_HINTS = {
    "softmax": " (remove it: the largest output stays the largest)",
    "log_softmax": " (remove it: the largest output stays the largest)",
    "gelu": " (train with ReLU)",
    "silu": " (train with ReLU)",
    "leaky_relu": " (train with ReLU)",
    "conv1d": " (use Conv2d with a height of 1)",
}
