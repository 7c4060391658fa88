"""What layers with weights share: weight quantizers, folded batch norm, deployed integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput, Unsupported
from ..ir.code import WeightCode, find_code
from ..ir.constant import Constant
from .layer import Layer, check_bits
from .scale import Scale, best_scale, fake_quantize
from .tensor import QTensor, require_quantized

__all__ = ["Deployed", "Weighted"]

BIAS_LIMIT = 1 << 31  # a bias fits a 32-bit accumulator
EXACT_LIMIT = 1 << 53  # whole numbers below it are exact in double precision
NORM_EPS = 1e-5  # PyTorch's default
SMALLEST = 1e-6  # training divides by the batch norm's factor: keep it away from zero


@dataclass(frozen=True)
class Deployed:
    """A layer's integers.

    Attributes
    ----------
    weights
        int64, in PyTorch's layout, output channels first.
    bias
        int64, shape (outputs,), in units of the accumulator.
    scale
        float64: scale of the accumulator, shape () or (outputs,).
    bits
        Width of the weights; 1 means -1 or +1.
    """

    weights: np.ndarray
    bias: np.ndarray
    scale: np.ndarray
    bits: int

    def code(self, weights: np.ndarray) -> WeightCode:
        """The weight code of ``weights``: these weights in the graph's layout."""
        if self.bits == 1:
            return find_code("binary")(Constant(weights))
        return find_code("uniform")(Constant(weights), self.bits)


