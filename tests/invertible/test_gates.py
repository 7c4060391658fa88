"""Every gate of the catalogue, by enumeration."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hwgen.invertible import CATALOGUE

# Ground energy, gap and energy levels of the published gates and of those derived from them.
AND, XOR = (-3, 4, {-3, 1, 9}), (-4, 2, {-4, -2, 4, 14})
PUBLISHED = {
    "copy": (-1, 2, {-1, 1}),
    "not": (-1, 2, {-1, 1}),
    "and": AND,
    "nand": AND,
    "or": AND,
    "nor": AND,
    "majority": AND,
    "xor": XOR,
    "xor_nor": XOR,
    "xnor": XOR,
    "half_adder": XOR,
    "full_adder": XOR,
    "half_adder_2": (-7, 2, None),
    "mux": (-8, 4, None),
}
INPUTS = {
    "half_adder": 2,
    "half_adder_2": 2,
    "full_adder": 3,
    "majority": 3,
    "mux": 3,
    "copy": 1,
    "not": 1,
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_ground_states_are_the_truth_table(name):
    gate = CATALOGUE[name]
    ground, gap, levels = PUBLISHED[name]
    assert gate.exact()
    assert (gate.ground, gate.gap) == (ground, gap)
    assert bin(gate.table).count("1") == 1 << INPUTS.get(name, 2)
    if levels is not None:
        assert set(gate.energies.tolist()) == levels


def test_the_printed_half_adder_2_is_wrong():
    gate = CATALOGUE["half_adder_2"]
    place = next(k for k, (i, j, _) in enumerate(gate.couplings()) if (i, j) == (1, 3))
    assert gate.J[place] == -1
    printed = dataclasses.replace(gate, J=(*gate.J[:place], 1, *gate.J[place + 1 :]))
    assert not printed.exact()
    # 1 + 0 = 1 and 1 + 1 = 2 are no ground states then.
    low = np.flatnonzero(printed.energies == printed.ground).tolist()
    lost = [k for k in range(32) if gate.table >> k & 1 and k not in low]
    assert lost == [0b00111, 0b01001]


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_coupling_of_the_other_sign_is_seen(name):
    gate = CATALOGUE[name]
    for k, weight in enumerate(gate.J):
        if weight:
            wrong = dataclasses.replace(gate, J=(*gate.J[:k], -weight, *gate.J[k + 1 :]))
            assert not wrong.exact()
