"""What recurrent layers take as arguments, and what they refuse by name."""

from __future__ import annotations

import math

from ..errors import InvalidInput, Unsupported
from .gains import MAX_GAIN_BITS, MAX_SHIFT

__all__ = ["check_options", "refuse_variants"]

_VARIANTS = {
    "proj_size": "projections",
    "dropout": "dropout between layers; put torch.nn.Dropout behind the layer",
    "num_layers": "several layers at once; stack LSTM(every_step=True) and LSTM",
    "bidirectional": "both directions in one layer; put it into hwgen.nn.Bidirectional",
    "batch_first": "other orders than (batch, steps, features); "
    "InputQuantizer(sequence_first=True) takes (steps, batch, features)",
    "batch_norm": "batch norm by that name; take norm='bn_time' or 'bn_shared'",
    "norm_cell": "normalization of the cell's state: its statistics drift from step to step",
    "peepholes": "peepholes",
}


def refuse_variants(options: dict[str, object]) -> None:
    """Raise Unsupported for keywords of other recurrent layers."""
    if options.get("batch_first") is True:  # as it is
        del options["batch_first"]
    for name, what in _VARIANTS.items():
        if name in options:
            raise Unsupported(f"{name} is not supported: no {what}")


def check_options(
    sizes: dict[str, object],
    *,
    threshold,
    activation,
    shift,
    gain_bits,
    deltas: dict[str, object],
) -> None:
    """Raise InvalidInput unless every argument is in its range."""
    for name, value in sizes.items():
        _check_range(value, name, 1, None)
    if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise InvalidInput(f"threshold must lie in 0..1, not {threshold!r}")
    if activation not in ("plan", "table"):
        raise InvalidInput(f"activation must be 'plan' or 'table', not {activation!r}")
    if shift is not None:
        _check_range(shift, "shift", 0, MAX_SHIFT)
    if gain_bits is not None:
        _check_range(gain_bits, "gain_bits", 2, MAX_GAIN_BITS)
    for name, delta in deltas.items():
        if delta is not None and (not isinstance(delta, int | float) or not 0 <= delta < math.inf):
            raise InvalidInput(f"{name} must be a number of 0 or more, or None, not {delta!r}")


def _check_range(value, what: str, least: int, most: int | None) -> None:
    right = isinstance(value, int) and not isinstance(value, bool)
    if not right or value < least or (most is not None and value > most):
        allowed = f"of {least} or more" if most is None else f"in {least}..{most}"
        raise InvalidInput(f"{what} must be an integer {allowed}, not {value!r}")
