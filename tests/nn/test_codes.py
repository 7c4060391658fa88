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
from hwgen.nn.codes.basis import fit
from hwgen.nn.scale import best_scale

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


@pytest.mark.parametrize(("bits", "c"), [(2, 1.0), (3, 2.0), (4, 3.0), (3, 0.7)])
def test_levels_of_powers_of_two(bits, c):
    linear = layer(60, 20, code="power_of_two", bits=bits, c=c)
    weight = linear.weight.detach().double().numpy()
    largest = 2.0 ** np.round(np.log2(c * np.sqrt((weight**2).mean())))
    count = 2 ** (bits - 1) - 1
    levels = largest * 2.0 ** -np.arange(count)
    wanted = np.zeros_like(weight)
    for at, value in np.ndenumerate(weight):
        u = min(abs(value) / largest, 1.0)
        if u >= 2.0 ** -(count - 1) / 2:
            nearest = min(levels, key=lambda v: abs(np.log2(v / largest) - np.log2(u)))
            wanted[at] = np.sign(value) * nearest
    assert np.array_equal(used(linear), wanted)
    parts = linear.deployed(1.0)
    assert np.array_equal(parts.weights * float(parts.scale), wanted)
    assert parts.code.name == "power_of_two"
    assert parts.code.bits == bits


def test_tau_prunes():
    zeros = []
    for tau in (0.0, 0.5, 1.0, 1.5):
        linear = layer(200, 50, code="power_of_two", tau=tau)
        with torch.no_grad():
            linear.weight.normal_()
        parts = linear.deployed(1.0)
        weight = linear.weight.detach().double().numpy()
        deviation = np.sqrt((weight**2).mean())
        assert np.all(parts.weights[np.abs(weight) < 0.999 * tau * deviation] == 0)
        zeros.append((parts.weights == 0).mean())
    assert zeros == sorted(zeros)
    assert zeros[2] == pytest.approx(0.683, abs=0.02)  # erf(tau / sqrt 2) of Gaussian weights
    assert zeros[3] == pytest.approx(0.866, abs=0.02)


def test_frozen_deviation_stays():
    linear = layer(code="power_of_two")
    with pytest.raises(InvalidInput, match="deviation is not known yet; train on a batch first"):
        linear.freeze_scale()
    linear.train()(torch.ones(2, 24))
    before = float(linear.deployed(1.0).scale)
    linear.freeze_scale()
    with torch.no_grad():
        linear.weight.mul_(0.25)
    assert float(linear.deployed(1.0).scale) == before
    linear.train()(torch.ones(2, 24))
    assert float(linear.deployed(1.0).scale) == before
    linear.freeze_scale(False)
    assert float(linear.deployed(1.0).scale) == before / 4


def test_gradient_passes_inside_the_largest_level():
    linear = layer(40, 10, code="power_of_two", bits=2, c=1.0)
    linear.train()(torch.ones(3, 40)).sum().backward()
    largest = float(linear.deployed(1.0).scale)
    inside = linear.weight.detach().abs() <= largest
    assert inside.any()
    assert not inside.all()
    assert torch.equal(linear.weight.grad != 0, inside)


# Basis


def test_fit_finds_what_is_there():
    """A matrix that a basis makes is found again, but for the rounding of the basis."""
    rng = np.random.default_rng(0)
    coefficients = (1 << rng.integers(0, 7, (8, 16, 3))) * rng.choice([-1, 0, 1], (8, 16, 3))
    basis = rng.normal(size=(2, 3, 3))
    target = np.einsum("ors,ost->ort", coefficients, np.repeat(basis, 4, axis=0)).reshape(8, -1)
    target *= 100 / np.abs(target).max()
    found, bases, shift = fit(target, 3, 4)
    again = np.einsum("ors,ost->ort", found, np.repeat(bases, 4, axis=0)) / 2.0**shift
    assert np.sqrt(((again.reshape(8, -1) - target) ** 2).mean()) < 0.12 * target.std()


def test_fit_of_random_weights_is_close():
    """Nearer than the best uniform weights of three bits, at every way to share a basis."""
    target = np.random.default_rng(1).normal(size=(64, 64))
    target *= 127 / np.abs(target).max()
    step = float(best_scale(torch.tensor(target).reshape(-1), -3, 3))
    uniform = np.clip(np.rint(target / step), -3, 3) * step - target
    for run, group in ((3, 1), (4, 8), (8, 64)):
        found, bases, shift = fit(target, run, group)
        spread = np.repeat(bases, group, axis=0)[:64]
        again = np.einsum("ors,ost->ort", found, spread) / 2.0**shift
        error = again.reshape(64, -1)[:, :64] - target
        assert (error**2).mean() < 0.75 * (uniform**2).mean(), (run, group)


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_projection_is_deployed_exactly(per_channel):
    linear = layer(50, 13, code="basis", run=3, group=4, per_channel=per_channel)
    linear.project()
    weight = linear.weight.detach().double().numpy()
    parts = linear.deployed(1.0)
    step = parts.scale.reshape(-1, 1)
    assert np.allclose(parts.weights * step, weight, rtol=1e-6, atol=0)
    assert np.array_equal(parts.code.decode(), parts.weights)
    coefficients = linear._scale.coefficients.clone()
    linear.deployed(1.0)
    assert torch.equal(coefficients, linear._scale.coefficients)


def test_weights_are_fitted_anew_once_they_change(tmp_path):
    linear = layer(50, 13, code="basis")
    first = linear.deployed(1.0).weights
    with torch.no_grad():
        linear.weight[3] = -linear.weight[3]
    assert not np.array_equal(first, linear.deployed(1.0).weights)
    model = nn.Sequential(q.InputQuantizer(4, scale=1.0, shape=(50,)), linear).eval()
    graph = lower(model)
    again = checkpoint.load_network(checkpoint.save(model, tmp_path / "m.pt"))
    buffers = dict(again.named_buffers())
    (fitted,) = [v for n, v in buffers.items() if n.endswith("fitted")]
    assert torch.equal(fitted, linear._scale.fitted)
    assert np.array_equal(
        again.lower()["n1" if "n1" in str(graph) else graph.output].op.weights.decode(),
        graph[graph.output].op.weights.decode(),
    )


def test_a_basis_is_fitted_in_the_graphs_order():
    torch.manual_seed(0)
    model = nn.Sequential(
        q.InputQuantizer(4, scale=1.0, shape=(3, 2, 2)), q.Flatten(), q.Linear(12, 4, code="basis")
    ).eval()
    with pytest.raises(InvalidInput, match=r"image must be \(3, 2, 2\).*; give image=\(3, 2, 2\)"):
        lower(model)
    with pytest.raises(InvalidInput, match=r"layer '2' \(Linear\): image must be \(3, 2, 2\)"):
        model(torch.ones(1, 3, 2, 2))


# Options and refusals


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
