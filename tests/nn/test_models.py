"""Whole models: what PyTorch computes in eval mode is what the graph computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings

from hwgen.errors import InvalidInput
from hwgen.frontend import checkpoint
from hwgen.frontend.layout import to_graph_layout
from hwgen.frontend.module import lower
from hwgen.nn import integers
from tests.nn.models import models, samples

EXAMPLES = 100


# Random statistics can make what cannot be deployed; the message says so.
HOPELESS = ("rounds to zero", "rescaling factors must lie", "bias must stay below")


def lowered(model):
    """The graph, or the example is given up where random numbers fit no integers."""
    try:
        return lower(model)
    except InvalidInput as error:
        assert any(text in str(error) for text in HOPELESS), error
        assume(False)


def check_equal(model, folder) -> None:
    graph = lowered(model)
    x = samples(model, 24, seed=1)
    expected = graph.run(graph.quantize(to_graph_layout(x)))
    assert np.array_equal(integers(model(x)), expected), graph
    path = checkpoint.save(model, folder / "model.pt", name=graph.name)
    assert checkpoint.load(path).hash == graph.hash


def test_eval_equals_graph(tmp_path):
    settings(max_examples=EXAMPLES)(given(models())(lambda m: check_equal(m, tmp_path)))()


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_eval_equals_graph_thousands(tmp_path):
    settings(max_examples=4000)(given(models())(lambda m: check_equal(m, tmp_path)))()


def test_gradients_reach_every_parameter():
    @settings(max_examples=40)
    @given(models())
    def check(model):
        model.train()
        x = samples(model, 24).requires_grad_()
        y = model(x)
        (y * torch.randn(y.shape)).sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name

    check()


def test_powers_of_two_need_no_multiplier():
    """With every scale a power of two, each requantize to a coarser scale is a pure shift."""

    @settings(max_examples=60)
    @given(models())
    def check(model):
        modes = {m.mode for m in model.modules() if hasattr(m, "mode")}
        graph = lowered(model)
        pooled = any(node.op.name == "avg_pool2d" for node in graph.nodes)
        if "learned" in modes or pooled:
            return
        for node in graph.nodes:
            if node.op.name == "requantize":
                multipliers = node.op.multiplier.array
                assert np.all(multipliers & (multipliers - 1) == 0)
                coarser = np.all(multipliers <= 1 << node.op.shift.array)  # every channel's scale
                assert not coarser or np.all(multipliers == 1)

    check()
