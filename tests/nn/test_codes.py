"""Weight codes in training: fake quantization, deployed integers, options, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import hwgen
from hwgen import nn as q
from hwgen.errors import InvalidInput, Unsupported
from hwgen.frontend import checkpoint
from hwgen.frontend.module import lower
from hwgen.ir.code import find_code
from hwgen.nn import QTensor
from hwgen.nn.code import code_names, find_quantizer

COARSE = ("binary", "ternary", "power_of_two", "basis")


def layer(inputs: int = 24, outputs: int = 6, **options) -> q.Linear:
    torch.manual_seed(0)
    return q.Linear(inputs, outputs, **options)


def used(linear) -> np.ndarray:
    """The real weights that training uses."""
    return linear.train().fake_weight(linear.weight).detach().double().numpy()


def test_codes_are_found_by_name():
    assert code_names() == ("basis", "binary", "power_of_two", "ternary", "uniform")
    for name in code_names():
        assert find_code(name).name == name
        assert find_quantizer(name).__doc__


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("code", code_names())
def test_training_simulates_deployment(code, batch_norm):
    """With frozen statistics, what trains differs from the integers by rounding of biases only."""
    torch.manual_seed(0)
    model = nn.Sequential(
        q.InputQuantizer(8, scale=2**-6, shape=(2, 6, 6)),
        q.Conv2d(2, 5, 3, code=code, batch_norm=batch_norm),
        q.Activation(8),
        q.Flatten(),
        q.Linear(80, 7, code=code, batch_norm=batch_norm, image=(5, 4, 4)),
        q.Activation(8, signed=True),
        q.Linear(7, 3, code=code),
    )
    x = torch.randn(200, 2, 6, 6)
    for _ in range(5):
        model.train()(x)
    for step in model:
        if hasattr(step, "project"):
            step.project()
            step.freeze_statistics()
    with torch.no_grad():
        simulated = model.train()(x).double()
        deployed = model.eval()(x).plain()
    noise = (simulated - deployed).pow(2).mean() / simulated.var()
    assert float(noise) < 2e-3


@pytest.mark.parametrize("code", COARSE)
def test_batch_norm_is_folded_behind(code):
    """One scale and bias a channel, exact for channels of negative gamma."""
    linear = layer(code=code, batch_norm=True)
    norm = linear.norm
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -1.0, 0.5, -2.0, 1e-9, 3.0]))
        norm.bias.normal_()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    linear.project()
    x = torch.randint(-100, 100, (50, 24))
    y = linear.eval()(QTensor.of(x, 0.01))
    assert y.scale.shape == (6,)
    plain = nn.functional.linear(
        x.double() * 0.01, torch.as_tensor(used(linear)), linear.bias.double()
    )
    wanted = norm.double().eval()(plain)
    error = (y.plain() - wanted).abs()
    # A basis is rounded half up, so that negated weights may be one step off.
    slack = 24 * 0.01 * 100 * float(linear._scale.step) * 4 if code == "basis" else 0.002
    assert (error <= y.scale / 2 + slack).all()
    if code != "basis":
        negated = linear.deployed(1.0).weights[[1, 3]]
        with torch.no_grad():
            norm.weight.abs_()
        assert np.array_equal(negated, -linear.deployed(1.0).weights[[1, 3]])


@pytest.mark.parametrize("code", COARSE)
def test_power_of_two_scales_stay_powers_of_two_behind_batch_norm(code):
    linear = layer(code=code, batch_norm=True, scale="power_of_two")
    linear.train()(torch.randn(100, 24))
    with torch.no_grad():
        linear.norm.running_var.uniform_(0.1, 9.0)
        linear.norm.weight.uniform_(-2, 2)
    mantissa, _ = np.frexp(linear.deployed(0.25).scale)
    assert np.all(mantissa == 0.5)
    linear.freeze_statistics()
    x = torch.randint(-9, 9, (40, 24))
    simulated = linear.train()(x * 0.25).detach().double()
    y = linear.eval()(QTensor.of(x, 0.25))
    if code != "basis":
        assert ((simulated - y.plain()).abs() <= y.scale / 2 + 1e-3).all()


# Binary and ternary


def test_thresholds():
    u = torch.tensor([[-1.0, -0.34, -1 / 3, -0.33, -0.0, 0.0, 0.33, 1 / 3, 0.34, 1.0]])
    for code, wanted in (
        ("binary", [-1, -1, -1, -1, 1, 1, 1, 1, 1, 1]),
        ("ternary", [-1, -1, -1, 0, 0, 0, 0, 1, 1, 1]),
    ):
        linear = layer(10, 1, code=code, scale=0.5)
        with torch.no_grad():
            linear.weight.copy_(u)
        parts = linear.deployed(1.0)
        assert parts.weights.tolist() == [wanted]
        assert (parts.code.name, linear.bits) == (code, {"binary": 1, "ternary": 2}[code])
        assert np.array_equal(used(linear), 0.5 * parts.weights)


@pytest.mark.parametrize(("code", "mean"), [("binary", 0.4), ("ternary", 0.4)])
def test_drawn_weights_have_the_shadow_weights_mean(code, mean):
    linear = layer(200, 100, code=code, stochastic=True, scale=1.0)
    with torch.no_grad():
        linear.weight.fill_(mean)
    first, second = used(linear), used(linear)
    assert not np.array_equal(first, second)
    assert set(np.unique(first)) == {"binary": {-1.0, 1.0}, "ternary": {0.0, 1.0}}[code]
    assert abs(first.mean() - mean) < 0.02
    assert np.array_equal(linear.deployed(1.0).weights, linear.deployed(1.0).weights)
    assert np.all(linear.deployed(1.0).weights == 1)


@pytest.mark.parametrize("code", ["binary", "ternary"])
def test_shadow_weights_are_clipped_and_gradients_go_through(code):
    linear = layer(code=code)
    assert float(linear.weight.detach().abs().max()) <= 1.0
    with torch.no_grad():
        linear.weight[0] = 7.0
    linear.train()(torch.ones(2, 24)).sum().backward()
    assert float(linear.weight.detach().abs().max()) == 1.0
    assert (linear.weight.grad != 0).all()
    assert float(linear._scale.log2.grad) != 0.0


def test_float_weights_become_shadow_weights():
    real = torch.randn(6, 24) * 0.01
    linear = layer(code="ternary", per_channel=True)
    linear.start_from(real, torch.ones(6))
    parts = linear.deployed(1.0)
    wanted = torch.sign(real) * (real.abs() >= 0.7 * real.abs().mean())
    assert np.array_equal(parts.weights, wanted.numpy())
    size = (real.abs() * wanted.abs()).sum(1) / wanted.abs().sum(1)
    assert parts.scale == pytest.approx(size.numpy(), rel=1e-5)
    assert float(linear.bias.detach().mean()) == 1.0


@pytest.mark.parametrize("code", code_names())
def test_settled_weights_are_deployed_alike_and_stored_small(code, tmp_path):
    layers = q.InputQuantizer(4, scale=1.0, shape=(50,)), layer(50, 40, code=code, batch_norm=True)
    model = nn.Sequential(*layers)
    model.train()(torch.randint(-8, 8, (30, 50)).float())
    model.eval()
    graph = lower(model, name="m")
    size = checkpoint.save(model, tmp_path / "m.pt").stat().st_size
    model[1].settle()
    path = checkpoint.save(model, tmp_path / "m.pt")
    assert checkpoint.load(path) == graph
    assert path.stat().st_size < size - 3 * 50 * 40 + 500 or code not in ("binary", "ternary")
    loaded = checkpoint.load_network(path).layer("1").weight
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded, model[1].weight)


# Powers of two


@pytest.mark.parametrize("code", code_names())
def test_checkpoints_hold_everything(code, tmp_path):
    options = {
        "uniform": {"bits": 5},
        "binary": {"stochastic": True, "per_channel": True},
        "ternary": {"stochastic": True},
        "power_of_two": {"bits": 4, "c": 2.5, "tau": 0.3},
        "basis": {"run": 3, "group": 2},
    }[code]
    torch.manual_seed(0)
    model = nn.Sequential(
        q.InputQuantizer(4, scale=1.0, shape=(9,)),
        q.Linear(9, 5, code=code, batch_norm=True, **options),
        q.Activation(4),
        q.Linear(5, 3, code=code, **options),
    )
    model.train()(torch.randint(-8, 8, (50, 9)).float())
    if code == "power_of_two":
        model[1].freeze_scale()
    path = checkpoint.save(model.eval(), tmp_path / "m.pt")
    network = checkpoint.load_network(path)
    assert network.layer("1").config() == model[1].config()
    for name, value in options.items():
        assert network.layer("1").config()[name] == value
    assert network.layer("1").config()["code"] == code
    assert checkpoint.load(path) == lower(model, name="m")
    state = network.layer("1").state_dict()
    assert all(torch.equal(v, state[n]) for n, v in model[1].state_dict().items())


def test_descriptions_without_a_code_are_uniform_or_binary():
    """Checkpoints from before there were codes."""
    old = {
        "name": "old",
        "layers": {
            "x": {"kind": "InputQuantizer", "bits": 4, "scale": 1.0, "signed": True, "shape": (6,)},
            "a": {"kind": "Linear", "in_features": 6, "out_features": 4, "bias": True, "bits": 1,
                  "per_channel": False, "scale": "learned", "batch_norm": False},
            "b": {"kind": "Linear", "in_features": 6, "out_features": 4, "bias": True, "bits": 4,
                  "per_channel": False, "scale": "learned", "batch_norm": False},
        },
        "steps": [["x", "x", ["input"]], ["a", "a", ["x"]], ["b", "b", ["x"]]],
    }  # fmt: skip
    network = hwgen.nn.Network.from_description(old)
    assert (network.layer("a").code, network.layer("b").code) == ("binary", "uniform")
    assert set(network.layer("a").state_dict()) == {"weight", "bias", "_scale.log2", "_scale.ready"}
    old["layers"]["b"]["batch_norm"] = True
    hwgen.nn.Network.from_description(old)
    old["layers"]["a"]["batch_norm"] = True  # deployed otherwise then
    with pytest.raises(Unsupported, match="layer 'a': one-bit weights with batch norm must name"):
        hwgen.nn.Network.from_description(old)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"code": "quaternary"}, "code must be one of basis, binary, power_of_two, .* not 'quat"),
        ({"code": "ternary", "bits": 3}, "bits must be 2 for code 'ternary', not 3"),
        ({"code": "binary", "bits": 2}, "bits must be 1 for code 'binary', not 2"),
        ({"code": "ternary", "tau": 1.0}, "'tau' is no option of code 'ternary'; its own are: sto"),
        ({"stochastic": True}, "'stochastic' is no option of code 'uniform'; its own are: none"),
        ({"code": "ternary", "stochastic": 1}, "stochastic must be True or False, not 1"),
        ({"code": "power_of_two", "bits": 5}, "bits must be 2, 3 or 4 for code 'power_of_two'"),
        ({"code": "power_of_two", "scale": 0.5}, "whose step follows from its weights, not 0.5"),
        ({"code": "power_of_two", "per_channel": True}, "per_channel must be False for code"),
        ({"code": "power_of_two", "tau": -1}, "tau must be a finite number of 0 or more, not -1"),
        ({"code": "power_of_two", "c": float("nan")}, "c must be a finite number of .* not nan"),
        ({"code": "basis", "bits": 4}, "bits must be 8 for code 'basis', not 4"),
        ({"code": "basis", "run": 17}, r"run must be an integer in 1\.\.16, not 17"),
        ({"code": "basis", "group": 0}, r"group must be an integer in 1\.\.65536, not 0"),
        ({"code": "basis", "scale": 0.5}, "scale must be 'learned' or 'power_of_two' for code"),
        ({"image": (2, 3, 5)}, r"image must have the 24 elements of the input, not \(2, 3, 5\)"),
        ({"image": (24,)}, r"image must be \(channels, height, width\), not \(24,\)"),
    ],
)
def test_impossible_options_are_refused(options, says):
    with pytest.raises(InvalidInput, match=says):
        layer(**options)
    if "image" not in options:
        with pytest.raises(InvalidInput, match=says):
            q.Conv2d(2, 3, 3, **options)


def _tau_of_all(linear):
    linear._scale.tau = 50.0


def _dead_zone(linear):
    linear._scale.deviation.fill_(1e3)
    linear._scale.frozen.fill_(True)


@pytest.mark.parametrize(
    ("options", "change", "says"),
    [
        (
            {"code": "ternary"},
            lambda m: m.weight.fill_(0.2),
            "none of its 144 values reaches 0.333",
        ),
        ({"code": "ternary"}, lambda m: m.weight.fill_(0), "weight must not be all zero"),
        ({"code": "power_of_two"}, _tau_of_all, r"tau 50 drops all 144: .* at most \d\.\d\d here"),
        ({"code": "power_of_two"}, _dead_zone, "all 144 are below the dead zone of 256"),
        ({"code": "basis"}, lambda m: m.weight[0, 0].fill_(torch.nan), "weight must be finite"),
        ({"bits": 3}, lambda m: m._scale.set(9.0), "rounds to zero at scale 9 .the largest is 0.2"),
        (
            {"code": "ternary", "batch_norm": True},
            lambda m: m.norm.weight.fill_(0),
            "norm.weight must not be all zero",
        ),
    ],
)
def test_layers_that_cannot_be_deployed(options, change, says):
    linear = layer(**options)
    linear.path = "body.fc1"
    with torch.no_grad():
        change(linear)
    with pytest.raises(InvalidInput, match=says) as caught:
        linear.eval()(QTensor.of(torch.ones(1, 24), 1.0))
    assert str(caught.value).startswith("layer 'body.fc1' (Linear): ")


def test_the_advised_tau_works():
    linear = layer(code="power_of_two", tau=9.0)
    with pytest.raises(InvalidInput, match="tau must be at most") as caught:
        linear.deployed(1.0)
    linear._scale.tau = float(str(caught.value).partition("at most ")[2].split()[0])
    assert linear.deployed(1.0).weights.any()
    linear._scale.tau += 0.02
    with pytest.raises(InvalidInput, match="tau must be at most"):
        linear.deployed(1.0)


def test_scales_by_channel_do_not_compare():
    """Batch norm behind coarse weights gives every channel a scale: argmax cannot follow."""
    model = nn.Sequential(
        q.InputQuantizer(4, scale=1.0, shape=(24,)),
        layer(code="ternary", batch_norm=True),
        q.ArgMax(),
    )
    with pytest.raises(Unsupported, match="one scale"):
        model.eval()(torch.ones(1, 24))
