"""Post-training quantization: a plain float module and calibration data in, integers out.

The module is captured with ``torch.export``; its ATen graph becomes an equivalent network of
``hwgen.nn`` layers, whose scales are set from the calibration data by least squared error.
Weights are symmetric, one scale an output channel, batch norm folded (Jacob et al., 2018;
Nagel et al., "A White Paper on Neural Network Quantization", 2021, section 3).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput, Unsupported
from ..nn import Network
from .aten import float_steps
from .equivalent import equivalent_network

__all__ = ["Report", "calibration_samples", "float_program", "quantize"]

SAMPLES = 512  # so many samples set the scales; more change little


@dataclass(frozen=True)
class Report:
    """How close the integers come to the float module.

    Attributes
    ----------
    samples
        Number of samples measured on.
    snr_db
        Power of the float outputs over that of the difference, in decibels.
    float_accuracy, integer_accuracy
        Part of the samples classified rightly; None without labels.
    """

    samples: int
    snr_db: float
    float_accuracy: float | None = None
    integer_accuracy: float | None = None

    def __str__(self) -> str:
        lines = [f"output SNR {self.snr_db:.1f} dB over {self.samples} samples"]
        if self.float_accuracy is not None:
            lines.append(
                f"accuracy {self.float_accuracy:.2%} in floating point, "
                f"{self.integer_accuracy:.2%} in integers"
            )
        return "\n".join(lines)


def quantize(
    module: nn.Module | torch.export.ExportedProgram,
    calibration,
    weight_bits: int = 8,
    activation_bits: int = 8,
    labels=None,
    *,
    input_bits: int = 8,
    scale: str = "learned",
    evaluation=None,
    name: str | None = None,
) -> tuple[Network, Report]:
    """Quantize a trained float module without training.

    Parameters
    ----------
    module
        A float ``torch.nn.Module``, or what ``torch.export`` made of one.
    calibration
        Typical samples, (batch, features) or (batch, channels, height, width): an array, a tensor,
        or an iterable of batches such as a DataLoader (of ``(samples, labels)`` batches the
        samples are used).
    weight_bits, activation_bits, input_bits
        Widths, 1 to 8 (input 1 to 16).
    labels
        Class of each calibration sample: then accuracies are reported.
    scale
        "learned" for any real scale (multiplier and shift), "power_of_two" for pure shifts.
    evaluation
        (samples, labels) to report on instead of the calibration data.
    name
        Name of the network; the module's class name in lower case if not given.

    Returns
    -------
    The quantized network, in eval mode (``hwgen.lower`` and ``hwgen.save`` take it; it can be
    trained on), and the report.

    Raises
    ------
    InvalidInput
        The calibration data is empty, not finite, or does not fit the module or the labels; or
        weights are all zero, NaN or infinite.
    Unsupported
        The module has an operator, or an argument, that cannot be deployed.
    """
    samples = calibration_samples(calibration, "calibration data")
    if labels is not None:
        labels = _labels(labels, samples)
    program, run_float = float_program(module, samples)
    steps, output = float_steps(program)
    name = name or (type(module).__name__.lower() if isinstance(module, nn.Module) else "program")
    bits = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    network = equivalent_network(
        name,
        steps,
        output,
        shape=tuple(samples.shape[1:]),
        signed=bool((samples < 0).any()),
        input_bits=input_bits,
        scale=scale,
        **bits,
    )
    with torch.no_grad():
        network.train()(samples[:SAMPLES])
    network.eval().lower()
    if evaluation is not None:
        samples = calibration_samples(evaluation[0], "evaluation data")
        labels = _labels(evaluation[1], samples)
    return network, _report(network, run_float, samples, labels)


def calibration_samples(given, what: str) -> torch.Tensor:
    if not isinstance(given, torch.Tensor | np.ndarray):
        try:
            batches = [b[0] if isinstance(b, list | tuple) else b for b in given]
            parts = [torch.as_tensor(np.asarray(b)) for b in batches]
            given = torch.cat(parts) if parts else torch.empty(0)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InvalidInput(
                f"{what} must be an array, a tensor or an iterable of batches of one shape: {error}"
            ) from None
    samples = torch.as_tensor(given).detach().cpu()
    if samples.dim() not in (2, 4):
        found = "nothing" if not samples.numel() else f"shape {tuple(samples.shape)}"
        raise InvalidInput(
            f"{what} must be (batch, features) or (batch, channels, height, width), found {found}"
        )
    if not samples.numel():
        raise InvalidInput(f"{what} must not be empty, found shape {tuple(samples.shape)}")
    samples = samples.float()
    if not torch.isfinite(samples).all():
        raise InvalidInput(f"{what} must be finite, found NaN or infinity")
    return samples


def _labels(given, samples: torch.Tensor) -> torch.Tensor:
    labels = torch.as_tensor(np.asarray(given)).reshape(-1)
    if len(labels) != len(samples):
        raise InvalidInput(
            f"there must be one label a sample, found {len(labels)} labels for {len(samples)} samples"
        )
    return labels


def float_program(module, samples: torch.Tensor):
    """The functional exported program, and a function that runs the float model on a batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        if isinstance(module, torch.export.ExportedProgram):
            return module.run_decompositions({}), _run_program(module, samples)
        if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
            raise InvalidInput(
                f"must be a float torch.nn.Module or an exported program, "
                f"found {type(module).__name__}"
            )
        for name, value in module.state_dict().items():
            if value.is_floating_point() and value.dtype != torch.float32:
                raise InvalidInput(
                    f"module must be in float32, found {name!r} in {value.dtype}; call module.float()"
                )
        modes = {part: part.training for part in module.modules()}
        module.eval()
        try:
            return _export(module, samples), _run_module(module)
        finally:
            for part, training in modes.items():
                part.training = training


