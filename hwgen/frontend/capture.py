"""A user's module as a network of ``hwgen.nn`` layers, by symbolic tracing.

Layers of ``hwgen.nn`` are leaves; the forward of everything around them runs symbolically, so that
residual connections in the user's own classes work. A few of PyTorch's layers and functions are
taken where the integers pass through them exactly; every attribute that is not read is checked.
"""

from __future__ import annotations

import inspect
import operator

import torch
import torch.nn.functional as F
from torch import fx, nn

from ..errors import HwgenError, InvalidInput, Unsupported
from ..nn import Layer, Network
from ..nn.clip import ReLU
from ..nn.flatten import Flatten
from ..nn.input import InputQuantizer
from ..nn.layer import layer_classes
from ..nn.max_pool2d import MaxPool2d
from ..nn.network import Step
from .attributes import check_module

__all__ = ["capture"]

EXACT = "torch.nn.Flatten, MaxPool2d, ReLU, Identity and Dropout (eval)"
INSTEAD = {
    "add": "hwgen.nn.Add",
    "iadd": "hwgen.nn.Add",
    "Linear": "hwgen.nn.Linear, or hwgen.quantize for a float model",
    "Conv2d": "hwgen.nn.Conv2d, or hwgen.quantize for a float model",
    "BatchNorm1d": "hwgen.nn.Linear(..., batch_norm=True)",
    "BatchNorm2d": "hwgen.nn.Conv2d(..., batch_norm=True)",
    "ReLU6": "hwgen.nn.Activation",
    "Hardtanh": "hwgen.nn.Activation(signed=True)",
    "LSTM": "hwgen.nn.LSTM, one layer each, in hwgen.nn.Bidirectional for both directions",
    "GRU": "hwgen.nn.GRU, one layer each, in hwgen.nn.Bidirectional for both directions",
    "cat": "hwgen.nn.Concat",
    "flip": "hwgen.nn.Reverse",
    "Sigmoid": "hwgen.nn.Sigmoid",
    "sigmoid": "hwgen.nn.Sigmoid",
    "Tanh": "hwgen.nn.Tanh",
    "tanh": "hwgen.nn.Tanh",
    "AvgPool2d": "hwgen.nn.AvgPool2d",
    "avg_pool2d": "hwgen.nn.AvgPool2d",
    "AdaptiveAvgPool2d": "hwgen.nn.GlobalAvgPool2d",
    "adaptive_avg_pool2d": "hwgen.nn.GlobalAvgPool2d",
    "mean": "hwgen.nn.GlobalAvgPool2d",
    "argmax": "hwgen.nn.ArgMax",
}


def capture(model: nn.Module, name: str | None = None) -> Network:
    """The network inside ``model``; it shares the model's layers, so that it sees their training.

    Parameters
    ----------
    model
        Any module made of ``hwgen.nn`` layers and of PyTorch layers that keep integers exact.
    name
        Name of the network; the module's class name in lower case if not given.

    Raises
    ------
    InvalidInput
        ``model`` is no module.
    Unsupported
        It does something that cannot be deployed; the message names the layer.
    """
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"model must be a torch.nn.Module, found {type(model).__name__}")
    if isinstance(model, Network):
        return model
    if isinstance(model, torch.jit.ScriptModule):
        raise Unsupported(
            "model must be a plain torch.nn.Module, found a TorchScript module; "
            "give the module that it was scripted from"
        )
    name = name or type(model).__name__.lower()
    if isinstance(model, Layer) or type(model) in _MODULES or not list(model.children()):
        model = nn.Sequential(model)  # what is traced must hold the layers, not be one
    return _Translation(model, _trace(model)).network(name)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        return isinstance(module, Layer) or super().is_leaf_module(module, path)


def _trace(model: nn.Module) -> fx.Graph:
    modes = {module: module.training for module in model.modules()}
    model.eval()  # what is deployed is what eval mode does
    try:
        return _Tracer().trace(model)
    except HwgenError:
        raise
    except Exception as error:  # tracing runs the user's code, which may raise anything
        raise Unsupported(
            f"model {type(model).__name__} cannot be traced symbolically: {error}; its forward "
            f"must not depend on the values of tensors"
        ) from None
    finally:
        for module, training in modes.items():
            module.training = training


