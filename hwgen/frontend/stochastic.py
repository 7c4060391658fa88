"""Post-training conversion: a float sigmoid or tanh network becomes a stochastic one."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

from ..errors import InvalidInput, Unsupported
from ..nn import Layer, Network, number_sources
from ..nn.input import InputQuantizer
from ..nn.network import Step
from ..nn.stochastic_dense import StochasticLinear
from ..nn.stream_argmax import StreamArgMax
from ..nn.to_stream import ToStream
from .aten import FloatStep, float_steps
from .exported import SAMPLES, calibration_samples, float_program

__all__ = ["to_stochastic"]


def to_stochastic(
    module: nn.Module | torch.export.ExportedProgram,
    calibration,
    *,
    length: int = 256,
    components: int = 4,
    coding: str = "sign_magnitude",
    limit: float | None = None,
    weight_bits: int = 8,
    input_bits: int = 8,
    name: str | None = None,
) -> Network:
    """A stochastic classifier with the weights of a trained float network, without training.

    Parameters
    ----------
    module
        Linear layers with a sigmoid or tanh behind every one but the last.
    calibration
        Typical samples, (batch, features), in 0..1 or -1..1: counters are sized by what they make of
        the layers' inputs.
    length, components, coding
        As of :class:`hwgen.nn.ToStream` and :class:`hwgen.nn.StochasticLinear`.
    limit
        Largest weight or bias; by default each layer's own.
    weight_bits, input_bits
        Widths.
    name
        Name of the network; the module's class name in lower case if not given.

    Returns
    -------
    The network, in eval mode; ``hwgen.nn.calibrate_margin`` lets it decide early.

    Raises
    ------
    InvalidInput
        Samples do not fit the module, or lie outside -1..1; or a weight outside ``limit``.
    Unsupported
        A layer has no stochastic form.
    """
    samples = calibration_samples(calibration, "calibration data")
    if samples.dim() != 2:
        raise InvalidInput(
            f"calibration data must be vectors (batch, features), found shape {tuple(samples.shape)}"
        )
    signed = bool((samples < 0).any())
    if samples.abs().max() > 1:
        raise InvalidInput(
            f"calibration data must lie in 0..1 or -1..1, as streams do, found "
            f"{samples.min():g} to {samples.max():g}; scale it, and the first layer's weights"
        )
    program, _ = float_program(module, samples)
    steps, output = float_steps(program)
    inputs = samples.shape[1]
    layers: dict[str, Layer] = {
        "quantize": InputQuantizer(input_bits, 2.0 ** (signed - input_bits), signed, (inputs,)),
        "stream": ToStream(inputs, length, bits=input_bits, signed=signed),
    }
    options = {"components": components, "coding": coding, "bits": weight_bits}
    for step, activation in _neurons(steps, output):
        layer = _neuron(step, activation, signed, limit, options)
        layers[step.path] = layer
        signed = activation == "tanh"
    layers["class"] = StreamArgMax()
    names = ["input", *layers]
    wiring = tuple(Step(value, value, (before,)) for before, value in itertools.pairwise(names))
    if name is None:
        name = type(module).__name__.lower() if isinstance(module, nn.Module) else "program"
    network = Network(name, layers, wiring)
    number_sources(network)
    with torch.no_grad():
        network.train()(samples[:SAMPLES])
    network.eval().lower()
    return network


def _neurons(steps: list[FloatStep], output: str) -> list[tuple[FloatStep, str | None]]:
    """Linear layers in their order, with the activation behind each."""
    found: list[tuple[FloatStep, str | None]] = []
    value = "input"
    for step in steps:
        if step.inputs != (value,):
            raise Unsupported(
                f"layer {step.path!r}: must read the layer before it, one after the other"
            )
        value = step.value
        if step.kind == "linear" and (not found or found[-1][1]):
            found.append((step, None))
        elif step.kind in ("sigmoid", "tanh") and found and found[-1][1] is None:
            found[-1] = (found[-1][0], step.kind)
        elif step.kind != "flatten":
            raise Unsupported(
                f"layer {step.path!r} ({step.kind}): has no stochastic form here; supported are linear "
                f"layers with sigmoid or tanh between them, trained that way, or hwgen.quantize for "
                f"fixed point"
            )
    if not found or value != output or found[-1][1] is not None:
        raise Unsupported("module must end in a linear layer, whose outputs are the classes'")
    return found


def _neuron(
    step: FloatStep, activation: str | None, signed: bool, limit: float | None, options: dict
) -> StochasticLinear:
    weight, bias = step.fields["weight"].detach(), step.fields["bias"]
    largest = max(float(t.abs().max()) for t in (weight, bias) if t is not None)
    if not math.isfinite(largest) or largest == 0:
        raise InvalidInput(f"layer {step.path!r}: weights must be finite and not all zero")
    if limit is not None and largest > limit:
        raise InvalidInput(
            f"layer {step.path!r}: weights and biases must lie in [-{limit:g}, {limit:g}], found "
            f"{largest:g}; give a larger limit, or none"
        )
    outputs, inputs = weight.shape
    layer = StochasticLinear(
        inputs, outputs, activation=activation, signed=signed, limit=limit or largest, **options
    )
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias.detach())
    return layer
