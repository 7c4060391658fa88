"""A network as data: layers and the values that they read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..errors import HwgenError, InvalidInput
from ..ir.graph import Graph
from .input import InputQuantizer, check_shape
from .layer import Layer, Lowering, find_layer

__all__ = ["Network", "Step"]


@dataclass(frozen=True)
class Step:
    """One value of a network.

    Attributes
    ----------
    value
        Its name.
    layer
        Path of the layer that computes it.
    inputs
        Names of the values that the layer reads; "input" is the network's input.
    """

    value: str
    layer: str
    inputs: tuple[str, ...]


class Network(nn.Module):
    """Layers of ``hwgen.nn`` and their wiring: what a checkpoint stores.

    Parameters
    ----------
    name
        Name of the model.
    layers
        Layers by path (dots allowed).
    steps
        In the order of execution; the last one is the output.
    """

    def __init__(self, name: str, layers: dict[str, Layer], steps: tuple[Step, ...]) -> None:
        super().__init__()
        self.name = name
        self.steps = tuple(steps)
        for path, layer in layers.items():
            layer.path = path
        # A ModuleDict would refuse layers that are called as its own methods: values, keys, ...
        self.layers = nn.Module()
        for path, layer in layers.items():
            self.layers.add_module(self._key(path), layer)

    @staticmethod
    def _key(path: str) -> str:
        """Module names must not hold dots; the paths of layers may."""
        return path.replace(".", "/")

    def layer(self, path: str) -> Layer:
        return self.layers.get_submodule(self._key(path))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = {"input": x}
        for step in self.steps:
            values[step.value] = self.layer(step.layer)(*(values[name] for name in step.inputs))
        return values[self.steps[-1].value]

    @property
    def entrance(self) -> InputQuantizer:
        """The input quantizer."""
        return self.layer(self.steps[0].layer)

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Shape of a sample in PyTorch's order, if known."""
        return self.entrance.shape

    def sample_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one sample of a batch of ``shape``."""
        try:
            return self.entrance.sample_shape(shape)
        except HwgenError as error:
            raise self.entrance._at(error) from None

    def describe(self) -> dict:
        """The network without its tensors, as plain data."""
        paths = dict.fromkeys(step.layer for step in self.steps)
        return {
            "name": self.name,
            "layers": {
                path: {"kind": type(self.layer(path)).__name__, **self.layer(path).config()}
                for path in paths
            },
            "steps": [[step.value, step.layer, list(step.inputs)] for step in self.steps],
        }

    @classmethod
    def from_description(cls, description: dict) -> Network:
        """The inverse of :meth:`describe`; tensors have their initial values.

        Raises
        ------
        InvalidInput
            The data is no description, or names layers that do not exist.
        """
        if not isinstance(description, dict):
            raise InvalidInput("damaged description: must be a dictionary")
        try:
            layers = {}
            for path, entry in description["layers"].items():
                arguments = {k: v for k, v in entry.items() if k != "kind"}
                try:
                    layers[path] = find_layer(entry["kind"]).from_config(arguments)
                except HwgenError as error:
                    raise type(error)(f"layer {path!r}: {error}") from None
            steps = tuple(
                Step(value, layer, tuple(inputs)) for value, layer, inputs in description["steps"]
            )
            known = {"input"}
            for step in steps:
                if step.layer not in layers or not known.issuperset(step.inputs):
                    raise InvalidInput(
                        f"damaged description: step {step.value!r} reads nothing known"
                    )
                known.add(step.value)
            if not steps or not isinstance(layers[steps[0].layer], InputQuantizer):
                raise InvalidInput("damaged description: must begin with an InputQuantizer")
            return cls(str(description["name"]), layers, steps)
        except HwgenError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(f"damaged description: {type(error).__name__}: {error}") from None

    def lower(self, input_shape: tuple[int, ...] | None = None) -> Graph:
        """The integer graph.

        Parameters
        ----------
        input_shape
            Shape of a sample in PyTorch's order; the input quantizer's own if not given.
        """
        shape = self.entrance.shape
        try:
            if input_shape is not None:
                self.entrance.shape = check_shape(input_shape)
            return self._lower()
        except HwgenError:
            self.entrance.shape = shape  # one that does not fit is not kept
            raise

    def _lower(self) -> Graph:
        lowering = Lowering(self.name)
        values: dict[str, str] = {}
        for step in self.steps:
            layer = lowering.layer = self.layer(step.layer)
            inputs = () if step.inputs == ("input",) else (values[name] for name in step.inputs)
            try:
                values[step.value] = layer.lower(lowering, *inputs)
            except HwgenError as error:
                raise layer._at(error) from None
        return lowering.builder.build(values[self.steps[-1].value])