class _Translation:
    """Walks the traced graph; ``values`` maps its nodes to names of network values."""

    def __init__(self, model: nn.Module, graph: fx.Graph) -> None:
        self.model, self.graph = model, graph
        self.paths = {path for path, _ in model.named_modules()}
        self.values: dict[fx.Node, str] = {}
        self.batch_sizes: set[fx.Node] = set()
        self.shapes: set[fx.Node] = set()
        self.layers: dict[str, Layer] = {}
        self.steps: list[Step] = []
        self.output: str | None = None

    def network(self, name: str) -> Network:
        for node in self.graph.nodes:
            getattr(self, f"_{node.op}")(node)
        if not self.steps or not isinstance(self.layers[self.steps[0].layer], InputQuantizer):
            found = (
                type(self.layers[self.steps[0].layer]).__name__ if self.steps else "no layer at all"
            )
            raise Unsupported(f"model must begin with hwgen.nn.InputQuantizer, found {found}")
        self._drop_unused()
        return Network(name, self.layers, tuple(self.steps))

    def _drop_unused(self) -> None:
        """Keep what the output needs; the output's step is the last one."""
        needed = {self.output}
        kept = []
        for step in reversed(self.steps):
            if step.value in needed:
                needed.update(step.inputs)
                kept.append(step)
        self.steps = kept[::-1]
        self.layers = {step.layer: self.layers[step.layer] for step in self.steps}

    def _placeholder(self, node: fx.Node) -> None:
        if "input" in self.values.values():
            if node.users:
                raise Unsupported(f"model must have one input, found a second one, {node.target!r}")
            return
        self.values[node] = "input"

    def _output(self, node: fx.Node) -> None:
        (result,) = node.args
        if not isinstance(result, fx.Node) or result not in self.values:
            raise Unsupported(f"model must return one tensor, found {type(result).__name__}")
        self.output = self.values[result]

    def _get_attr(self, node: fx.Node) -> None:
        raise Unsupported(
            f"model must use tensors inside layers only, found {node.target!r} in its forward"
        )

    def _call_module(self, node: fx.Node) -> None:
        path = str(node.target)
        module = self.model.get_submodule(path)
        where = f"layer {path!r} ({type(module).__name__})"
        if isinstance(module, Layer):
            if layer_classes().get(type(module).__name__) is not type(module):
                raise Unsupported(
                    f"{where}: class must be one of hwgen.nn's ({', '.join(layer_classes())}) or "
                    f"be registered with hwgen.nn.register_layer"
                )
            check_module(module, where)
            self._step(node, path, module, self._operands(node, module, where))
            return
        translate = _MODULES.get(type(module))
        if translate is None:
            raise Unsupported(f"{where}: {_not_supported(type(module).__name__)}")
        check_module(module, where)
        if getattr(module, "inplace", False):
            self._check_inplace(node, where)
        self._exact(node, path, translate(module), where)

    def _call_function(self, node: fx.Node) -> None:
        function, name = node.target, getattr(node.target, "__name__", str(node.target))
        where = f"function {name!r} (value {node.name!r})"
        if function is getattr and node.args[1:] == ("shape",):
            self.shapes.add(node)
        elif function is operator.getitem and node.args[0] in self.shapes and node.args[1] == 0:
            self.batch_sizes.add(node)
        elif function in _FUNCTIONS:
            if node.kwargs.get("inplace") or any(a is True for a in node.args[1:]):
                self._check_inplace(node, where)
            self._exact(node, self._free(node.name), _FUNCTIONS[function](node, where), where)
        elif function is torch.flatten:
            self._flatten(node, where)
        elif function is torch.reshape:
            self._reshape(node, where)
        else:
            raise Unsupported(f"{where}: {_not_supported(name)}")

    def _call_method(self, node: fx.Node) -> None:
        name = str(node.target)
        where = f"method {name!r} (value {node.name!r})"
        if name == "size":
            (self.batch_sizes if node.args[1:] == (0,) else self.shapes).add(node)
        elif name == "flatten":
            self._flatten(node, where)
        elif name in ("view", "reshape"):
            self._reshape(node, where)
        elif name == "relu":
            self._exact(node, self._free(node.name), ReLU(), where)
        elif name == "contiguous":
            self._exact(node, self._free(node.name), None, where)
        else:
            raise Unsupported(f"{where}: {_not_supported(name)}")

    def _flatten(self, node: fx.Node, where: str) -> None:
        axes = dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)) | node.kwargs
        start, end = axes.get("start_dim", 0), axes.get("end_dim", -1)
        if (start, end) != (1, -1):
            raise Unsupported(
                f"{where}: must flatten from axis 1 to the last, not {start} to {end}"
            )
        self._exact(node, self._free(node.name), Flatten(), where)

    def _reshape(self, node: fx.Node, where: str) -> None:
        sizes = node.args[1:]
        if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
            sizes = tuple(sizes[0])
        if len(sizes) != 2 or sizes[0] not in self.batch_sizes or sizes[1] != -1:
            raise Unsupported(
                f"{where}: must have the form view(x.size(0), -1); use torch.flatten(x, 1)"
            )
        self._exact(node, self._free(node.name), Flatten(), where)

    def _check_inplace(self, node: fx.Node, where: str) -> None:
        """Refuse to overwrite a value that something else reads, also through another view."""
        source = node
        while source.all_input_nodes and (source is node or self._is_view(source)):
            source = source.all_input_nodes[0]
            if len([user for user in source.users if user not in self.batch_sizes]) > 1:
                raise Unsupported(
                    f"{where}: inplace must be False where the input is read again, found True"
                )

    def _is_view(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            module = self.model.get_submodule(str(node.target))
            return isinstance(
                module, nn.Flatten | nn.ReLU | nn.Identity | nn.Dropout | nn.Dropout2d
            )
        return node.target in (
            *("flatten", "view", "reshape", "contiguous"),
            *(torch.flatten, torch.reshape, F.relu, F.dropout),
        )

    def _free(self, name: str) -> str:
        """A path for a function, which no module of the user's has."""
        taken, path, count = {*self.layers, *self.paths}, name, 2
        while path in taken:
            path, count = f"{name}_{count}", count + 1
        return path

    def _exact(self, node: fx.Node, path: str, layer: Layer | None, where: str) -> None:
        """A layer of PyTorch's that keeps the integers; None for one that does nothing."""
        inputs = self._inputs(node, where, 1)
        if layer is None:
            self.values[node] = inputs[0]
        else:
            self._step(node, path, layer, inputs)

    def _step(self, node: fx.Node, path: str, layer: Layer, inputs: tuple[str, ...]) -> None:
        self.values[node] = node.name
        self.layers[path] = layer
        self.steps.append(Step(node.name, path, inputs))

    def _operands(self, node: fx.Node, layer: Layer, where: str) -> tuple[str, ...]:
        """The inputs of a layer of ``hwgen.nn``: as many values as it takes, nothing else."""
        count = len(inspect.signature(layer.eval_forward).parameters)
        if node.kwargs or len(node.args) != count:
            raise Unsupported(
                f"{where}: must be called with {count} positional input{'s' * (count > 1)}, found "
                f"{len(node.args)} and {len(node.kwargs)} by name"
            )
        for value in node.args:
            if not isinstance(value, fx.Node):
                raise Unsupported(f"{where}: input must be a tensor, found {value!r}")
        return self._inputs(node, where)

    def _inputs(self, node: fx.Node, where: str, most: int | None = None) -> tuple[str, ...]:
        inputs = []
        for value in node.args[:most]:
            if isinstance(value, fx.Node):
                if value not in self.values:
                    raise Unsupported(f"{where}: input must be a tensor, found {value.name!r}")
                inputs.append(self.values[value])
        if not inputs:
            raise Unsupported(f"{where}: must have an input that comes from the model's input")
        return tuple(inputs)


def _not_supported(name: str) -> str:
    if name in INSTEAD:
        return f"is not exact in integers; use {INSTEAD[name]}"
    layers = ", ".join(layer_classes())
    return f"is not supported; supported are the layers of hwgen.nn ({layers}) and {EXACT}"


def _max_pool2d(module: nn.MaxPool2d) -> Layer:
    return MaxPool2d(module.kernel_size, module.stride, module.padding)


_MODULES = {
    nn.Flatten: lambda module: Flatten(),
    nn.ReLU: lambda module: ReLU(),
    nn.MaxPool2d: _max_pool2d,
    nn.Identity: lambda module: None,
    nn.Dropout: lambda module: None,
    nn.Dropout2d: lambda module: None,
}


def _max_pool2d_function(node: fx.Node, where: str) -> Layer:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    given = dict(zip(names, node.args[1:], strict=False)) | node.kwargs
    for name, want in (("dilation", 1), ("ceil_mode", False), ("return_indices", False)):
        if given.get(name, want) not in (want, (want, want)):
            raise Unsupported(f"{where}: {name} must be {want}, found {given[name]!r}")
    return MaxPool2d(given["kernel_size"], given.get("stride"), given.get("padding", 0))


def _dropout_function(node: fx.Node, where: str) -> None:
    given = dict(zip(("p", "training"), node.args[1:], strict=False)) | node.kwargs
    if given.get("training", True):
        raise Unsupported(
            f"{where}: training must be False in eval mode; give training=self.training"
        )


def _relu_function(node: fx.Node, where: str) -> Layer:
    return ReLU()


_FUNCTIONS = {
    F.max_pool2d: _max_pool2d_function,
    torch.max_pool2d: _max_pool2d_function,
    F.relu: _relu_function,
    torch.relu: _relu_function,
    F.dropout: _dropout_function,
}
