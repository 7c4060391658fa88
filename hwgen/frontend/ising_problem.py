"""Ising problems in the units of whoever asked them: exact integers inside, the user's numbers outside."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import InvalidInput
from ..invertible.hamiltonian import Hamiltonian

__all__ = ["LARGEST", "MOST_NODES", "IsingProblem", "compose", "exact", "read_text"]

LARGEST = 2**31 - 1  # of a bias or a weight, as an integer
MOST_NODES = 1_000_000

# Few digits and a small exponent: a Fraction of more would take long to compute with.
_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)


@dataclass(frozen=True)
class IsingProblem:
    """A problem that was read, and how an energy is told in its own terms.

    The number that the user knows is ``offset + slope * energy`` of the Hamiltonian, exactly.

    Attributes
    ----------
    kind
        ``"max-cut"``, ``"ising"`` or ``"qubo"``.
    offset, slope
        ``slope`` is negative where the user's number is to be large.
    best_known
        What the literature gives for an instance of this name and size; None if not known.
    note
        What a reader should be told beside the result, or nothing.
    """

    hamiltonian: Hamiltonian
    kind: str
    offset: Fraction = Fraction(0)
    slope: Fraction = Fraction(1)
    best_known: int | None = None
    note: str = ""

    @property
    def maximise(self) -> bool:
        """Whether the user's number is to be large."""
        return self.slope < 0

    def of_energy(self, energy: int) -> Fraction:
        """The user's number for an energy of the Hamiltonian."""
        return self.offset + self.slope * int(energy)

    def energy_of(self, value: int | Fraction) -> int | None:
        """The energy whose number is ``value``; None if there is none, as energies are integers."""
        energy = (Fraction(value) - self.offset) / self.slope
        return int(energy) if energy.denominator == 1 else None

    def value(self, spins: np.ndarray) -> Fraction | np.ndarray:
        """The user's number of a state: the cut, the energy, or x'Qx.

        Parameters
        ----------
        spins
            -1 and +1, shape (..., nodes). Bit 1 is +1, in a QUBO as well.

        Returns
        -------
        A Fraction, equal to an int where it is whole; of several states an array (...) of them.
        """
        energies = np.asarray(self.hamiltonian.energy(spins))
        if energies.ndim == 0:
            return self.of_energy(int(energies))
        values = np.empty(energies.shape, dtype=object)
        for index in np.ndindex(energies.shape):
            values[index] = self.of_energy(int(energies[index]))
        return values


def compose(
    where: str | Path,
    kind: str,
    names: Sequence[str],
    linear: Mapping[int, Fraction | int],
    quadratic: Mapping[tuple[int, int], Fraction | int],
    offset: Fraction | int = 0,
    factor: Fraction | int = 1,
    **more,
) -> IsingProblem:
    """The problem whose number is ``offset + factor * (sum linear_i x_i + sum quadratic_ij x_i x_j)``.

    The coefficients become the smallest integers that are in the same proportion.

    Parameters
    ----------
    where
        File, for messages.
    kind
        x is a spin, or 0 and 1 where it is ``"qubo"``.
    linear, quadratic
        By node and by pair (i < j).
    factor
        Negative where the number is to be large.

    Raises
    ------
    InvalidInput
        No integers up to 2^31 - 1 are in that proportion.
    """
    offset, factor = Fraction(offset), Fraction(factor)
    if kind == "qubo":
        linear, constant = _spins(linear, quadratic)
        offset, factor = offset + factor * constant / 4, factor / 4
    nodes = list(linear)
    pairs = sorted(pair for pair, value in quadratic.items() if value)
    whole, step = _integers([*linear.values(), *(quadratic[pair] for pair in pairs)])
    largest = max(map(abs, whole), default=0)
    if largest > LARGEST:
        raise InvalidInput(
            f"{where}: biases must be multiples of one step by integers up to {LARGEST}, found "
            f"{float(largest):.3g} times {float(abs(step * factor)):.3g}; round them to fewer digits"
        )
    # The sum is to be small in any case: where the number is to be large the factor is negative.
    values = -np.array(whole, dtype=np.int64)
    h = np.zeros(len(names), dtype=np.int64)
    h[nodes] = values[: len(nodes)]
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    hamiltonian = Hamiltonian(names=tuple(names), h=h, edges=edges, weights=values[len(nodes) :])
    return IsingProblem(hamiltonian, kind, offset, factor * step, **more)


def _integers(values: Sequence[Fraction | int]) -> tuple[list[int], Fraction]:
    """The smallest integers in the same proportion, and what one of them stands for."""
    scale = math.lcm(*{value.denominator for value in values})
    whole = [value.numerator * (scale // value.denominator) for value in values]
    common = math.gcd(*whole) or 1
    return [value // common for value in whole], Fraction(common, scale)


def _spins(linear, quadratic) -> tuple[dict[int, Fraction | int], Fraction | int]:
    """Four times the sum over spins, with x = (1 + m) / 2: its linear part and its constant."""
    fields = {node: 2 * value for node, value in linear.items()}
    constant = sum(fields.values()) + sum(quadratic.values())
    for pair, value in quadratic.items():
        for node in pair:
            fields[node] = fields.get(node, 0) + value
    return fields, constant


def exact(text: str) -> Fraction | None:
    """The exact value of a decimal number; None where the text is none or has very many digits."""
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def read_text(path: str | Path, expected: str) -> str:
    """The text of a file, or InvalidInput that tells what was expected."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{path}: cannot be read: {error.strerror}; expected {expected}"
        ) from None
    if b"\0" in content:
        raise InvalidInput(f"{path}: is a binary file; expected {expected}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidInput(f"{path}:{line}: is not UTF-8 text; expected {expected}") from None
    if not text.strip():
        raise InvalidInput(f"{path}: is empty; expected {expected}")
    return text
