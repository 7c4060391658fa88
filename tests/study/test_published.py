"""The digits network's errors over lengths, components and codings, whole and with 5 seeds."""

from __future__ import annotations

import pytest

from hwgen import zoo
from hwgen.frontend.checkpoint import load_network
from hwgen.study.fixed_point import float_module
from hwgen.study.running import runner
from hwgen.study.stochastic import surface

pytestmark = pytest.mark.slow

# As docs/stochastic.md shows it, in %; an interval of 95 % is about 1.5 points to either side.
TABLE = {
    ("sign_magnitude", 1): (4.57, 2.62, 2.01),
    ("sign_magnitude", 4): (2.51, 2.06, 1.67),
    ("bipolar", 1): (9.25, 3.45, 2.40),
    ("bipolar", 4): (2.79, 2.28, 1.62),
}
LENGTHS = (64, 256, 1024)


@pytest.fixture(scope="module")
def points():
    network = load_network(zoo.checkpoint("digits-stochastic"))
    x, labels = zoo.test_data("digits-stochastic")
    with runner() as (prepare, _):
        found = surface(
            network,
            x,
            labels,
            codings=("sign_magnitude", "bipolar"),
            components=(1, 4),
            lengths=LENGTHS,
            seeds=5,
            prepare=prepare,
        )
    return {(p.coding, p.components, p.length): p for p in found}


def test_the_table_is_reproduced_within_two_points(points):
    for (coding, m), errors in TABLE.items():
        for length, error in zip(LENGTHS, errors, strict=True):
            assert abs(100 * points[coding, m, length].error - error) < 2


def test_four_components_do_in_256_steps_what_one_does_in_1024(points):
    """The published pattern: either mean lies in the other's interval of 95 % confidence."""
    for coding in ("sign_magnitude", "bipolar"):
        few, many = points[coding, 4, 256], points[coding, 1, 1024]
        assert few.low <= many.error <= few.high
        assert many.low <= few.error <= many.high


def test_256_steps_are_within_a_point_of_floating_point(points):
    import torch

    network = load_network(zoo.checkpoint("digits-stochastic"))
    x, labels = zoo.test_data("digits-stochastic")
    with torch.no_grad():
        y = float_module(network)(torch.as_tensor(x, dtype=torch.float32))
    error = float((y.argmax(1).numpy() != labels).mean())
    assert points["sign_magnitude", 4, 256].error <= error + 0.01
    assert points["bipolar", 4, 256].error <= error + 0.01
