"""What recurrent layers share: weights of few values, a gain a gate row, states of 8 bits."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput, Unsupported
from ..ir.code import WeightCode
from .code import make_quantizer
from .layer import Layer, Lowering
from .tensor import QTensor, require_quantized

__all__ = ["STATE_STEP", "Recurrent", "State"]

STATE_STEP = 2.0**-7  # real value of one step of h
FRACTION = 8  # bits of a pre-activation behind the binary point
DEFAULT_GAIN_BITS = 11
MAX_SHIFT = 15
USUAL_INPUT = 255  # largest magnitude of an input of 8 bits
HALF_RANGE = 1 << 30


class State(NamedTuple):
    """What goes on from step to step: h, which products see, and c; of shape (batch, units)."""

    h: torch.Tensor
    c: torch.Tensor


class Recurrent(Layer):
    """A recurrent layer over (batch, steps, features), normalized by a learned gain a gate row.

    The gates of a step see ``gain_h * (W_h h) / sqrt(n)`` and ``gain_x * (W_x x) / sqrt(m) + bias``,
    for h and x of n and m elements. W are the weights as they will be deployed, in training as
    well. Without normalization binary and ternary recurrent weights do not train (Ardakani et al.,
    "Learning Recurrent Binary/Ternary Weights", 2019); a gain a row (Salimans and Kingma, "Weight
    Normalization", 2016) keeps no statistics, so that what is trained is what is deployed.

    Subclasses define ``gates``, ``cell``, ``integer_cell``, and ``start_biases`` if they need it.

    Parameters
    ----------
    input_size, hidden_size
        Features of a step, and units.
    code
        Weight code of both matrices: "ternary", "binary", "uniform", "power_of_two".
    bits
        Width of a weight; None for the code's default.
    every_step
        Whether the result is h of every step, (batch, steps, units), or of the last one,
        (batch, units).
    threshold
        States below it in magnitude count as 0 and are skipped, 0 to 1; see :meth:`ramp`.
    activation
        Sigmoid and tanh when deployed: "plan", piecewise linear, or "table", 256 entries.
    shift
        Fractional bits of the deployed gains, 0 to 15; None for as many as the gains' width allows.
    gain_bits
        Width of a deployed gain, 2 to 16.
    options
        Keywords of the code, such as ``stochastic``.

    Attributes
    ----------
    gates
        Gates of a unit.
    penalty
        After a forward pass in training: the mean of |h| over the states that were fed back, before
        small ones were dropped. A multiple of it in the loss makes most states 0.
    """

    gates: ClassVar[int]
    penalty: torch.Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        code: str = "ternary",
        bits: int | None = None,
        every_step: bool = False,
        threshold: float = 0.0,
        activation: str = "plan",
        shift: int | None = None,
        gain_bits: int = DEFAULT_GAIN_BITS,
        **options,
    ) -> None:
        super().__init__()
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidInput(f"{name} must be an integer of 1 or more, not {value!r}")
        _refuse_variants(options)
        if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise InvalidInput(f"threshold must lie in 0..1, not {threshold!r}")
        if activation not in ("plan", "table"):
            raise InvalidInput(f"activation must be 'plan' or 'table', not {activation!r}")
        if shift is not None:
            _check_range(shift, "shift", 0, 15)
        _check_range(gain_bits, "gain_bits", 2, 16)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.code = "binary" if (code, bits) == ("uniform", 1) else code
        self.every_step, self.threshold = bool(every_step), float(threshold)
        self.activation, self.shift, self.gain_bits = activation, shift, gain_bits
        rows = self.gates * hidden_size
        first = {"input": torch.empty(rows, input_size), "hidden": torch.empty(rows, hidden_size)}
        for weight in first.values():
            weight.uniform_(-(3**0.5), 3**0.5)  # of variance 1, so that rows have norm sqrt(n)
        self._input, self._hidden = (
            make_quantizer(self.code, w.shape, bits, False, _scale(self.code), dict(options))
            for w in first.values()
        )
        self.bits = self._input.bits
        self.weight_input = nn.Parameter(self._input.start(first["input"]))
        self.weight_hidden = nn.Parameter(self._hidden.start(first["hidden"]))
        self.gain_input = nn.Parameter(torch.ones(rows))
        self.gain_hidden = nn.Parameter(torch.ones(rows))
        self.bias = nn.Parameter(torch.zeros(rows))
        self.start_biases()
        self._ramp = 1.0
        self.penalty = torch.zeros(())

    def config(self) -> dict[str, object]:
        return {**super().config(), **self._input.options()}

    def ramp(self, share: float) -> None:
        """Drop states below ``share`` times the threshold for now, 0 to 1, while training.

        Raise it from 0 to 1 over the first half of the training, together with a multiple of
        ``penalty`` in the loss; a threshold alone makes the states larger instead of fewer.
        """
        if not 0 <= share <= 1:
            raise InvalidInput(f"share must lie in 0..1, not {share!r}")
        self._ramp = float(share)

    def freeze_scale(self, frozen: bool = True) -> None:
        """Keep what the code measures on its weights, after a warm-up."""
        for quantizer in (self._input, self._hidden):
            quantizer.freeze(frozen)

    @torch.no_grad()
    def settle(self) -> None:
        """End the training: shadow weights become the deployed ones, and checkpoints small."""
        self.weight_input.copy_(self._input.settled(self.weight_input))
        self.weight_hidden.copy_(self._hidden.settled(self.weight_hidden))

    def _check_input(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[1] < 1 or shape[2] != self.input_size:
            raise InvalidInput(
                f"input must have shape (batch, steps, {self.input_size}) with 1 step or more, "
                f"found {shape}"
            )

    def start_biases(self) -> None:
        """Make parameters of the cell's own, and set what does not begin at zero."""

    def own_constants(self, unit: float) -> dict[str, np.ndarray]:
        """Further constants of the op, integers; a real 1 is ``unit``."""
        return {}

    def cell(self, a: torch.Tensor, b: torch.Tensor, state: State) -> State:
        """A step in real numbers, of its gained products with h and with x, (batch, gates n)."""
        raise NotImplementedError(f"layer {type(self).__name__} must define cell()")

    def integer_cell(
        self, a: torch.Tensor, b: torch.Tensor, state: State, shift: int, parts: dict
    ) -> State:
        """The same in the integers of the op, whose other constants are ``parts``."""
        raise NotImplementedError(f"layer {type(self).__name__} must define integer_cell()")

    # -- training ------------------------------------------------------------------------------

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check_input(tuple(x.shape))
        n = self.hidden_size
        weight = self._hidden.fake(self.weight_hidden, None)
        matrix = (weight * (self.gain_hidden * n**-0.5)[:, None]).T
        weight = self._input.fake(self.weight_input, None)
        gain = self.gain_input * self.input_size**-0.5
        inputs = (x @ weight.T) * gain + self.bias
        state = State(x.new_zeros(len(x), n), x.new_zeros(len(x), n))
        steps, fed = [], []
        for t in range(x.shape[1]):
            h, c = self.cell(state.h @ matrix, inputs[:, t], state)
            h = _rounded(h)
            fed.append(h)
            state = State(self._pruned(h), c)
            steps.append(state.h)
        self.penalty = torch.stack(fed[:-1]).abs().mean() if len(fed) > 1 else x.new_zeros(())
        return torch.stack(steps, 1) if self.every_step else state.h

    def _pruned(self, h: torch.Tensor) -> torch.Tensor:
        limit = self._least * self._ramp * STATE_STEP
        return h - (h * (h.abs() < limit)).detach()  # gradients go straight through

    @property
    def _least(self) -> int:
        """The threshold in steps of h."""
        return round(self.threshold / STATE_STEP)

    # -- deployment ----------------------------------------------------------------------------

    @torch.no_grad()
    def deployed(self, input_scale) -> dict[str, object]:
        """The attributes of the layer's op behind an input of scale ``input_scale``.

        Raises
        ------
        InvalidInput
            A gain does not fit ``gain_bits`` (the message names its row), weights are all zero, or
            something is NaN or infinite.
        Unsupported
            The input has one scale a channel.
        """
        if np.ndim(input_scale):
            raise Unsupported(
                "input must have one scale, found one a channel; put a hwgen.nn.Activation before"
            )
        for name, value in self.state_dict().items():
            if not torch.isfinite(value).all():
                raise InvalidInput(f"{name} must be finite, found NaN or infinity")
        codes, gains, reach = {}, {}, {}
        for name, quantizer, real, size, largest in (
            ("input", self._input, float(input_scale), self.input_size, USUAL_INPUT),
            ("hidden", self._hidden, STATE_STEP, self.hidden_size, 1 / STATE_STEP),
        ):
            weight = getattr(self, f"weight_{name}").double().cpu()
            signs = np.ones(len(weight), dtype=np.int64)
            try:
                ints, step = quantizer.integers(weight, None, signs)
            except InvalidInput as error:
                raise InvalidInput(f"weight_{name}: {error}") from None
            codes[name] = quantizer.code(ints, signs)
            gain = getattr(self, f"gain_{name}").double().cpu().numpy()
            gains[f"gain_{name}"] = gain * float(step) * real / math.sqrt(size) * 2**FRACTION
            reach[f"gain_{name}"] = np.abs(ints).sum(axis=1) * largest
        shift, whole = self._gains(gains, reach)
        bias = self.bias.double().cpu().numpy() * 2 ** (FRACTION + shift)
        return {
            "input_weights": codes["input"],
            "recurrent_weights": codes["hidden"],
            "input_gain": whole["gain_input"],
            "recurrent_gain": whole["gain_hidden"],
            "bias": np.rint(bias).astype(np.int64),
            "shift": shift,
            "activation": self.activation,
            "threshold": self._least,
            "every_step": self.every_step,
            **self.own_constants(2.0 ** (FRACTION + shift)),
        }

    def _gains(
        self, gains: dict[str, np.ndarray], reach: dict[str, np.ndarray]
    ) -> tuple[int, dict[str, np.ndarray]]:
        """The shift, and the gains as integers at that shift.

        ``reach`` is the largest magnitude of the sums that they multiply. Where the layer chooses the
        shift, products take half of the range of 32 bits at most.
        """
        most = (1 << (self.gain_bits - 1)) - 1
        shifts = range(MAX_SHIFT, -1, -1) if self.shift is None else (self.shift,)
        for shift in shifts:
            whole = {name: np.rint(g * 2**shift).astype(np.int64) for name, g in gains.items()}
            wrong = [(n, int(r)) for n, g in whole.items() for r in np.flatnonzero(abs(g) > most)]
            total = sum(np.abs(whole[name]) * reach[name] for name in whole).max()
            if not wrong and (total < HALF_RANGE or shift == shifts[-1]):
                return shift, whole
        name, row = wrong[0]
        raise InvalidInput(
            f"{name} must fit {self.gain_bits} bits at shift {shift}, found {whole[name][row]} in "
            f"row {row}; take more gain_bits" + (" or a smaller shift" if shift else "")
        )

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        self._check_input(tuple(x.shape))
        parts = self.deployed(x.scale.cpu().numpy())
        tensor = {
            name: torch.as_tensor(value.copy(), device=x.device)
            for name, value in parts.items()
            if isinstance(value, np.ndarray)
        }
        recurrent, inputs = (
            torch.as_tensor(_matrix(parts[name]), device=x.device).T
            for name in ("recurrent_weights", "input_weights")
        )
        ints = x.ints
        zeros = ints.new_zeros(len(ints), self.hidden_size)
        state, steps = State(zeros, zeros), []
        for t in range(ints.shape[1]):
            # Sums of few products of small integers: exact in double precision.
            a = (state.h.double() @ recurrent).long() * tensor["recurrent_gain"]
            b = (ints[:, t].double() @ inputs).long() * tensor["input_gain"] + tensor["bias"]
            h, c = self.integer_cell(a, b, state, parts["shift"], tensor)
            state = State(torch.where(h.abs() < self._least, 0, h), c)
            steps.append(state.h)
        return QTensor.of(torch.stack(steps, 1) if self.every_step else state.h, STATE_STEP)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        shape = lowering.type(x).shape
        if len(shape) != 2:
            raise InvalidInput(
                f"input must be a sequence (steps, {self.input_size}), found a sample of shape {shape}"
            )
        self._check_input((1, *shape))
        return lowering.add(
            type(self).__name__.lower(), x, scale=STATE_STEP, **self.deployed(lowering.scale(x))
        )


def _matrix(code: WeightCode) -> np.ndarray:
    return code.decode().astype(np.float64)


def _scale(code: str) -> str | float:
    """Gains take the place of the scale of signs; finer weights still need one."""
    return 1.0 if code in ("binary", "ternary") else "learned"


def _rounded(h: torch.Tensor) -> torch.Tensor:
    """h as deployed, 8 bits, with a straight-through gradient."""
    steps = torch.floor(h / STATE_STEP + 0.5).clamp(-128, 127) * STATE_STEP
    return h + (steps - h).detach()


def _check_range(value, what: str, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(f"{what} must be an integer in {least}..{most}, not {value!r}")


_VARIANTS = {
    "proj_size": "projections",
    "dropout": "dropout between layers; put torch.nn.Dropout behind the layer",
    "num_layers": "several layers at once; stack LSTM(every_step=True) and LSTM",
    "bidirectional": "both directions in one layer; put it into hwgen.nn.Bidirectional",
    "batch_first": "other orders than (batch, steps, features); "
    "InputQuantizer(sequence_first=True) takes (steps, batch, features)",
    "batch_norm": "batch norm in a cell, whose statistics differ from step to step; gains replace it",
    "norm": "other normalization than gains",
    "peepholes": "peepholes",
}


def _refuse_variants(options: dict[str, object]) -> None:
    if options.get("batch_first") is True:  # as it is
        del options["batch_first"]
    for name, what in _VARIANTS.items():
        if name in options:
            raise Unsupported(f"{name} is not supported: no {what}")
