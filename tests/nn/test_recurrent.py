"""Recurrent layers: exact results, training, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from hwgen import nn as q
from hwgen.errors import HwgenError, InvalidInput, Unsupported
from hwgen.frontend import checkpoint
from hwgen.frontend.module import lower
from hwgen.nn import gates, integers
from hwgen.ops.lib import gates as golden

CODES = ("ternary", "binary", "uniform", "power_of_two")


KINDS = (q.LSTM, q.GRU)


def network(
    units: int = 7, every_step: bool = False, kind: type = q.LSTM, **options
) -> nn.Sequential:
    torch.manual_seed(units)
    layer = kind(3, units, every_step=every_step, **options)
    if kind is q.GRU:
        nn.init.uniform_(layer.bias_hidden, -0.5, 0.5)
    return nn.Sequential(q.InputQuantizer(5, scale=1 / 16, shape=(6, 3)), layer)


@pytest.mark.parametrize("activation", ["plan", "table"])
def test_gates_are_those_of_the_graph(activation):
    z = np.arange(-2048, 2048)
    tensor = torch.as_tensor(z)
    for name in ("sigmoid", "tanh"):
        want = getattr(golden, name)(z, activation)
        assert getattr(gates, name)(tensor, activation).tolist() == want.tolist()


@pytest.mark.parametrize("activation", ["plan", "table"])
def test_the_sigmoid_is_near_and_symmetric(activation):
    z = np.arange(-2048, 2048)
    y = golden.sigmoid(z, activation)
    assert (np.diff(y) >= 0).all()
    real = 1 / (1 + np.exp(-z / 256))
    assert np.abs(y / 256 - real).max() <= (0.0215 if activation == "plan" else 0.0092)
    if activation == "plan":
        assert (y[1:] == 256 - y[1:][::-1]).all()


@pytest.mark.parametrize("activation", ["plan", "table"])
def test_training_has_the_deployed_gates(activation):
    z = torch.arange(-2048, 2048, dtype=torch.float64, requires_grad=True)
    for name in ("sigmoid", "tanh"):
        trained = getattr(gates, f"trained_{name}")(z / 256, activation)
        deployed = getattr(golden, name)(np.arange(-2048, 2048), activation) / 256
        assert np.abs(trained.detach().numpy() - deployed).max() < (
            0.02 if activation == "table" else 0.011
        )
        (slope,) = torch.autograd.grad(trained.sum(), z)
        (true,) = torch.autograd.grad(getattr(torch, name)(z / 256).sum(), z)
        assert torch.allclose(slope, true)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_eval_equals_the_graph(kind, code, every_step, tmp_path):
    model = network(kind=kind, code=code, every_step=every_step, threshold=0.1, activation="table")
    x = torch.randn(40, 6, 3)
    model.train()(x)
    model.eval()
    graph = lower(model, x)
    want = graph.run(graph.quantize(x.numpy()))
    assert want.shape == ((40, 6, 7) if every_step else (40, 7))
    assert len(np.unique(want)) > 20
    assert np.array_equal(integers(model(x)), want)
    checkpoint.save(model, tmp_path / "m.pt")
    assert (
        checkpoint.load(tmp_path / "m.pt").run(graph.quantize(x.numpy())).tolist() == want.tolist()
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ["plan", "table"])
def test_training_sees_what_is_deployed(kind, activation):
    """The float forward differs from the integers by roundings only."""
    model = network(24, kind=kind, activation=activation, threshold=0.1)
    x = torch.randn(64, 6, 3)
    real = model.train()(x).detach()
    deployed = model.eval()(x).plain()
    assert float((real - deployed).abs().mean()) < 0.02
    assert float(real.abs().mean()) > 0.1


VARIANTS = {
    "bn_time": {"norm": "bn_time", "steps": 6},
    "bn_shared": {"norm": "bn_shared"},
    "changes": {"state_delta": 0.05, "input_delta": 0.2},
    "all changes": {"state_delta": 0.0},
    "changes, bn_time": {"norm": "bn_time", "steps": 6, "input_delta": 0.3, "threshold": 0.1},
}


def varied(kind: type, name: str, units: int = 24) -> tuple[nn.Sequential, torch.Tensor]:
    """A network with statistics of its own, trained on with them, and sequences."""
    model = network(units, kind=kind, every_step=True, **VARIANTS[name])
    x = torch.randn(64, 6, 3)
    layer = model[1]
    with torch.no_grad():
        for gain in (layer.gain_input, layer.gain_hidden):
            gain.uniform_(0.3, 1.0)
        for _ in range(30):
            model.train()(x)
        layer.freeze_statistics()
        model(x)  # no training: nothing is learned
    if layer.statistics is not None:
        assert layer.statistics.tuned == 0
    model(x)
    return model, x


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("kind", KINDS)
def test_variants_are_deployed_as_trained(kind, name, tmp_path):
    """To the bit what the graph computes, and up to roundings what training computes."""
    model, x = varied(kind, name)
    real = model.train()(x).detach()
    graph = lower(model.eval(), x)
    want = graph.run(graph.quantize(x.numpy()))
    assert np.array_equal(integers(model(x)), want)
    # Roundings make changes that are near the limit count or not.
    assert np.abs(want / 128 - real.numpy()).mean() < (0.04 if "changes" in name else 0.02)
    checkpoint.save(model, tmp_path / "m.pt")
    assert np.array_equal(checkpoint.load(tmp_path / "m.pt").run(graph.quantize(x.numpy())), want)


def test_every_change_is_what_elements_are():
    model, x = varied(q.LSTM, "all changes")
    want = integers(model.eval()(x))
    op = lower(model, x).nodes[1].op
    assert (op.state_delta, op.input_delta) == (1, 1)
    model[1].state_delta = None
    assert lower(model, x).nodes[1].op.state_delta == 0
    assert np.array_equal(integers(model(x)), want)


def test_least_changes_are_no_less_than_told():
    model, x = varied(q.LSTM, "changes")
    op = lower(model.eval(), x).nodes[1].op
    assert (op.state_delta, op.input_delta) == (7, 4)  # 0.05 of 1/128, 0.2 of 1/16


def test_statistics_of_steps_and_of_all_steps():
    """Batch norm as PyTorch's, with the moments of the very products; a and b apart."""
    for name, sets in (("bn_time", 6), ("bn_shared", 1)):
        model, x = varied(q.LSTM, name)
        layer = model[1]
        x = model[0](x)
        b = x @ layer._input.fake(layer.weight_input, None).T
        axes = 0 if sets == 6 else (0, 1)
        want = b.mean(axes).detach().reshape(sets, -1)
        assert layer.statistics.input_mean.shape == (sets, 96)
        assert torch.allclose(layer.statistics.input_mean, want, atol=0.05)
        assert layer.statistics.recurrent_var[-1].min() > 0.01
    assert layer.statistics.tuned == 1