def _export(module: nn.Module, samples: torch.Tensor) -> torch.export.ExportedProgram:
    # Two samples: a batch of one would be specialized, and shapes say where the batch went.
    example = samples[:2] if len(samples) > 1 else samples.repeat(2, *(1,) * (samples.dim() - 1))
    try:
        with torch.no_grad():
            module(example)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise InvalidInput(
            f"calibration data must fit the module, found that samples of shape "
            f"{tuple(samples.shape[1:])} fail in it: {_first_line(error)}"
        ) from None
    try:
        return torch.export.export(module, (example,)).run_decompositions({})
    except Exception as error:  # torch.export raises many kinds
        raise Unsupported(
            f"module {type(module).__name__} must be exportable, but torch.export says: "
            f"{_first_line(error)}"
        ) from None


def _run_module(module: nn.Module):
    def run(x: torch.Tensor) -> torch.Tensor:
        modes = {part: part.training for part in module.modules()}
        module.eval()
        try:
            return module(x)
        finally:
            for part, training in modes.items():
                part.training = training

    return run


def _run_program(program: torch.export.ExportedProgram, samples: torch.Tensor):
    inputs = [n for n in program.graph.nodes if n.name in program.graph_signature.user_inputs]
    want = tuple(inputs[0].meta["val"].shape) if len(inputs) == 1 else ()
    if not want or tuple(want[1:]) != tuple(samples.shape[1:]):
        raise InvalidInput(
            f"calibration data must fit the program's input {want}, found samples of shape "
            f"{tuple(samples.shape[1:])}"
        )
    module, batch = program.module(), int(want[0])

    def run(x: torch.Tensor) -> torch.Tensor:
        # A program has the batch size that it was exported with: fill up the last batch.
        fill = -len(x) % batch
        padded = torch.cat([x, x[:1].expand(fill, *x.shape[1:])]) if fill else x
        return torch.cat([module(part) for part in padded.split(batch)])[: len(x)]

    return run


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@torch.no_grad()
def _report(network: Network, run_float, samples, labels, batch: int = 256) -> Report:
    signal = noise = 0.0
    right_float = right_integer = 0
    for start in range(0, len(samples), batch):
        x = samples[start : start + batch]
        wanted, found = run_float(x).double(), network(x).plain()
        signal += float((wanted**2).sum())
        noise += float(((wanted - found) ** 2).sum())
        if labels is not None:
            truth = labels[start : start + batch]
            right_float += int((wanted.argmax(1) == truth).sum())
            right_integer += int((found.argmax(1) == truth).sum())
    snr = 10 * math.log10(signal / noise) if signal and noise else math.inf if signal else 0.0
    if labels is None:
        return Report(len(samples), snr)
    return Report(len(samples), snr, right_float / len(samples), right_integer / len(samples))
