"""What recurrent layers share: weights of few values, a gain a gate row, states of 8 bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput, Unsupported
from ..ir.code import WeightCode
from .code import make_quantizer
from .gains import fit_gains
from .gate_norm import FIRST_GAIN, Scaling, make_norm
from .layer import Layer, Lowering
from .recurrent_options import check_options, refuse_variants
from .tensor import QTensor, require_quantized

__all__ = ["STATE_STEP", "Recurrent", "State"]

STATE_STEP = 2.0**-7  # real value of one step of h
FRACTION = 8  # bits of a pre-activation behind the binary point
USUAL_INPUT = 255  # largest magnitude of an input of 8 bits


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
    Normalization", 2016) keeps no statistics, so that what is trained is what is deployed. Batch norm
    of the products, a set of statistics a step, is the other choice: see ``norm``.

    Subclasses define ``gates``, ``cell``, ``integer_cell``, and ``start_biases`` and ``apart`` if they
    need it.

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
        Width of a deployed gain, 2 to 16; None for 11, or for as many more as keep the gains of both
        products finer than a part in 32 of the largest.
    norm
        "wn", a gain a gate row; "bn_time", batch norm with statistics of every step; "bn_shared",
        with one set for all steps, deployable when trained on after :meth:`freeze_statistics`.
    steps
        Length of the sequences, 1 to 32, for "bn_time".
    state_delta, input_delta
        Products see an element of the state (0 to 1), or of the input (in its own values), as it was
        when it last changed by so much or more; None where they see it as it is. If one of them
        is given, the other is 0: every change. With 0 in both nothing is computed otherwise, but
        only changes cost time.
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
    apart: ClassVar[int] = 0
    """Gates, the last ones, whose recurrent part is not added to its input part."""
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
        gain_bits: int | None = None,
        norm: str = "wn",
        steps: int | None = None,
        state_delta: float | None = None,
        input_delta: float | None = None,
        **options,
    ) -> None:
        super().__init__()
        refuse_variants(options)
        check_options(
            {"input_size": input_size, "hidden_size": hidden_size},
            threshold=threshold,
            activation=activation,
            shift=shift,
            gain_bits=gain_bits,
            deltas={"state_delta": state_delta, "input_delta": input_delta},
        )
        self.state_delta, self.input_delta = state_delta, input_delta
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
        self.norm, self.steps = norm, steps
        self.statistics = make_norm(norm, rows, steps)
        first_gain = 1.0 if self.statistics is None else FIRST_GAIN
        self.gain_input = nn.Parameter(torch.full((rows,), first_gain))
        self.gain_hidden = nn.Parameter(torch.full((rows,), first_gain))
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

    def freeze_statistics(self, frozen: bool = True) -> None:
        """Train on with the running statistics of batch norm, as deployed."""
        if self.statistics is not None:
            self.statistics.frozen = frozen

    @property
    def statistics_frozen(self) -> bool:
        return self.statistics is None or self.statistics.frozen

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

    def own_constants(self, unit: float, offset: np.ndarray) -> dict[str, np.ndarray]:
        """Further constants of the op, integers; a real 1 is ``unit``.

        ``offset`` are those of the recurrent part of the gates that are apart, (sets, rows of these).
        """
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
        n, steps = self.hidden_size, x.shape[1]
        recurrent = self._hidden.fake(self.weight_hidden, None)
        inputs = self._seen_inputs(x) @ self._input.fake(self.weight_input, None).T
        if self.statistics is None:
            recurrent = recurrent * (self.gain_hidden * n**-0.5)[:, None]
            inputs = inputs * (self.gain_input * self.input_size**-0.5)
        else:
            self.statistics.check(steps, len(x))
            inputs = self.statistics.inputs(inputs, self.gain_input)
        state = State(x.new_zeros(len(x), n), x.new_zeros(len(x), n))
        seen, least, fed, found = state.h, self._least_change * STATE_STEP, [], []
        # Apart at once: a gradient of every slice alone would be as large as all of them.
        for t, b in enumerate((inputs + self.bias).unbind(1)):
            a = seen @ recurrent.T
            if self.statistics is not None:
                a = self.statistics.recurrent(a, t, steps, self.gain_hidden)
            h, c = self.cell(a, b, state)
            fed.append(_rounded(h))
            h = self._pruned(fed[-1])
            state = State(h, c)
            found.append(h)
            seen = _follow(seen, h, least) if self.by_changes else h
        self.penalty = torch.stack(fed[:-1]).abs().mean() if len(fed) > 1 else x.new_zeros(())
        return torch.stack(found, 1) if self.every_step else state.h

    def _seen_inputs(self, x: torch.Tensor) -> torch.Tensor:
        """The inputs as the products see them."""
        if not self.input_delta:
            return x
        seen, found = torch.zeros_like(x[:, 0]), []
        for new in x.unbind(1):
            seen = _follow(seen, new, self.input_delta)
            found.append(seen)
        return torch.stack(found, 1)

    def _pruned(self, h: torch.Tensor) -> torch.Tensor:
        limit = self._least * self._ramp * STATE_STEP
        return h - (h * (h.abs() < limit)).detach()  # gradients go straight through

    @property
    def _least(self) -> int:
        """The threshold in steps of h."""
        return round(self.threshold / STATE_STEP)

    @property
    def by_changes(self) -> bool:
        """Whether products see elements as they were when they last changed."""
        return self.state_delta is not None or self.input_delta is not None

    @property
    def _least_change(self) -> int:
        """The least change of h that is seen, in its steps."""
        return _least_steps(self.state_delta or 0, STATE_STEP)

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
        scaling = self._scaling()
        codes, gains, reach = {}, {}, {}
        for name, quantizer, real, scales, largest in (
            ("input", self._input, float(input_scale), scaling.input_gain, USUAL_INPUT),
            ("hidden", self._hidden, STATE_STEP, scaling.recurrent_gain, 1 / STATE_STEP),
        ):
            weight = getattr(self, f"weight_{name}").double().cpu()
            if self.code == "binary" and set(weight.unique().tolist()) == {-1.0, 0.0, 1.0}:
                raise InvalidInput(
                    f"weight_{name} was trained with code 'ternary' and holds zeros, which 'binary' "
                    "would make 1; make the layer with code='ternary'"
                )
            signs = np.ones(len(weight), dtype=np.int64)
            try:
                ints, step = quantizer.integers(weight, None, signs)
            except InvalidInput as error:
                raise InvalidInput(f"weight_{name}: {error}") from None
            codes[name] = quantizer.code(ints, signs)
            gains[f"gain_{name}"] = scales.numpy() * float(step) * real * 2**FRACTION
            reach[f"gain_{name}"] = np.abs(ints).sum(axis=1) * largest
        shift, whole = fit_gains(gains, reach, self.gain_bits, self.shift)
        unit = 2.0 ** (FRACTION + shift)
        joint = scaling.recurrent_offset.numpy().copy()
        apart = joint[:, (self.gates - self.apart) * self.hidden_size :].copy()
        joint[:, (self.gates - self.apart) * self.hidden_size :] = 0
        bias = self.bias.double().cpu().numpy() + scaling.input_offset.numpy() + joint
        constants = {
            "input_gain": whole["gain_input"],
            "recurrent_gain": whole["gain_hidden"],
            "bias": np.rint(bias * unit).astype(np.int64),
            **self.own_constants(unit, apart),
        }
        if len(bias) == 1:  # the same in every step
            constants = {name: values[0] for name, values in constants.items()}
        deltas = {}
        if self.by_changes:
            least = _least_steps(self.input_delta or 0, float(input_scale))
            deltas = {"state_delta": self._least_change, "input_delta": least}
        return {
            "input_weights": codes["input"],
            "recurrent_weights": codes["hidden"],
            **constants,
            "shift": shift,
            "activation": self.activation,
            "threshold": self._least,
            "every_step": self.every_step,
            **deltas,
        }

    def _scaling(self) -> Scaling:
        """What the products are scaled by, one set or one a step, float64."""
        hidden, inputs = self.gain_hidden.double().cpu(), self.gain_input.double().cpu()
        if self.statistics is None:
            n, m = self.hidden_size, self.input_size
            zeros = torch.zeros(1, len(hidden), dtype=torch.float64)
            return Scaling(hidden[None] * n**-0.5, inputs[None] * m**-0.5, zeros, zeros)
        self.statistics.check_deployable()
        return self.statistics.scaling(hidden, inputs)

    def eval_forward(self, x) -> QTensor:
        x = require_quantized(x, self.where)
        self._check_input(tuple(x.shape))
        if self.statistics is not None:
            self.statistics.check(x.shape[1])
        parts = self.deployed(x.scale.cpu().numpy())
        steps = [h for h, _ in self._integer_steps(x.ints, parts)]
        return QTensor.of(torch.stack(steps, 1) if self.every_step else steps[-1], STATE_STEP)

    def _integer_steps(
        self, ints: torch.Tensor, parts: dict[str, object]
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """h after every step, and what the recurrent product of that step saw of the state before."""
        recurrent, inputs = (
            torch.as_tensor(_matrix(parts[name]), device=ints.device).T
            for name in ("recurrent_weights", "input_weights")
        )
        constants = {
            name: torch.as_tensor(value.copy(), device=ints.device)
            for name, value in parts.items()
            if isinstance(value, np.ndarray)
        }
        zeros = ints.new_zeros(len(ints), self.hidden_size)
        state, seen, seen_x = State(zeros, zeros), zeros, torch.zeros_like(ints[:, 0])
        for t in range(ints.shape[1]):
            at = {name: v[t] if parts["bias"].ndim == 2 else v for name, v in constants.items()}
            seen_x = _follow(seen_x, ints[:, t], parts.get("input_delta", 0))
            # Sums of few products of small integers: exact in double precision.
            a = (seen.double() @ recurrent).long() * at["recurrent_gain"]
            b = (seen_x.double() @ inputs).long() * at["input_gain"] + at["bias"]
            h, c = self.integer_cell(a, b, state, parts["shift"], at)
            state = State(torch.where(h.abs() < self._least, 0, h), c)
            yield state.h, seen
            seen = _follow(seen, state.h, parts.get("state_delta", 0))

    @torch.no_grad()
    def collect_statistics(self, x: QTensor) -> None:
        """Take the statistics of every step anew: those of the deployed weights, over sequences."""
        norm = self.statistics
        norm.check(x.shape[1])
        signs = np.ones(len(self.gain_hidden), dtype=np.int64)
        weights = {}
        for name, quantizer in (("input", self._input), ("hidden", self._hidden)):
            weight = getattr(self, f"weight_{name}").double().cpu()
            whole, step = quantizer.integers(weight, None, signs)
            whole = torch.as_tensor(whole, dtype=torch.float64, device=x.device)
            weights[name] = whole.T * float(step)
        b = self._seen_inputs(x.plain()).double() @ weights["input"]
        norm.input_mean.copy_(b.mean(0))
        norm.input_var.copy_(b.var(0, unbiased=False))
        # The products of a step follow from the statistics of those before it.
        for t in range(1, x.shape[1]):
            parts = self.deployed(x.scale.cpu().numpy())
            *_, (_, seen) = islice(self._integer_steps(x.ints, parts), t + 1)
            a = seen.double() * STATE_STEP @ weights["hidden"]
            norm.recurrent_mean[t] = a.mean(0)
            norm.recurrent_var[t] = a.var(0, unbiased=False)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        (x,) = inputs
        shape = lowering.type(x).shape
        if len(shape) != 2:
            raise InvalidInput(
                f"input must be a sequence (steps, {self.input_size}), found a sample of shape {shape}"
            )
        self._check_input((1, *shape))
        if self.statistics is not None:
            self.statistics.check(shape[0])
        return lowering.add(
            type(self).__name__.lower(), x, scale=STATE_STEP, **self.deployed(lowering.scale(x))
        )


def _matrix(code: WeightCode) -> np.ndarray:
    return code.decode().astype(np.float64)


def _scale(code: str) -> str | float:
    """Gains take the place of the scale of signs; finer weights still need one."""
    return 1.0 if code in ("binary", "ternary") else "learned"


def _follow(seen: torch.Tensor, new: torch.Tensor, least: float) -> torch.Tensor:
    """``new`` where it differs from ``seen`` by ``least`` or more, else ``seen``."""
    return torch.where((new - seen).abs() >= least, new, seen)


def _least_steps(delta: float, step: float) -> int:
    """The fewest steps that are ``delta`` or more, and 1 or more."""
    return max(1, math.ceil(delta / step - 1e-9))


def _rounded(h: torch.Tensor) -> torch.Tensor:
    """h as deployed, 8 bits, with a straight-through gradient."""
    steps = torch.floor(h / STATE_STEP + 0.5).clamp(-128, 127) * STATE_STEP
    return h + (steps - h).detach()
