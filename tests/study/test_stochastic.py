"""Studies of stochastic networks: each number beside another way to it."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen import zoo
from hwgen.errors import Unsupported
from hwgen.frontend.checkpoint import load_network
from hwgen.ir.classes import classes
from hwgen.study.areas import _extrapolated
from hwgen.study.faults import error_with_faults, run_with_faults
from hwgen.study.fixed_point import fixed_point, float_module
from hwgen.study.interval import wilson
from hwgen.study.running import runner
from hwgen.study.stochastic import Variant, streams, surface, vary


@pytest.fixture(scope="module")
def network():
    return load_network(zoo.checkpoint("digits-stochastic"))


@pytest.fixture(scope="module")
def held_out():
    x, labels = zoo.test_data("digits-stochastic")
    return x[:120], labels[:120]


def test_wilsons_interval():
    """Values of Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20."""
    for right, count, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
    ):
        found = wilson(right / count, count)
        assert np.allclose(found, (low, high), atol=1e-4)


def test_a_point_is_what_the_network_does(network, held_out):
    x, labels = held_out
    points = surface(
        network, x, labels, codings=["bipolar"], components=[2], lengths=[50, 128], seeds=2
    )
    for point, length in zip(points, (50, 128), strict=True):
        wrong = []
        for seed in (0, 101):
            graph = vary(network, Variant("bipolar", 2, length, seed))
            # The register follows from the longest stream; both lengths have the same.
            sums = streams(graph).run(graph.quantize(x))
            wrong.append(sums.sum(axis=1).argmax(axis=1) != labels)
            assert sums.shape == (len(x), length, 10)
        assert point.error == np.mean(wrong)
        assert point.low <= point.error <= point.high
        assert point.steps < length
        assert (point.coding, point.components, point.length) == ("bipolar", 2, length)


def test_c_gives_the_same_points(network, held_out):
    x, labels = held_out
    options = {"codings": ["sign_magnitude"], "components": [1], "lengths": [40], "seeds": 1}
    with runner() as (prepare, how):
        if how != "C":
            pytest.skip(how)
        found = surface(network, x, labels, prepare=prepare, **options)
    assert found == surface(network, x, labels, **options)


def test_early_errors_are_those_of_the_graph_that_decides_early(network, held_out):
    x, labels = held_out
    (point,) = surface(
        network, x, labels, codings=["sign_magnitude"], components=[4], lengths=[256], seeds=1
    )
    graph = vary(network, Variant("sign_magnitude", 4, 256))
    assert graph == network.lower()
    assert point.early_error == (classes(graph.run(graph.quantize(x))) != labels).mean()
    assert point.steps < 128


def test_other_networks_are_refused(held_out):
    other = load_network(zoo.checkpoint("digits-mlp"))
    with pytest.raises(Unsupported, match=r"must be a stochastic classifier.*found InputQuantizer"):
        vary(other, Variant("bipolar", 1, 16))


@pytest.mark.parametrize("coding", ["bipolar", "sign_magnitude"])
def test_without_flips_nothing_changes_and_with_all_everything(network, held_out, coding):
    x = held_out[0][:12]
    graph = vary(network, Variant(coding, 2, 40))
    ints = graph.quantize(x)
    rng = np.random.default_rng(0)
    assert np.array_equal(run_with_faults(graph, ints, 0.0, rng), graph.run(ints))
    # Every bit of a stream turned round twice is the stream: count what one stage makes of it.
    stream = graph.nodes[1]
    ones = stream.op.run(ints)
    from hwgen.study.faults import _stream

    assert np.array_equal(_stream(stream, [ints], 1.0, rng), 1 - ones)


@pytest.mark.parametrize("coding", ["bipolar", "sign_magnitude"])
def test_flipped_weights_have_the_mean_that_flips_give(network, held_out, coding):
    """A bipolar weight w becomes (1 - 2p) w on average, a magnitude |w| becomes (1 - 2p) |w| + p m."""
    from hwgen.study.faults import _products

    x = held_out[0][:4]
    graph = vary(network, Variant(coding, 4, 256))
    node = graph["fc1_sums"]
    bits = graph.run_all(graph.quantize(x))["stream"]
    plain = node.op.run(bits).mean(axis=(0, 1))
    share, rng = 0.2, np.random.default_rng(0)
    found = np.mean(
        [_products(node, [bits], share, rng).mean(axis=(0, 1)) for _ in range(8)], axis=0
    )
    expected = (1 - 2 * share) * plain
    if coding == "sign_magnitude":
        inputs = np.append(bits.mean(axis=(0, 1)), 1.0)
        expected = expected + share * 4 * np.sign(node.op.operands) @ inputs
    assert np.abs(found - expected).max() < 0.15


def test_errors_grow_with_faults(network, held_out):
    x, labels = held_out
    graph = vary(network, Variant("bipolar", 2, 64))
    found = error_with_faults(graph, x[:60], labels[:60], [0.0, 0.4])
    assert found[0] < 0.2 < found[1]


def test_fixed_point_is_the_narrowest_that_is_good_enough(network, held_out):
    x, labels = held_out
    found = fixed_point(network, x, labels, 0.05)
    assert found.error <= 0.05
    assert found.error == (classes(found.graph.run(found.graph.quantize(x))) != labels).mean()
    kinds = [node.op.name for node in found.graph.nodes]
    assert kinds.count("dense") == 2
    assert "lookup" in kinds
    import torch

    with torch.no_grad():
        y = float_module(network)(torch.as_tensor(x, dtype=torch.float32))
    assert (y.argmax(1).numpy() == labels).mean() > 0.95
    assert fixed_point(network, x, labels, 1.0).bits == 2


def test_extrapolation_is_a_line():
    from hwgen.rtl.lib.area import Area

    assert _extrapolated([Area(100, 50), Area(160, 62)], 32) == Area(400, 110)