class Weighted(Layer):
    """A layer ``y = norm(W x + b)`` with quantized W.

    Batch norm is folded into weights and bias before they are quantized (Jacob et al., 2018,
    section 3.2). While training, weights are folded with the running deviation and the batch's own
    statistics are restored behind the layer (Krishnamoorthi, "Quantizing deep convolutional
    networks for efficient inference", 2018, section 3.2.2), so that the quantizer sees steady
    weights. Weights of 2 or more bits lie in ``[-(2^(bits-1) - 1), 2^(bits-1) - 1]``, those of one
    bit are -1 or +1 (Rastegari et al., "XNOR-Net", 2016).

    Subclasses define ``product`` and give the constructor's arguments names of their own.

    Parameters
    ----------
    weight
        The initial weights, output channels first.
    bias
        Whether there is a bias.
    bits
        Width of the weights, 1 to 8.
    per_channel
        One scale for every output channel instead of one for all.
    scale
        "learned", "power_of_two", or the scale itself.
    norm
        A batch norm to fold, or None.
    """

    def __init__(self, weight, bias, bits, per_channel, scale, norm) -> None:
        super().__init__()
        self.bits = check_bits(bits, "bits")
        self.per_channel = bool(per_channel)
        self.weight = nn.Parameter(weight)
        fan_in = weight[0].numel()
        self.bias = (
            nn.Parameter(torch.empty(len(weight)).uniform_(-(fan_in**-0.5), fan_in**-0.5))
            if bias
            else None
        )
        self.norm = norm
        self.statistics_frozen = False
        self._scale = Scale(scale, len(weight) if per_channel else None)

    def config(self) -> dict[str, object]:
        return {**super().config(), "bias": self.bias is not None}

    @property
    def scale(self) -> str | float:
        return self._scale.mode

    @property
    def batch_norm(self) -> bool:
        return self.norm is not None

    def product(self, x, weight, bias=None) -> torch.Tensor:
        """``W x + b``: the layer without quantizers."""
        raise NotImplementedError(f"layer {type(self).__name__} must define product()")

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Raise InvalidInput unless the layer takes samples of ``shape``, in PyTorch's order."""
        raise NotImplementedError(f"layer {type(self).__name__} must define check_input()")

    def freeze_statistics(self, frozen: bool = True) -> None:
        """Train on with the batch norm's running statistics, as deployed."""
        self.statistics_frozen = frozen

    @property
    def _levels(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def _column(self, values: torch.Tensor) -> torch.Tensor:
        """One value a channel (or one for all), shaped to broadcast against the weights."""
        return values.reshape(-1, *(1,) * (self.weight.dim() - 1)) if values.dim() else values

    def _initialize(self, weight: torch.Tensor) -> None:
        rows = weight.detach().reshape(len(weight), -1)
        if not self.per_channel:
            rows = rows.reshape(-1)
        if self.bits == 1:
            self._scale.set(rows.abs().mean(-1).clamp_min(2.0**-20))
            return
        # A channel of small weights gets no finer scale than 1/256 of the coarsest: all channels
        # share one shift, and their multipliers must keep some bits.
        floor = max(float(rows.abs().max()) / self._levels / 256, 2.0**-30)
        two = self.scale == "power_of_two"
        scale = best_scale(rows, -self._levels, self._levels, power_of_two=two, floor=floor)
        self._scale.set(scale)

    def _fake_weight(self, weight: torch.Tensor) -> torch.Tensor:
        if not self._scale.is_ready:
            self._initialize(weight)
        step = self._column(self._scale().to(weight))
        if self.bits > 1:
            return fake_quantize(weight, step, -self._levels, self._levels)
        ratio = weight / step.detach()
        sign = torch.where(weight >= 0, 1.0, -1.0)
        return (ratio + (sign - ratio).detach()) * step

    def _factor(self) -> torch.Tensor:
        """What folding multiplies the weights of each channel with."""
        return self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        self.check_input(tuple(x.shape[1:]))
        if self.norm is None:
            return self.product(x, self._fake_weight(self.weight), self.bias)
        norm = self.norm
        if not self._scale.is_ready and not self.statistics_frozen:
            self._start_statistics(x)
        factor = self._factor()
        weight = self._fake_weight(self.weight * self._column(factor))
        if self.statistics_frozen:
            return self.product(x, weight, self._folded_bias(factor))
        channels = (-1, *(1,) * (self.weight.dim() - 2))
        safe = torch.where(factor.abs() < SMALLEST, SMALLEST, factor)
        return norm(
            self.product(x, weight) / safe.reshape(channels) + self._bias().reshape(channels)
        )

    @torch.no_grad()
    def _start_statistics(self, x: torch.Tensor) -> None:
        y = self.product(x, self.weight, self.bias).transpose(0, 1).flatten(1)
        self.norm.running_mean.copy_(y.mean(1))
        self.norm.running_var.copy_(y.var(1, correction=0))

    def _bias(self) -> torch.Tensor:
        return torch.zeros(len(self.weight)).to(self.weight) if self.bias is None else self.bias

    def _folded_bias(self, factor: torch.Tensor) -> torch.Tensor:
        return self.norm.bias + (self._bias() - self.norm.running_mean) * factor

    @torch.no_grad()
    def deployed(self, input_scale) -> Deployed:
        """The integers of the layer behind an input of scale ``input_scale``.

        Raises
        ------
        InvalidInput
            Weights are all zero, or something is NaN or infinite, or the bias needs over 32 bits.
        Unsupported
            The input has one scale a channel.
        """
        if np.ndim(input_scale):
            raise Unsupported(
                "input must have one scale, found one a channel; put a hwgen.nn.Activation before"
            )
        if self.norm is not None and self.norm.eps != NORM_EPS:
            # A checkpoint does not hold it, so that another value would not come back.
            raise Unsupported(f"norm.eps must be {NORM_EPS}, found {self.norm.eps}")
        for name, value in self.state_dict().items():
            if not torch.isfinite(value).all():
                raise InvalidInput(f"{name} must be finite, found NaN or infinity")
        if not self.weight.any():
            raise InvalidInput("weight must not be all zero")
        weight, bias = self.weight.double().cpu(), self._bias().double().cpu()
        if self.norm is not None:
            state = {k: v.double().cpu() for k, v in self.norm.state_dict().items()}
            factor = state["weight"] / torch.sqrt(state["running_var"] + self.norm.eps)
            weight = weight * self._column(factor)
            bias = state["bias"] + (bias - state["running_mean"]) * factor
        if not self._scale.is_ready:
            self._initialize(weight)
        step = self._scale.deployed()
        scale = np.float64(input_scale) * step
        weights = self._integers(weight, step)
        offset = np.rint(bias.numpy() / scale)
        if np.abs(offset).max() >= BIAS_LIMIT:
            raise InvalidInput(
                f"bias must stay below 2^31 accumulator steps of {np.min(scale):.3g}, found "
                f"{np.abs(bias.numpy()).max():.3g}; train with a larger scale"
            )
        return Deployed(weights, offset.astype(np.int64), scale, self.bits)

    def _integers(self, weight: torch.Tensor, step: np.ndarray) -> np.ndarray:
        if self.bits == 1:
            return np.where(weight.numpy() >= 0, 1, -1)
        ratio = weight / self._column(torch.as_tensor(step))
        weights = torch.round(ratio).clamp(-self._levels, self._levels).numpy().astype(np.int64)
        if not weights.any():
            raise InvalidInput(
                f"weight must not be all zero, found that all of it rounds to zero at scale "
                f"{np.min(step):.3g}"
            )
        return weights

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        self.check_input(tuple(x.shape[1:]))
        parts = self.deployed(x.scale.cpu().numpy())
        ints = x.ints.double()
        weights, bias = (
            torch.as_tensor(v, dtype=torch.float64, device=ints.device)
            for v in (parts.weights, parts.bias)
        )
        row = np.abs(parts.weights).reshape(len(parts.weights), -1).sum(axis=1).max()
        largest = float(ints.abs().max()) if ints.numel() else 0.0
        if largest * float(row) + BIAS_LIMIT >= EXACT_LIMIT:
            raise Unsupported("accumulator must fit 53 bits; put a hwgen.nn.Activation before")
        return QTensor.of(torch.round(self.product(ints, weights, bias)), parts.scale)
