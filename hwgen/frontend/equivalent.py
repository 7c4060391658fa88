"""Float layers as the ``hwgen.nn`` layers that stand for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ..errors import HwgenError, Unsupported
from ..nn import Layer, Network
from ..nn.add import Add
from ..nn.avg_pool2d import AvgPool2d, GlobalAvgPool2d
from ..nn.conv2d import Conv2d
from ..nn.dense import Linear
from ..nn.flatten import Flatten
from ..nn.input import InputQuantizer
from ..nn.lookup import Sigmoid, Tanh
from ..nn.max_pool2d import MaxPool2d
from ..nn.network import Step
from ..nn.requantize import Activation
from .aten import FloatStep

__all__ = ["equivalent_network"]

WEIGHTED = ("linear", "conv2d")
CLIPPING = ("relu", "clip")


def equivalent_network(
    name: str,
    steps: list[FloatStep],
    output: str,
    *,
    shape: tuple[int, ...],
    signed: bool,
    input_bits: int,
    weight_bits: int,
    activation_bits: int,
    scale: str,
) -> Network:
    """A network with the float layers' weights; its scales are set by the first training batch.

    Parameters
    ----------
    steps, output
        The float layers, and the name of the result.
    shape, signed
        Shape of a sample, and whether samples have negative values.
    """
    steps, output = _fold_batch_norm(steps, output)
    steps = _clip_before_pool(steps, output)
    builder = _Builder(weight_bits, activation_bits, scale)
    builder.append("quantize", InputQuantizer(input_bits, scale, signed, shape), ())
    builder.values["input"] = _Value("quantize", wide=False, natural=not signed)
    for step in steps:
        # Outputs have one scale, so that their integers compare.
        builder.add(step, per_channel=step.value != output)
    builder.end_at(builder.values[output].name)
    return Network(name, builder.layers, tuple(builder.steps))


def _users(steps: list[FloatStep], output: str) -> dict[str, int]:
    users = {output: 1}
    for step in steps:
        for value in step.inputs:
            users[value] = users.get(value, 0) + 1
    return users


def _fold_batch_norm(steps: list[FloatStep], output: str) -> tuple[list[FloatStep], str]:
    """Put each batch norm into the weights of the layer before it."""
    users, made = _users(steps, output), {}
    result: list[FloatStep] = []
    renamed: dict[str, str] = {}
    for step in steps:
        step = replace(step, inputs=tuple(renamed.get(v, v) for v in step.inputs))
        if step.kind != "batch_norm":
            made[step.value] = len(result)
            result.append(step)
            continue
        (source,) = step.inputs
        before = result[made[source]] if source in made else None
        if before is None or before.kind not in WEIGHTED or users[source] != 1:
            raise Unsupported(
                f"layer {step.path!r}: batch norm must directly follow the only convolution or "
                f"linear layer that it normalizes, found {before.kind if before else 'the input'}"
            )
        result[made[source]] = replace(before, fields=_folded(before.fields, step.fields))
        renamed[step.value] = source
        users[source] = users.get(step.value, 0)
    return result, renamed.get(output, output)


def _folded(layer: dict, norm: dict) -> dict:
    mean, var = norm["mean"].double(), norm["var"].double()
    factor = 1.0 / torch.sqrt(var + norm["eps"])
    if norm["weight"] is not None:
        factor = factor * norm["weight"].double()
    weight = layer["weight"].double()
    bias = (-mean if layer["bias"] is None else layer["bias"].double() - mean) * factor
    if norm["bias"] is not None:
        bias = bias + norm["bias"].double()
    column = factor.reshape(-1, *(1,) * (weight.dim() - 1))
    return {**layer, "weight": (weight * column).float(), "bias": bias.float()}


def _clip_before_pool(steps: list[FloatStep], output: str) -> list[FloatStep]:
    """Exchange a maximum pooling and the ReLU behind it: equal results, and narrow values to pool."""
    users = _users(steps, output)
    result = list(steps)
    for i, step in enumerate(steps):
        if step.kind not in CLIPPING:
            continue
        j = next((j for j in range(i) if result[j].value == step.inputs[0]), None)
        if j is None or result[j].kind != "max_pool2d" or users[result[j].value] != 1:
            continue
        pool = result[j]
        result[j] = replace(step, value=pool.value, inputs=pool.inputs)
        result[i] = replace(pool, value=step.value, inputs=(pool.value,))
    return result


@dataclass(frozen=True)
class _Value:
    """A value of the network: its name, whether it has accumulator width, whether it is >= 0."""

    name: str
    wide: bool
    natural: bool


class _Builder:
    def __init__(self, weight_bits: int, activation_bits: int, scale: str) -> None:
        self.weight_bits, self.bits, self.scale = weight_bits, activation_bits, scale
        self.layers: dict[str, Layer] = {}
        self.steps: list[Step] = []
        self.values: dict[str, _Value] = {}
        self._narrowed: dict[str, _Value] = {}

    def append(self, path: str, layer: Layer, inputs: tuple[str, ...]) -> str:
        """Add a layer; returns its value's name. Layers that are used twice get two paths."""
        unique, count = path, 2
        while unique in self.layers:
            unique, count = f"{path}_{count}", count + 1
        self.layers[unique] = layer
        self.steps.append(Step(unique, unique, inputs or ("input",)))
        return unique

    def narrow(self, value: _Value) -> _Value:
        """The value, requantized if it is an accumulator."""
        if not value.wide:
            return value
        if value.name not in self._narrowed:
            layer = Activation(self.bits, not value.natural, self.scale)
            name = self.append(f"{value.name}_quantize", layer, (value.name,))
            self._narrowed[value.name] = _Value(name, wide=False, natural=value.natural)
        return self._narrowed[value.name]

    def add(self, step: FloatStep, per_channel: bool) -> None:
        inputs = tuple(self.values[v] for v in step.inputs)
        try:
            self.values[step.value] = getattr(self, f"_{step.kind}")(step, per_channel, *inputs)
        except HwgenError as error:
            raise type(error)(f"layer {step.path!r} ({step.kind}): {error}") from None

    def end_at(self, value: str) -> None:
        """Drop what the output does not need; its step is the last one."""
        needed, kept = {value}, []
        for step in reversed(self.steps):
            if step.value in needed:
                needed.update(step.inputs)
                kept.append(step)
        self.steps = kept[::-1]
        self.layers = {step.layer: self.layers[step.layer] for step in self.steps}

    def _weighted(self, step: FloatStep, layer: Layer, x: _Value) -> _Value:
        layer.start_from(step.fields["weight"], step.fields["bias"])
        name = self.append(step.path, layer, (self.narrow(x).name,))
        return _Value(name, wide=True, natural=False)

    def _linear(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        outputs, inputs = step.fields["weight"].shape
        has_bias = step.fields["bias"] is not None
        layer = Linear(
            inputs,
            outputs,
            has_bias,
            bits=self.weight_bits,
            per_channel=per_channel,
            scale=self.scale,
        )
        return self._weighted(step, layer, x)

    def _conv2d(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        fields = step.fields
        outputs, depth, *kernel = fields["weight"].shape
        layer = Conv2d(
            depth * fields["groups"],
            outputs,
            tuple(kernel),
            fields["stride"],
            fields["padding"],
            fields["groups"],
            fields["bias"] is not None,
            bits=self.weight_bits,
            per_channel=per_channel,
            scale=self.scale,
        )
        return self._weighted(step, layer, x)

    def _relu(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        if x.natural and not x.wide:
            return x
        return self._clipped(step, x, signed=False, limit=None)

    def _clip(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        signed = step.fields["lo"] < 0 and not x.natural
        return self._clipped(step, x, signed, step.fields["hi"])

    def _clipped(self, step: FloatStep, x: _Value, signed: bool, limit: float | None) -> _Value:
        layer = Activation(self.bits, signed, self.scale, limit)
        return _Value(self.append(step.path, layer, (x.name,)), wide=False, natural=not signed)

    def _sigmoid(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        layer = Sigmoid(self.bits, max(2, self.bits), self.scale)
        return _Value(self.append(step.path, layer, (x.name,)), wide=False, natural=True)

    def _tanh(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        layer = Tanh(self.bits, max(2, self.bits), self.scale)
        return _Value(self.append(step.path, layer, (x.name,)), wide=False, natural=False)

    def _max_pool2d(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        x = self.narrow(x)
        return replace(x, name=self.append(step.path, MaxPool2d(**step.fields), (x.name,)))

    def _avg_pool2d(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        x = self.narrow(x)
        name = self.append(step.path, AvgPool2d(**step.fields), (x.name,))
        return _Value(name, wide=True, natural=x.natural)

    def _global_avg_pool2d(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        x = self.narrow(x)
        name = self.append(step.path, GlobalAvgPool2d(), (x.name,))
        if step.fields.get("flatten"):
            name = self.append(f"{step.path}_flatten", Flatten(), (name,))
        return _Value(name, wide=True, natural=x.natural)

    def _flatten(self, step: FloatStep, per_channel: bool, x: _Value) -> _Value:
        x = self.narrow(x)
        return replace(x, name=self.append(step.path, Flatten(), (x.name,)))

    def _add(self, step: FloatStep, per_channel: bool, a: _Value, b: _Value) -> _Value:
        natural = a.natural and b.natural
        layer = Add(self.bits, not natural, self.scale)
        name = self.append(step.path, layer, (a.name, b.name))
        return _Value(name, wide=True, natural=natural)
