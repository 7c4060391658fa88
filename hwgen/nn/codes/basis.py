"""Basis times coefficients: an alternating fit of trained weights."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import nn

from ...errors import InvalidInput
from ...ir.constant import Constant
from ...ops.codes.basis import MAX_EXPONENT, Basis
from ..code import WeightQuantizer, register_quantizer
from ..scale import MODES

__all__ = ["BasisQuantizer", "fit"]

ROUNDS = 30
TOLERANCE = 1e-10
MAX_SHIFT = 15


@register_quantizer
class BasisQuantizer(nn.Module, WeightQuantizer):
    """Weights of eight bits made of a small basis and coefficients that are powers of two.

    Training uses the real weights; :meth:`project` replaces them by the nearest ones that can be
    deployed. Alternate an epoch and a projection, as in SmartExchange (arXiv 2005.03403), section 3,
    and end with a projection. Weights that are no projection are fitted when they are deployed. The
    fit is kept with the weights that it is of, so that a checkpoint gives the same integers on
    every machine.

    Parameters
    ----------
    bits
        Must be 8: of the weights that the basis makes, and of the basis.
    per_channel
        One scale for every output channel instead of one for all.
    scale
        "learned" or "power_of_two": of the step, which follows from the largest weight.
    run
        S: neighbouring weights that one row of coefficients makes, 1 to 16.
    group
        Neighbouring outputs that have a basis in common.
    """

    maskable = False

    def __init__(
        self,
        shape,
        bits: int,
        per_channel: bool,
        scale: str | float,
        *,
        run: int = 4,
        group: int = 8,
    ) -> None:
        super().__init__()
        if bits != 8 or isinstance(bits, bool):
            raise InvalidInput(f"bits must be 8 for code 'basis', not {bits!r}")
        if scale not in MODES:
            raise InvalidInput(
                f"scale must be 'learned' or 'power_of_two' for code 'basis', not {scale!r}"
            )
        for name, value, most in (("run", run, 16), ("group", group, 1 << 16)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise InvalidInput(f"{name} must be an integer in 1..{most}, not {value!r}")
        self.bits, self.mode, self.per_channel = bits, scale, per_channel
        self.run, self.group = run, group
        outputs, inputs = shape[0], int(np.prod(shape[1:]))
        runs, groups = -(-inputs // run), -(-outputs // group)
        self.register_buffer("coefficients", torch.zeros(outputs, runs, run, dtype=torch.int8))
        self.register_buffer("basis", torch.zeros(groups, run, run, dtype=torch.int8))
        self.register_buffer("shift", torch.tensor(0))
        self.register_buffer(
            "step", torch.ones(outputs if per_channel else (), dtype=torch.float64)
        )
        self.register_buffer("fitted", torch.zeros(32, dtype=torch.uint8))

    def fake(self, weight, keep):
        return weight

    def project(self, rows):
        """The deployed weights of a matrix as real ones; the fit is kept."""
        self._fit(rows)
        weights, step = self._decoded(np.ones(len(rows), dtype=np.int64), rows.shape[1])
        projected = (torch.tensor(weights) * self._column(step)).float()
        self.fitted.copy_(_fingerprint(projected))
        return projected

    def integers(self, rows, keep, signs):
        if not torch.equal(self.fitted.cpu(), _fingerprint(rows)):
            self._fit(rows)
        weights, step = self._decoded(signs, rows.shape[1])
        if not weights.any():
            raise InvalidInput("weight must not be all zero, found that the fit makes it so")
        return weights, step

    def code(self, weights, signs):
        return self._code(signs, weights.shape[1:])

    def _fit(self, rows: torch.Tensor) -> None:
        values = rows.double().cpu().numpy()
        largest = np.abs(values).max(axis=1) if self.per_channel else np.abs(values).max()
        # As for uniform weights, no channel gets a scale finer than 1/256 of the coarsest.
        step = np.maximum(largest / 127, max(np.max(largest) / 127 / 256, 2.0**-30))
        if self.mode == "power_of_two":
            step = np.exp2(np.ceil(np.log2(step)))
        step = np.asarray(step, dtype=np.float32).astype(np.float64)
        target = values / (step[:, None] if step.ndim else step)
        coefficients, basis, shift = fit(target, self.run, self.group)
        for buffer, value in (
            (self.coefficients, coefficients),
            (self.basis, basis),
            (self.shift, np.asarray(shift)),
            (self.step, step),
        ):
            buffer.copy_(torch.as_tensor(value))
        self.fitted.copy_(_fingerprint(rows))

    def _code(self, signs: np.ndarray, row: tuple[int, ...]) -> Basis:
        coefficients = self.coefficients.cpu().numpy().astype(np.int64) * signs[:, None, None]
        basis = self.basis.cpu().numpy().astype(np.int64)
        return Basis(Constant(coefficients), Constant(basis), self.group, int(self.shift), row)

    def _decoded(self, signs: np.ndarray, inputs: int) -> tuple[np.ndarray, np.ndarray]:
        return self._code(signs, (inputs,)).decode(), self.step.cpu().numpy()

    @staticmethod
    def _column(step: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(step)[:, None] if step.ndim else torch.as_tensor(step)


def _fingerprint(rows: torch.Tensor) -> torch.Tensor:
    """Which weights a fit is of: the SHA-256 of them in single precision."""
    content = np.ascontiguousarray(rows.detach().cpu().float().numpy(), dtype="<f4").tobytes()
    return torch.tensor(list(hashlib.sha256(content).digest()), dtype=torch.uint8)


def fit(target: np.ndarray, run: int, group: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Coefficients and bases whose product comes near a matrix.

    Alternates the basis of least squared error for given coefficients and, column after column, the
    nearest power of two to the coefficient of least squared error, until nothing changes by more
    than 1e-10 or 30 rounds are over; then the basis is rounded to eight bits and the coefficients
    are chosen once more.

    Parameters
    ----------
    target
        Shape (outputs, inputs), in -127..127.
    run, group
        S, and outputs with a basis in common.

    Returns
    -------
    Coefficients (outputs, runs, S), bases (groups, S, S), and the shift.
    """
    outputs, inputs = target.shape
    runs, groups = -(-inputs // run), -(-outputs // group)
    padded = np.zeros((groups * group, runs * run))
    padded[:outputs, :inputs] = target
    wanted = padded.reshape(groups, group * runs, run)
    basis = np.eye(run) * np.maximum(np.abs(wanted).max(axis=(1, 2)), 1e-9)[:, None, None]
    basis /= 1 << MAX_EXPONENT
    coefficients = _nearest(wanted / basis[:, :1, :1])
    error = np.inf
    for _ in range(ROUNDS):
        gram = np.einsum("gns,gnt->gst", coefficients, coefficients)
        cross = np.einsum("gns,gnt->gst", coefficients, wanted)
        basis = np.linalg.pinv(gram, hermitian=True) @ cross
        basis, coefficients = _rescaled(basis, coefficients)
        coefficients = _descend(wanted, coefficients, basis)
        before, error = error, float(((wanted - coefficients @ basis) ** 2).sum())
        if before - error <= TOLERANCE * max(1.0, error):
            break
    most = max(float(np.abs(basis).max()), 1e-9)
    shift = int(np.clip(np.floor(np.log2(127 / most)), 0, MAX_SHIFT))
    rounded = np.clip(np.rint(basis * 2.0**shift), -128, 127)
    coefficients = _descend(wanted, coefficients, rounded / 2.0**shift)
    coefficients = coefficients.reshape(groups * group, runs, run)[:outputs]
    return coefficients.astype(np.int64), rounded.astype(np.int64), shift


def _nearest(values: np.ndarray) -> np.ndarray:
    """The nearest of 0 and +-2^p, p in 0..6."""
    magnitude = np.clip(np.abs(values), 1e-9, 1 << MAX_EXPONENT)
    below = np.exp2(np.floor(np.log2(magnitude)))
    power = np.where(magnitude >= 1.5 * below, 2 * below, below)
    return np.sign(values) * np.where(np.abs(values) < 0.5, 0, np.clip(power, 1, 1 << MAX_EXPONENT))


def _rescaled(basis: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same products, with every column of coefficients reaching the largest power."""
    largest = np.abs(coefficients).max(axis=1)
    factor = np.where(largest > 0, (1 << MAX_EXPONENT) / np.maximum(largest, 1), 1.0)
    return basis / factor[:, :, None], coefficients * factor[:, None, :]


def _descend(wanted: np.ndarray, coefficients: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Coefficients no worse than before: each the best one for the others as they are."""
    coefficients = coefficients.copy()
    rest = wanted - coefficients @ basis
    for _ in range(2):
        for s in range(basis.shape[1]):
            row = basis[:, s]
            energy = np.maximum((row**2).sum(axis=1), 1e-12)[:, None]
            best = _nearest(coefficients[..., s] + np.einsum("gnt,gt->gn", rest, row) / energy)
            rest += (coefficients[..., s] - best)[..., None] * row[:, None, :]
            coefficients[..., s] = best
    return coefficients
