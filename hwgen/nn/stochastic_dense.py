"""Fully connected layer on stochastic streams, with the counters of its neurons."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput, Unsupported
from ..ir.constant import Constant
from ..ops.codes.uniform import Uniform
from ..ops.stochastic_dense import CODINGS
from .interpolation import interpolate
from .layer import Layer, Lowering, register_layer
from .saturating_counter import count
from .sources import WIDTH, Sources
from .tensor import QTensor, require_quantized
from .to_stream import check_components
from .transfer import curve, states_of

__all__ = ["StochasticLinear"]

ACTIVATIONS = {"sigmoid": 0.5, "tanh": 1.0, None: 0.0}  # what tanh's argument is multiplied with
RULES = ("corrected", "moment", "range")
POINTS, REACH = 97, 12.0  # of the curves that are trained with, in real pre-activations
REFRESH = 64  # batches after which training looks at the counters' sizes again
MOMENTUM = 0.02
MOST_STATES = 1 << 16


class _Curves(NamedTuple):
    """What training uses of the counters: shape (outputs, POINTS)."""

    mean: torch.Tensor
    noise: torch.Tensor


@register_layer
class StochasticLinear(Layer):
    """``activation(W x + b)`` on streams: weights become streams, sums go into saturating counters.

    Weights and biases lie in ``[-limit, limit]``; a weight's stream of m components has the mean
    ``m w / limit``. Counters have ``N = 2 gain variance`` states, with the variance that the sum has a
    step over the data that were trained on (the rule by which the walk's ``tanh(s N / (2 v))`` is the
    activation), or some fewer or more. In training the activation is the stationary
    mean of that very counter's Markov chain, and its noise over ``noise`` steps may be added. Ardakani
    et al., "VLSI Implementation of Deep Neural Network Using Integral Stochastic Computing", IEEE
    TVLSI 25(10), 2017.

    The input is a stream of bits whose values are 0 to 1 or -1 to 1: of ToStream, or of a layer like
    this one. With ``activation=None`` the sums themselves are given, for StreamArgMax or Accumulate.

    Parameters
    ----------
    in_features, out_features
        Sizes.
    activation
        "sigmoid" (bits of 0 and 1), "tanh" (of -1 and 1), or None.
    signed
        Whether the input's bits are -1 and 1.
    components
        Bit streams of a weight: 1, 2, 4, 8 or 16.
    limit
        The largest magnitude of a weight or bias.
    bits
        Of a deployed weight, 2 to 15, sign included.
    coding
        "sign_magnitude", whose streams of small weights hardly vary, or "bipolar", as published.
    states
        "moment", 2 gain variance; "corrected", less what the walk overshoots its ends; "range", the
        published law N = n m' with m' the largest sum.
    noise
        Steps of the stream whose noise is added in training; 0 for none.
    first_source, source_width
        Which of the random sources it has; see :func:`~hwgen.nn.number_sources`.

    Attributes
    ----------
    seen, seen_squares
        Running means of the inputs and of their squares in training, which the variance follows from.
    """

    seen: torch.Tensor
    seen_squares: torch.Tensor
    batches: torch.Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str | None = "sigmoid",
        signed: bool = False,
        components: int = 4,
        limit: float = 4.0,
        bits: int = 8,
        coding: str = "sign_magnitude",
        states: str = "corrected",
        noise: int = 0,
        first_source: int = 0,
        source_width: int = WIDTH,
    ) -> None:
        super().__init__()
        for what, size in (("in_features", in_features), ("out_features", out_features)):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise InvalidInput(f"{what} must be an integer of 1 or more, not {size!r}")
        if activation not in ACTIVATIONS:
            raise InvalidInput(
                f"activation must be 'sigmoid', 'tanh' or None, not {activation!r}; ReLU has no counter"
            )
        if coding not in CODINGS:
            raise InvalidInput(f"coding must be one of {', '.join(CODINGS)}, not {coding!r}")
        if states not in RULES:
            raise InvalidInput(f"states must be one of {', '.join(RULES)}, not {states!r}")
        if isinstance(bits, bool) or not isinstance(bits, int) or not 2 <= bits <= 15:
            raise InvalidInput(f"bits must be an integer in 2..15, not {bits!r}")
        if not isinstance(limit, int | float) or not 0 < limit < math.inf:
            raise InvalidInput(f"limit must be a positive number, not {limit!r}")
        if isinstance(noise, bool) or not isinstance(noise, int) or noise < 0:
            raise InvalidInput(f"noise must be a number of steps, 0 or more, not {noise!r}")
        self.in_features, self.out_features = in_features, out_features
        self.activation, self.signed = activation, bool(signed)
        self.components = check_components(components)
        self.limit, self.bits, self.coding = float(limit), bits, coding
        self.states, self.noise = states, noise
        self.first_source, self.source_width = first_source, source_width
        self._sources()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.xavier_uniform_(self.weight, gain=4.0 if activation == "sigmoid" else 1.0)
        with torch.no_grad():
            self.weight.clamp_(-self.limit, self.limit)
        self.register_buffer("seen", torch.full((in_features,), 0.5))
        self.register_buffer("seen_squares", torch.full((in_features,), 0.3))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self._curves: _Curves | None = None
        self.statistics_frozen = False

    def _sources(self) -> Sources:
        return Sources("lfsr", self.first_source, self.source_width)

    @property
    def source_count(self) -> int:
        """Random sources that it has."""
        return (self.in_features + 1) * self.components

    @property
    def least_width(self) -> int:
        """Bits that a source must have."""
        return self.bits

    @property
    def is_bipolar(self) -> bool:
        """Whether its bits are -1 and 1."""
        return self.activation == "tanh"

    @property
    def gain(self) -> float:
        """Of the tanh that a counter must make, of a sum of streams in place of real values."""
        return ACTIVATIONS[self.activation] * self.limit / self.components

    def freeze_statistics(self, frozen: bool = True) -> None:
        """In training mode, neither look at the inputs nor add noise."""
        self.statistics_frozen = frozen

    @torch.no_grad()
    def project(self) -> None:
        """Bring weights and biases back into their range."""
        self.weight.clamp_(-self.limit, self.limit)
        self.bias.clamp_(-self.limit, self.limit)

    @torch.no_grad()
    def settle(self) -> None:
        """End the training: weights and biases become what is deployed, and checkpoints small."""
        step = self.limit / (1 << (self.bits - 1))
        for values in (self.weight, self.bias):
            values.copy_(
                (torch.round(values / step) * step).clamp(step - self.limit, self.limit - step)
            )

    # -- the counters --------------------------------------------------------------------------

    @torch.no_grad()
    def variances(self) -> np.ndarray:
        """Of a step's sum, in whole numbers squared, over what was seen: float64, (outputs,)."""
        mean, square = (t.double().cpu().numpy() for t in (self.seen, self.seen_squares))
        w = torch.column_stack([self.weight, self.bias]).double().cpu().numpy()
        w = np.clip(w / self.limit, -1, 1) * self.components
        own = self._word_variance(np.abs(w))
        # Bits of 0 and 1 are their own squares, those of -1 and 1 have the square 1.
        bit_square = np.ones(len(mean)) if self.signed else mean
        seen, bit_square = np.append(square, 1.0), np.append(bit_square, 1.0)
        return ((own + w * w) * bit_square - w * w * seen).sum(axis=1)

    def _word_variance(self, w: np.ndarray) -> np.ndarray:
        """Of a word of streams of mean magnitude ``w``, 0..components."""
        m = self.components
        return m * (1 - (w / m) ** 2) if self.coding == "bipolar" else w * (1 - w / m)

    def counter_states(self) -> np.ndarray:
        """States of every neuron's counter: even, int64, shape (outputs,)."""
        if self.states != "range":
            return states_of(self.gain, self.variances(), self.states == "corrected")
        most = self.components * (self.in_features + 1)
        return np.full(self.out_features, states_of(self.gain, most))

    # -- training ------------------------------------------------------------------------------

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 2 or x.shape[1] != self.in_features:
            raise InvalidInput(
                f"input must have shape (batch, {self.in_features}), found {tuple(x.shape)}"
            )
        if not self.statistics_frozen:
            self._look_at(x.detach())
        noise = 0 if self.statistics_frozen else self.noise
        w, b = (self._deployed(p) for p in (self.weight, self.bias))
        y = x @ w.T + b
        if self.activation is None:
            if noise:
                spread = (self.variances() / noise) ** 0.5 * self.limit / self.components
                y = y + torch.as_tensor(spread).to(y) * torch.randn_like(y)
            return y
        curves = self._curves_for(y)
        p = interpolate(y, curves.mean, -REACH, REACH)
        if noise:
            spread = interpolate(y.detach(), curves.noise, -REACH, REACH).clamp_min(0)
            p = p + (spread / noise).sqrt() * torch.randn_like(p)
        return 2 * p - 1 if self.is_bipolar else p

    def _deployed(self, values: torch.Tensor) -> torch.Tensor:
        """Rounded as deployed, with a straight-through gradient inside the range."""
        inside = values.clamp(-self.limit, self.limit)
        step = self.limit / (1 << (self.bits - 1))
        return inside + (torch.round(inside.detach() / step) * step - inside.detach())

    @torch.no_grad()
    def _look_at(self, x: torch.Tensor) -> None:
        share = max(MOMENTUM, 1 / (1 + int(self.batches)))
        self.seen += share * (x.mean(0) - self.seen)
        self.seen_squares += share * ((x * x).mean(0) - self.seen_squares)
        self.batches += 1

    def _curves_for(self, y: torch.Tensor) -> _Curves:
        if self._curves is None or int(self.batches) % REFRESH == 1:
            reach = REACH * self.components / self.limit
            found = []
            for states, variance in zip(self.counter_states(), self.variances(), strict=True):
                # Variances in steps of some 3 %, so that few chains are solved.
                rounded = 2.0 ** (round(24 * math.log2(max(variance, 1e-2))) / 24)
                found.append(curve(int(states), rounded, reach, POINTS))
            mean, noise = (torch.as_tensor(np.stack(part)) for part in zip(*found, strict=True))
            self._curves = _Curves(mean.to(y), noise.to(y))
        return self._curves

    # -- deployment ----------------------------------------------------------------------------

    def deployed(self, length: int) -> dict[str, object]:
        """The attributes of the layer's ``stochastic_dense`` for streams of ``length`` steps.

        Raises
        ------
        InvalidInput
            A weight or bias lies outside ``limit``, is NaN or infinite, or all weights are zero.
        """
        whole = {}
        for name in ("weight", "bias"):
            values = getattr(self, name).detach().double().cpu().numpy()
            if not np.isfinite(values).all():
                raise InvalidInput(f"{name} must be finite, found NaN or infinity")
            if np.abs(values).max() > self.limit * (1 + 1e-6):
                row = int(np.abs(values).reshape(len(values), -1).max(axis=1).argmax())
                raise InvalidInput(
                    f"{name} must lie in [-{self.limit:g}, {self.limit:g}], found "
                    f"{np.abs(values).max():g} in row {row}; train with a larger limit, or call project()"
                )
            whole[name] = np.rint(values / self.limit * (1 << (self.bits - 1))).astype(np.int64)
        if not whole["weight"].any():
            raise InvalidInput("weights must not be all zero")
        number_shape = (self.in_features + 1, self.components)
        return {
            "weights": Uniform(Constant(whole["weight"]), self.bits + 1),
            "bias": whole["bias"],
            "bits": self.bits,
            "components": self.components,
            "coding": self.coding,
            **self._sources().attributes(number_shape, length),
        }

    @property
    def _sum_scale(self) -> float:
        return self.limit / self.components

    def _counters(self) -> np.ndarray:
        states = self.counter_states()
        if states.max() > MOST_STATES:
            raise InvalidInput(
                f"a counter can have {MOST_STATES} states, found {states.max()}; use a smaller limit"
            )
        return states

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        ints = x.ints
        self._check(tuple(x.shape[1:]), x.scale.cpu().numpy(), int(ints.min()))
        parts = self.deployed(x.shape[1])
        q = np.column_stack([parts["weights"].decode(), parts["bias"]])
        q = torch.as_tensor(q, device=x.device).T[:, None]  # inputs, components, outputs
        bipolar = self.coding == "bipolar"
        limit = q + (1 << (self.bits - 1)) if bipolar else q.abs()
        drawn = Sources.numbers(parts, self.bits - (not bipolar), x.shape[1], x.device)
        sums = []
        for step, numbers in zip(ints.unbind(1), drawn, strict=True):
            ones = (numbers[..., None] < limit).sum(1)
            words = 2 * ones - self.components if bipolar else ones * q[:, 0].sign()
            # Small whole numbers: exact in double precision.
            words = words.double()
            sums.append(step.double() @ words[:-1] + words[-1])
        y = torch.stack(sums, 1).long()
        if self.activation is None:
            return QTensor.of(y, self._sum_scale)
        states = torch.as_tensor(self._counters(), device=x.device)
        return QTensor.of(count(y, states, states // 2, bipolar=self.is_bipolar), 1.0)

    def _check(self, shape: tuple[int, ...], scale: np.ndarray, least: int) -> None:
        if len(shape) != 2 or shape[1] != self.in_features:
            raise InvalidInput(
                f"input must be a stream (steps, {self.in_features}), found a sample of shape {shape}; "
                f"put a hwgen.nn.ToStream at the entrance"
            )
        if least < 0 and not self.signed:
            raise InvalidInput(
                "signed must be True behind a stream of -1 and 1, found signed=False"
            )
        if scale.ndim or float(scale) != 1.0:
            raise Unsupported(
                f"input must be a stream of bits whose values are 0 to 1 or -1 to 1, found one where "
                f"1 means {scale}; give the InputQuantizer a scale of 2**-bits (2**-(bits-1) if "
                f"signed), and ToStream one component"
            )

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        shape = lowering.type(x).shape
        self._check(shape, lowering.scale(x), lowering.type(x).lo)
        sums = lowering.add(
            "stochastic_dense",
            x,
            scale=self._sum_scale,
            suffix="sums" if self.activation else "",
            **self.deployed(shape[0]),
        )
        if self.activation is None:
            return sums
        states = self._counters()
        return lowering.add(
            "saturating_counter",
            sums,
            scale=1.0,
            states=states,
            threshold=states // 2,
            bipolar=self.is_bipolar,
        )