@pytest.mark.parametrize("name", ["bn_time", "bn_shared"])
def test_statistics_that_cannot_be(name):
    model = network(**VARIANTS[name])
    with pytest.raises(InvalidInput, match="2 sequences or more a batch in training, found 1"):
        model.train()(torch.randn(1, 6, 3))
    if name == "bn_time":
        with pytest.raises(InvalidInput, match="statistics of 6 steps, found a sequence of 5"):
            model[1].train()(torch.randn(2, 5, 3))
        model[0].shape = (5, 3)
        with pytest.raises(InvalidInput, match="statistics of 6 steps, found a sequence of 5"):
            lower(model.eval(), torch.zeros(1, 5, 3))
    else:
        with pytest.raises(
            Unsupported, match=r"layer '1' .* call freeze_statistics\(\) and train on"
        ):
            lower(model.eval(), torch.zeros(1, 6, 3))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_everything(kind, code):
    model = network(kind=kind, code=code, threshold=0.2).train()
    model(torch.randn(8, 6, 3)).square().sum().backward()
    for name, parameter in model[1].named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_small_states_are_dropped_as_the_threshold_rises(kind):
    model, x = network(40, kind=kind, threshold=0.3), torch.randn(16, 6, 3)
    layer = model[1]
    kept = []
    for share in (0.0, 0.5, 1.0):
        layer.ramp(share)
        kept.append(int((model.train()(x) != 0).sum()))
        assert 0 < float(layer.penalty.detach()) < 1
    assert kept[0] > kept[1] > kept[2] > 0
    smallest = model.eval()(x).ints.abs()
    assert int(smallest[smallest > 0].min()) >= 38  # 0.3 of 128


def test_settled_weights_are_deployed_alike():
    model, x = network(code="ternary"), torch.randn(9, 6, 3)
    before = integers(model.eval()(x))
    model[1].settle()
    assert set(model[1].weight_hidden.unique().tolist()) == {-1, 0, 1}
    assert np.array_equal(integers(model(x)), before)


