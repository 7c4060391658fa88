"""What each ATen operator means, argument by argument.

A rule reads the arguments of a call and returns the kind of float layer with its fields, or
``(None, {})`` for an operator that changes nothing. What it does not read is refused by
:meth:`Call.check_all_read`.
"""

from __future__ import annotations

import torch

from ..errors import Unsupported

__all__ = ["HINTS", "RULES", "SUPPORTED", "Call"]

SUPPORTED = (
    "linear, conv2d, batch_norm behind one of them, relu, relu6, hardtanh, clamp, sigmoid, tanh, "
    "max_pool2d, avg_pool2d, adaptive_avg_pool2d to 1, mean over height and width, flatten, add, "
    "dropout"
)


class Call:
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


def _linear(call: Call):
    call.input("input")
    return "linear", {"weight": call.tensor("weight"), "bias": call.tensor("bias")}


def _addmm(call: Call):
    call.input("mat1")
    call.must_be(beta=1, alpha=1)
    return "linear", {"weight": call.tensor("mat2").T, "bias": call.tensor("self")}


def _mm(call: Call):
    call.input("self")
    weight = call.tensor("mat2" if "mat2" in call.given else "other")
    return "linear", {"weight": weight.T, "bias": None}


def _conv2d(call: Call):
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


def _batch_norm(call: Call):
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
    def rule(call: Call):
        call.input("self")
        return kind, {}

    return rule


def _relu6(call: Call):
    call.input("self")
    return _bounds(call, 0.0, 6.0)


def _hardtanh(call: Call):
    call.input("self")
    return _bounds(call, call.read("min_val"), call.read("max_val"))


def _clamp(call: Call):
    call.input("self")
    return _bounds(call, call.read("min"), call.read("max"))


def _bounds(call: Call, lo, hi):
    if lo == 0 and hi is None:
        return "relu", {}
    if lo is None or hi is None or hi <= 0 or lo not in (0, -hi):
        raise Unsupported(
            f"{call.where}: bounds must be 0 and a positive number, or -a and a, found {lo} and {hi}"
        )
    return "clip", {"lo": float(lo), "hi": float(hi)}


def _max_pool2d(call: Call):
    call.input("self")
    call.must_be(dilation=1, ceil_mode=False)
    return "max_pool2d", _pool(call)


def _pool(call: Call) -> dict:
    kernel, padding = call.pair("kernel_size"), call.pair("padding")
    stride = call.pair("stride") if call.given["stride"] else call.read("stride") or kernel
    return {"kernel_size": kernel, "stride": tuple(stride), "padding": padding}


def _avg_pool2d(call: Call):
    call.input("self")
    call.must_be(ceil_mode=False, divisor_override=None)
    fields = _pool(call)
    if any(fields["padding"]):
        call.must_be(count_include_pad=True)
    call.ignore("count_include_pad")
    return "avg_pool2d", fields


def _adaptive_avg_pool2d(call: Call):
    shape = call.input("self")
    size = tuple(call.read("output_size"))
    if size == shape[2:]:
        return None, {}
    if size != (1, 1):
        raise Unsupported(
            f"{call.where}: output_size must be 1 (a global average), found {size}; use AvgPool2d"
        )
    return "global_avg_pool2d", {}


def _mean(call: Call):
    shape = call.input("self")
    axes = sorted(axis % len(shape) for axis in call.read("dim") or ())
    if len(shape) != 4 or axes != [2, 3]:
        raise Unsupported(f"{call.where}: mean must be over height and width, found axes {axes}")
    return "global_avg_pool2d", {"flatten": not call.read("keepdim")}


def _reshape(call: Call):
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


def _dropout(call: Call):
    call.input("input" if "input" in call.given else "self")
    call.must_be(train=False)
    call.ignore("p")
    return None, {}


def _nothing(call: Call):
    call.input("self")
    call.ignore("memory_format")
    return None, {}


def _add(call: Call):
    first, second = call.input("self"), call.input("other")
    call.must_be(alpha=1)
    if first != second:
        raise Unsupported(f"{call.where}: operands must have one shape, found {first} and {second}")
    return "add", {}


RULES = {
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

HINTS = {
    "softmax": " (remove it: the largest output stays the largest)",
    "log_softmax": " (remove it: the largest output stays the largest)",
    "gelu": " (train with ReLU)",
    "silu": " (train with ReLU)",
    "leaky_relu": " (train with ReLU)",
    "conv1d": " (use Conv2d with a height of 1)",
    "pad": " (padding_mode must be 'zeros'; give the padding to the convolution or pooling)",
    "argmax": " (leave it out: the largest output stays the largest)",
    "mul": " (put a constant factor into the weights of the layer before)",
    "sub": " (add, with the weights of the layer before negated)",
    "layer_norm": " (use batch norm)",
    "group_norm": " (use batch norm)",
    "instance_norm": " (use batch norm)",
}
