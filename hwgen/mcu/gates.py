"""How C computes the sigmoids of recurrent cells: what ``hwgen_recurrent.h`` holds of it.

Without DSP extensions by lines, or from a table of half a sigmoid. Cores that have them look all of
it up: the clip that narrows a pre-activation anyway, a shift and a load. Lines of two at a time
take thirteen cycles, and packing them two more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..ops.lib import gates
from .storage import CType
from .target import Target

__all__ = ["Form", "form_of", "forms_of"]

Z_MOST = (1 << (gates.WIDTH - 1)) - 1


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the sigmoid.

    Attributes
    ----------
    name
        Of the activation.
    is_lookup
        Whether a table holds twice the sigmoid of every z.
    ctype
        Of the table's entries; None without a table.
    most
        Beyond -most - 1 and most the sigmoid of z is that of these.
    tanh_most
        The same of tanh, which is the sigmoid of twice z.
    shift
        z that share an entry: 2^shift.
    """

    name: str
    is_lookup: bool = False
    ctype: CType | None = None
    most: int = Z_MOST
    tanh_most: int = Z_MOST
    shift: int = 0

    @property
    def first(self) -> int:
        """What of z, shifted, the first entry is of."""
        ends = (self.most + 1, 2 * (self.tanh_most + 1))
        return -(max(ends) >> self.shift) if self.is_lookup else 0

    @property
    def values(self) -> np.ndarray:
        """The table."""
        if not self.is_lookup:
            return _half_table()
        last = max(self.most, 2 * self.tanh_most) >> self.shift
        z = gates.saturate(np.arange(self.first, last + 1) << self.shift)
        return 2 * gates.sigmoid(z, self.name)


def forms_of(target: Target) -> tuple[Form, ...]:
    """All forms of a target's C, in the order of :data:`.gates.ACTIVATIONS`."""
    if target.isa == "plain":
        return Form("plan"), Form("table", ctype=CType(8, False))
    shift = gates.WIDTH - gates.TABLE_BITS
    ends = gates.LIMIT, gates.LIMIT // 2
    return (
        Form("plan", True, CType(16, True), *ends),
        Form("table", True, CType(16, True), Z_MOST, Z_MOST // 2, shift),
    )


def form_of(target: Target, activation: str) -> Form:
    """The form of an activation."""
    (form,) = (form for form in forms_of(target) if form.name == activation)
    return form


@cache
def _half_table() -> np.ndarray:
    """The sigmoid of what is 0 or more, less a half; that of the rest is its negative."""
    table = gates.sigmoid_table() - gates.ONE // 2
    half = table[len(table) // 2 :]
    if not np.array_equal(table[: len(half)], -half[::-1]):
        raise AssertionError("the table of the sigmoid must be odd")
    return half