def test_weights_of_another_code_are_refused():
    """Those that were settled as ternary have zeros, of which binary ones know nothing."""
    ternary, binary = network(code="ternary"), network(code="binary")
    ternary[1].settle()
    binary[1].settle()
    x = torch.randn(9, 6, 3)
    binary.load_state_dict(ternary.state_dict())
    with pytest.raises(
        InvalidInput, match=r"layer '1' .*: weight_\w+ was trained with code 'ternary'"
    ):
        lower(binary.eval(), x)
    other = network(code="ternary")
    other.load_state_dict(network(code="binary").state_dict())
    lower(other.eval(), x)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"proj_size": 3}, Unsupported, "proj_size is not supported: no projections"),
        ({"bidirectional": True}, Unsupported, "bidirectional is not supported"),
        ({"batch_norm": True}, Unsupported, "take norm='bn_time' or 'bn_shared'"),
        ({"norm_cell": True}, Unsupported, "no normalization of the cell's state: its statistics"),
        (
            {"norm": "layer"},
            InvalidInput,
            "norm must be one of wn, bn_time, bn_shared, not 'layer'",
        ),
        ({"norm": "bn_time"}, InvalidInput, r"needs steps, .* 1..32, not None"),
        ({"norm": "bn_time", "steps": 33}, InvalidInput, r"1..32, not 33"),
        ({"steps": 6}, InvalidInput, "steps is for norm 'bn_time', not for 'wn'"),
        ({"state_delta": -1}, InvalidInput, "state_delta must be a number of 0 or more"),
        ({"batch_first": False}, Unsupported, "batch_first is not supported: no other orders"),
        ({"threshold": 2}, InvalidInput, r"threshold must lie in 0..1, not 2"),
        ({"activation": "relu"}, InvalidInput, "activation must be 'plan' or 'table', not 'relu'"),
        ({"shift": 16}, InvalidInput, r"shift must be an integer in 0..15, not 16"),
        ({"code": "octal"}, InvalidInput, "code must be one of"),
        ({"colour": 1}, InvalidInput, "'colour' is no option of code 'ternary'"),
    ],
)
def test_unsupported_variants_are_named(options, error, says):
    with pytest.raises(error, match=says):
        q.LSTM(3, 4, **options)


def test_gains_that_do_not_fit_are_named_by_row():
    model = network(shift=6, gain_bits=11)
    with torch.no_grad():
        model[1].gain_hidden[5] = 100.0
    with pytest.raises(InvalidInput, match=r"gain_hidden must fit 11 bits at shift 6, .* in row 5"):
        lower(model, torch.zeros(1, 6, 3))
    model = network(gain_bits=11)  # of its own, the layer takes a smaller shift
    with torch.no_grad():
        model[1].gain_hidden[5] = 100.0
    op = lower(model, torch.zeros(1, 6, 3)).nodes[1].op
    assert op.shift == 3
    assert op.recurrent_gain.array[5] == round(100 / 7**0.5 * 2 * 2**3)
    with torch.no_grad():
        model[1].gain_hidden[5] = 1e6
    with pytest.raises(InvalidInput, match=r"in row 5; take more gain_bits$"):
        lower(model, torch.zeros(1, 6, 3))
    model[1].gain_bits = None
    with pytest.raises(InvalidInput, match=r"fit 16 bits .* in row 5; train with smaller gains$"):
        lower(model, torch.zeros(1, 6, 3))
    with torch.no_grad():
        model[1].gain_hidden[5] = math.nan
    with pytest.raises(InvalidInput, match=r"layer '1' \(LSTM\): gain_hidden must be finite"):
        lower(model, torch.zeros(1, 6, 3))


def test_gains_are_wide_where_one_product_would_be_coarse():
    """Both have one shift, and inputs of one bit have large gains."""
    model = network()
    assert abs(lower(model, torch.zeros(1, 6, 3)).nodes[1].op.input_gain.array).max() < 1 << 10
    with torch.no_grad():
        model[1].gain_input.mul_(20.0)
    op = lower(model, torch.zeros(1, 6, 3)).nodes[1].op
    recurrent, inputs = (abs(g.array).max() for g in (op.recurrent_gain, op.input_gain))
    assert 32 <= recurrent < 64
    assert 1 << 10 <= inputs < 1 << 15


@pytest.mark.parametrize("kind", KINDS)
def test_wide_cells_keep_their_sums_in_32_bits(kind):
    """The layer takes a smaller shift where finer gains would not leave room for the sums."""
    model = nn.Sequential(
        q.InputQuantizer(8, scale=1 / 128, shape=(2, 3)), kind(3, 600, code="uniform", bits=8)
    )
    model.train()(torch.randn(4, 2, 3))
    with torch.no_grad():
        model[1].gain_hidden *= 16
    finest = lower(model.eval(), torch.zeros(1, 2, 3)).nodes[1].op.shift
    assert finest < 15
    model[1].shift = 15
    with pytest.raises(HwgenError, match=r"gains times products must stay below 2\^31"):
        lower(model, torch.zeros(1, 2, 3))


def test_the_order_that_is_taken_may_be_said():
    assert q.LSTM(3, 4, batch_first=True).config() == q.LSTM(3, 4).config()


def test_only_sequences_are_taken():
    model = nn.Sequential(q.InputQuantizer(5, scale=1 / 16, shape=(3,)), q.LSTM(3, 4))
    with pytest.raises(InvalidInput, match=r"input must have shape \(batch, steps, 3\)"):
        model.train()(torch.zeros(2, 3))
    with pytest.raises(
        InvalidInput, match=r"input must be a sequence \(steps, 3\), found a sample"
    ):
        lower(model, torch.zeros(1, 3))
