"""What layers with weights share: a weight quantizer, folded batch norm, deployed integers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput, Unsupported
from ..ir.code import WeightCode
from .code import make_quantizer
from .deployed import Deployed
from .folding import SMALLEST, along, folded_factor, gain, normalized
from .layer import Layer
from .scale import column
from .tensor import QTensor, require_quantized

__all__ = ["Deployed", "Weighted"]

BIAS_LIMIT = 1 << 31  # a bias fits a 32-bit accumulator
EXACT_LIMIT = 1 << 53  # whole numbers below it are exact in double precision
NORM_EPS = 1e-5  # PyTorch's default


class Weighted(Layer):
    """A layer ``y = norm(W x + b)`` with quantized W.

    How W is quantized is up to the weight code; see ``hwgen/nn/codes/``. For a fine code batch norm
    is folded into weights and bias before they are quantized (Jacob et al., 2018, section 3.2).
    While training, weights are folded with the running deviation and the batch's own statistics are
    restored behind the layer (Krishnamoorthi, "Quantizing deep convolutional networks for efficient
    inference", 2018, section 3.2.2), so that the quantizer sees steady weights. For a coarse code
    batch norm is folded behind, into one scale and one bias a channel; a negative factor negates
    the channel's weights. With ``scale="power_of_two"`` these scales are rounded to powers of two,
    in training as well (Courbariaux et al., "Binarized Neural Networks", 2016, section 1.3).

    Subclasses define ``product``, ``check_input`` and ``layout``.

    Parameters
    ----------
    weight
        The initial weights, output channels first.
    bias
        Whether there is a bias.
    norm
        A batch norm to fold, or None.
    code, options
        Name of the weight code, and keywords of its own.
    bits
        Width of the weights; None for the code's default.
    per_channel
        One scale for every output channel instead of one for all.
    scale
        "learned", "power_of_two", or the scale itself.
    """

    def __init__(
        self, weight, bias, norm, *, code: str, bits, per_channel, scale, options: dict
    ) -> None:
        super().__init__()
        self.code = "binary" if (code, bits) == ("uniform", 1) else code
        self.per_channel = per_channel = bool(per_channel)
        # The name is a part of every checkpoint.
        self._scale = make_quantizer(self.code, weight.shape, bits, per_channel, scale, options)
        self.bits = self._scale.bits
        fan_in = weight[0].numel()
        self.bias = (
            nn.Parameter(torch.empty(len(weight)).uniform_(-(fan_in**-0.5), fan_in**-0.5))
            if bias
            else None
        )
        self.weight = nn.Parameter(self._scale.start(weight))
        self.norm = norm
        self.statistics_frozen = False

    def config(self) -> dict[str, object]:
        return {**super().config(), "bias": self.bias is not None, **self._scale.options()}

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Layer:
        if "code" not in config and config.get("bits") == 1 and config.get("batch_norm"):
            raise Unsupported(
                "one-bit weights with batch norm must name their code, found an older checkpoint, "
                "in which batch norm was folded otherwise; train again"
            )
        return super().from_config(config)

    @property
    def scale(self) -> str | float:
        return self._scale.mode

    @property
    def batch_norm(self) -> bool:
        return self.norm is not None

    @property
    def folds_before(self) -> bool:
        """Whether batch norm is folded into the weights before they are quantized."""
        return self._scale.fine

    def product(self, x, weight, bias=None) -> torch.Tensor:
        """``W x + b``: the layer without quantizers."""
        raise NotImplementedError(f"layer {type(self).__name__} must define product()")

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Raise InvalidInput unless the layer takes samples of ``shape``, in PyTorch's order."""
        raise NotImplementedError(f"layer {type(self).__name__} must define check_input()")

    def layout(self, image) -> tuple[np.ndarray, tuple[int, ...]]:
        """The graph's order of an output's weights.

        Parameters
        ----------
        image
            (channels, height, width) that the input was flattened from, if the order differs.

        Returns
        -------
        The place in PyTorch's order of every weight, and the shape of an output's weights.
        """
        raise NotImplementedError(f"layer {type(self).__name__} must define layout()")

    @property
    def declared_image(self):
        """The image that the input is known to be flattened from, or None."""
        return None

    @torch.no_grad()
    def start_from(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        """Take the weights (and the bias) of a float layer, without batch norm."""
        self.weight.copy_(self._scale.start(weight))
        if bias is not None:
            self.bias.copy_(bias)

    def freeze_statistics(self, frozen: bool = True) -> None:
        """Train on with the batch norm's running statistics, as deployed."""
        self.statistics_frozen = frozen

    def freeze_scale(self, frozen: bool = True) -> None:
        """Keep what the code measures on its weights, after a warm-up."""
        self._scale.freeze(frozen)

    def freeze_mask(self, frozen: bool = True) -> None:
        """Keep the connections, where training chooses them."""

    @torch.no_grad()
    def project(self) -> None:
        """Replace weights by the nearest that can be deployed, for codes that need it.

        Call it after every epoch; it does nothing for the other codes.
        """
        order, _ = self.layout(self.declared_image)
        projected = self._scale.project(self.weight.flatten(1)[:, order])
        if projected is not None:
            back = np.argsort(order)
            self.weight.copy_(projected[:, back].reshape(self.weight.shape))

    @torch.no_grad()
    def settle(self) -> None:
        """End the training: shadow weights become the deployed ones, and checkpoints small."""
        self.weight.copy_(self._scale.settled(self.weight))

    def kept(self) -> torch.Tensor | None:
        """Booleans of the weights' shape, False where a mask drops one; None without a mask."""
        return None

    def check_mask(self) -> None:
        """Raise unless the mask can be deployed."""

    def encode(self, weights: np.ndarray, keep: np.ndarray | None, signs: np.ndarray) -> WeightCode:
        """The code of ``weights``, (outputs, ...) in the graph's layout."""
        return self._scale.code(weights, signs)

    def fake_weight(self, weight: torch.Tensor) -> torch.Tensor:
        """``weight`` as it would be deployed, with straight-through gradients."""
        return self._scale.fake(weight, None)

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        self.check_input(tuple(x.shape[1:]))
        norm, frozen = self.norm, self.statistics_frozen
        if norm is None or not self._scale.fine:
            y = self.product(x, self.fake_weight(self.weight), self.bias)
            two = self.scale == "power_of_two"
            return y if norm is None else normalized(y, norm, frozen, two)
        if not self._scale.is_started and not frozen:
            self._start_statistics(x)
        factor = folded_factor(norm)
        weight = self.fake_weight(self.weight * column(factor, self.weight))
        if frozen:
            bias = norm.bias + (self._bias() - norm.running_mean) * factor
            return self.product(x, weight, bias)
        safe = torch.where(factor.abs() < SMALLEST, SMALLEST, factor)
        y = self.product(x, weight)
        return norm(y / along(safe, y) + along(self._bias(), y))

    @torch.no_grad()
    def _start_statistics(self, x: torch.Tensor) -> None:
        y = self.product(x, self.weight, self.bias).transpose(0, 1).flatten(1)
        self.norm.running_mean.copy_(y.mean(1))
        self.norm.running_var.copy_(y.var(1, correction=0))

    def _bias(self) -> torch.Tensor:
        return torch.zeros(len(self.weight)).to(self.weight) if self.bias is None else self.bias

    @torch.no_grad()
    def deployed(self, input_scale, image=None) -> Deployed:
        """The integers of the layer behind an input of scale ``input_scale``.

        Parameters
        ----------
        input_scale
            One number.
        image
            As for :meth:`layout`.

        Raises
        ------
        InvalidInput
            Weights are all zero, or something is NaN or infinite, or the bias needs over 32 bits,
            or the mask is not the declared one.
        Unsupported
            The input has one scale a channel.
        """
        if np.ndim(input_scale):
            raise Unsupported(
                "input must have one scale, found one a channel; put a hwgen.nn.Activation before"
            )
        self._check_tensors()
        weight, bias = self.weight.double().cpu(), self._bias().double().cpu()
        factor = size = torch.ones((), dtype=torch.float64)
        if self.norm is not None:
            state = {k: v.double().cpu() for k, v in self.norm.state_dict().items()}
            factor = state["weight"] / torch.sqrt(state["running_var"] + self.norm.eps)
            if self._scale.fine:
                weight = weight * column(factor, weight)
            else:
                factor = size = gain(factor, self.scale == "power_of_two")
            bias = state["bias"] + (bias - state["running_mean"]) * factor
        order, row = self.layout(image)
        kept = self.kept()
        keep = None if kept is None else kept.cpu().flatten(1).numpy()[:, order]
        signs = np.where(size.numpy() < 0, -1, 1) * np.ones(len(weight), dtype=np.int64)
        ints, step = self._scale.integers(weight.flatten(1)[:, order], keep, signs)
        ints = ints if keep is None else ints * keep
        scale = np.float64(input_scale) * step * np.abs(size.numpy())
        offset = np.rint(bias.numpy() / scale)
        if np.abs(offset).max() >= BIAS_LIMIT:
            raise InvalidInput(
                f"bias must stay below 2^31 accumulator steps of {np.min(scale):.3g}, found "
                f"{np.abs(bias.numpy()).max():.3g}; train with a larger scale"
            )
        code = self.encode(ints.reshape(-1, *row), keep, signs)
        weights = ints[:, np.argsort(order)].reshape(tuple(weight.shape))
        return Deployed(weights, code, offset.astype(np.int64), scale, factor.numpy())

    def _check_tensors(self) -> None:
        if self.norm is not None and self.norm.eps != NORM_EPS:
            # A checkpoint does not hold it, so that another value would not come back.
            raise Unsupported(f"norm.eps must be {NORM_EPS}, found {self.norm.eps}")
        for name, value in self.state_dict().items():
            if not torch.isfinite(value).all():
                raise InvalidInput(f"{name} must be finite, found NaN or infinity")
        if not self.weight.any():
            raise InvalidInput("weight must not be all zero")
        self.check_mask()

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        self.check_input(tuple(x.shape[1:]))
        parts = self.deployed(x.scale.cpu().numpy(), x.image)
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
