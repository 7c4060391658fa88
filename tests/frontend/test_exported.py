"""Post-training quantization of float modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hwgen.errors import HwgenError, InvalidInput
from hwgen.frontend import checkpoint
from hwgen.frontend.exported import quantize
from hwgen.frontend.layout import to_graph_layout
from hwgen.nn import Activation, integers


def batch(*shape: int, count: int = 64, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


def check_close(module: nn.Module, x: torch.Tensor, snr: float, **options):
    """Quantize, compare with the float module and with the graph."""
    network, report = quantize(module, x, **options)
    assert report.snr_db > snr, report
    graph = network.lower()
    fresh = batch(*x.shape[1:], seed=1)
    expected = graph.run(graph.quantize(to_graph_layout(fresh)))
    assert np.array_equal(integers(network(fresh)), expected)
    return network, report


class Block(nn.Module):
    """A residual block with in-place activations, as in torchvision."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding="same", groups=channels)
        self.bn2 = nn.BatchNorm2d(channels, affine=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x
        return self.relu(y)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.BatchNorm2d(8))
        self.block = Block(8)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.down = nn.Conv2d(8, 12, 1)
        self.drop = nn.Dropout2d(0.3)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = F.relu6(self.stem(x))
        x = F.relu(self.pool(self.block(x)))
        x = self.drop(torch.tanh(self.down(x)))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.head(x.view(x.size(0), -1))


def trained(module: nn.Module, *shape: int) -> nn.Module:
    """``module`` with batch norm statistics that fit some data."""
    torch.manual_seed(0)
    module.train()
    with torch.no_grad():
        for seed in range(20):
            module(batch(*shape, seed=seed))
    return module


def test_residual_network():
    module = trained(Residual(), 3, 16, 16)
    network, _ = check_close(module, batch(3, 16, 16), 25.0)
    assert module.training, "the module's mode must be kept"
    kinds = [type(layer).__name__ for layer in network.layers.children()]
    assert kinds.count("Add") == 1
    assert kinds.count("ReLU") == 0
    # The pooling moved behind the rectifier, so that it pools narrow values.
    (pool,) = (step for step in network.steps if step.layer == "pool")
    assert isinstance(network.layer(pool.inputs[0]), Activation)


@pytest.mark.slow
def test_more_bits_are_closer():
    module = trained(Residual(), 3, 16, 16)
    snr = [quantize(module, batch(3, 16, 16), bits, bits)[1].snr_db for bits in (2, 4, 6, 8)]
    assert snr == sorted(snr)
    assert snr[-1] > snr[0] + 15


def test_powers_of_two():
    module = trained(Residual(), 3, 16, 16)
    network, _ = check_close(module, batch(3, 16, 16), 20.0, scale="power_of_two")
    for node in network.lower().nodes:
        if node.op.name == "requantize" and "add" not in node.layer:
            before = network.lower()[node.inputs[0]].op.name
            assert before == "avg_pool2d" or np.all(node.op.multiplier.array == 1)


STACKS = {
    "dense": (nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 3)), (7,)),
    "dense without bias": (nn.Sequential(nn.Linear(7, 3, bias=False)), (7,)),
    "batch norm 1d": (
        nn.Sequential(nn.Linear(7, 9), nn.BatchNorm1d(9), nn.Sigmoid(), nn.Linear(9, 3)),
        (7,),
    ),
    "hardtanh": (nn.Sequential(nn.Linear(7, 9), nn.Hardtanh(), nn.Linear(9, 3)), (7,)),
    "hardtanh 0..2": (nn.Sequential(nn.Linear(7, 9), nn.Hardtanh(0, 2), nn.Linear(9, 3)), (7,)),
    "two dense layers": (nn.Sequential(nn.Linear(7, 9), nn.Linear(9, 3)), (7,)),
    "flatten": (
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4 * 3, 3)),
        (2, 6, 5),
    ),
    "flatten first": (nn.Sequential(nn.Flatten(), nn.Linear(60, 3)), (2, 6, 5)),
    "flatten raw": (
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(4 * 4 * 3, 3)),
        (2, 6, 5),
    ),
    "average": (
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.AvgPool2d(2, 1, 1), nn.Conv2d(4, 2, 2)),
        (2, 6, 5),
    ),
    "image out": (nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.ReLU()), (2, 6, 5)),
    "pool then relu": (
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(4, 2, 1)),
        (2, 6, 6),
    ),
    "valid padding": (nn.Sequential(nn.Conv2d(2, 3, 3, padding="valid"), nn.Tanh()), (2, 6, 5)),
    "identities": (
        nn.Sequential(nn.Identity(), nn.Linear(7, 4), nn.Dropout(), nn.ReLU(), nn.ReLU()),
        (7,),
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_stacks(name):
    module, shape = STACKS[name]
    check_close(trained(module, *shape), batch(*shape), 28.0)


def test_functions_and_methods():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(2, 6, 3, padding=1), nn.Linear(6, 4)

        def forward(self, x):
            x = self.conv(x).clamp(0, 3)
            x = x + torch.clamp(self.conv(F.avg_pool2d(x, 3, 1, 1)[:, :2] * 1.0), -1, 1)
            return self.fc(x.mean((2, 3)))

    with pytest.raises(HwgenError, match=r"aten\.slice"):
        quantize(Model(), batch(2, 5, 5))

    class Fine(Model):
        def forward(self, x):
            y = torch.clamp(self.conv(x), min=0)
            y = torch.add(y, F.hardtanh(self.conv(x)))
            return self.fc(y.mean((-1, -2)))

    network, _ = check_close(Fine(), batch(2, 5, 5), 25.0)
    assert {"conv", "conv_2"} <= {step.layer for step in network.steps}


@pytest.mark.slow
def test_decomposed_programs():
    module = trained(Residual(), 3, 16, 16).eval()
    x = batch(3, 16, 16, count=50)
    program = torch.export.export(module, (x[:4],))
    reference = quantize(module, x)
    for given_program in (program, program.run_decompositions()):
        network, report = quantize(given_program, x)
        assert report.snr_db == pytest.approx(reference[1].snr_db, abs=0.01)
        assert np.array_equal(integers(network(x)), integers(reference[0](x)))


def test_accuracies_stand_side_by_side():
    torch.manual_seed(0)
    centres = torch.randn(4, 10)
    labels = torch.arange(400) % 4
    x = centres[labels] + 0.3 * batch(10, count=400)
    module = nn.Linear(10, 4)
    with torch.no_grad():
        module.weight.copy_(centres)
        module.bias.copy_(-(centres**2).sum(1) / 2)
    _, report = quantize(module, x, labels=labels)
    assert report.samples == 400
    assert report.float_accuracy > 0.95
    assert abs(report.integer_accuracy - report.float_accuracy) <= 0.01
    assert "accuracy" in str(report)
    assert "in integers" in str(report)
    _, other = quantize(module, x, evaluation=(x[:40].numpy(), labels[:40].numpy()))
    assert other.samples == 40
    assert other.float_accuracy is not None
    _, plain = quantize(module, x)
    assert "SNR" in str(plain)
    assert plain.float_accuracy is None


def test_calibration_data_comes_in_many_forms():
    module, x = nn.Linear(5, 2), batch(5)
    dataset = torch.utils.data.TensorDataset(x, torch.zeros(len(x)))
    forms = [x, x.numpy(), list(x.split(10)), torch.utils.data.DataLoader(dataset, 16)]
    results = [integers(quantize(module, form)[0](x)) for form in forms]
    assert all(np.array_equal(results[0], other) for other in results)


def test_result_is_a_network_to_save(tmp_path):
    network, _ = quantize(nn.Sequential(nn.Linear(5, 2)), batch(5), name="tiny")
    graph = checkpoint.load(checkpoint.save(network, tmp_path / "tiny.pt"))
    assert graph.name == "tiny"
    assert graph.hash == network.lower().hash


@pytest.mark.slow
@settings(max_examples=8)
@given(st.integers(2, 8), st.integers(2, 8), st.sampled_from(["learned", "power_of_two"]))
def test_exact_at_all_widths(weight_bits, activation_bits, scale):
    module = trained(Residual(), 3, 9, 9)
    check_close(module, batch(3, 9, 9), -20.0, weight_bits=weight_bits,
                activation_bits=activation_bits, scale=scale)  # fmt: skip


class Strange(nn.Module):
    """``function`` of an image and a little more."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(1))
        self.conv, self.norm = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)

    def forward(self, x):
        return self.function(self, x)


def spoiled(value: float) -> nn.Module:
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        module[2].weight[:] = value
    return module


def control(model, x):
    return x if x.sum() > 0 else -x


IMAGE, VECTOR = batch(2, 6, 6), batch(5)

REFUSED = {
    "softmax": (nn.Sequential(nn.Linear(5, 2), nn.Softmax(1)), VECTOR, {}),
    "gelu": (nn.Sequential(nn.Linear(5, 2), nn.GELU()), VECTOR, {}),
    "lstm": (nn.LSTM(5, 3), VECTOR, {}),
    "transposed": (nn.ConvTranspose2d(2, 3, 3), IMAGE, {}),
    "dilation": (nn.Conv2d(2, 3, 3, dilation=2), IMAGE, {}),
    "padding mode": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), IMAGE, {}),
    "same padding, even kernel": (nn.Conv2d(2, 3, 2, padding="same"), IMAGE, {}),
    "ceil mode": (nn.Sequential(nn.MaxPool2d(2, ceil_mode=True)), IMAGE, {}),
    "pool dilation": (nn.Sequential(nn.MaxPool2d(2, dilation=2)), IMAGE, {}),
    "pool indices": (nn.MaxPool2d(2, return_indices=True), IMAGE, {}),
    "count_include_pad": (nn.AvgPool2d(3, padding=1, count_include_pad=False), IMAGE, {}),
    "divisor": (nn.AvgPool2d(2, divisor_override=3), IMAGE, {}),
    "adaptive": (nn.AdaptiveAvgPool2d(2), IMAGE, {}),
    "bounds": (nn.Hardtanh(-1, 2), VECTOR, {}),
    "group norm": (nn.GroupNorm(1, 2), IMAGE, {}),
    "lonely batch norm": (nn.BatchNorm2d(2), IMAGE, {}),
    "batch norm without statistics": (
        nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2, track_running_stats=False)),
        IMAGE,
        {},
    ),
    "batch norm of a shared value": (
        Strange(lambda m, x: (lambda y: m.norm(y) + y)(m.conv(x))), IMAGE, {},
    ),
    "add a parameter": (Strange(lambda m, x: x + m.weight), IMAGE, {}),
    "add a number": (Strange(lambda m, x: x + 1), IMAGE, {}),
    "add times two": (Strange(lambda m, x: torch.add(x, m.conv(x), alpha=2)), IMAGE, {}),
    "product": (Strange(lambda m, x: x * m.conv(x)), IMAGE, {}),
    "mean over channels": (Strange(lambda m, x: x.mean(1)), IMAGE, {}),
    "transpose": (Strange(lambda m, x: m.conv(x.transpose(2, 3))), IMAGE, {}),
    "reshape": (Strange(lambda m, x: m.conv(x).view(len(x), 2, 36)), IMAGE, {}),
    "two outputs": (Strange(lambda m, x: (m.conv(x), x)), IMAGE, {}),
    "control flow": (Strange(control), IMAGE, {}),
    "NaN weights": (spoiled(torch.nan), VECTOR, {}),
    "zero weights": (spoiled(0.0), VECTOR, {}),
    "no samples": (nn.Linear(5, 2), VECTOR[:0], {}),
    "no batches": (nn.Linear(5, 2), [], {}),
    "NaN samples": (nn.Linear(5, 2), torch.full((3, 5), torch.nan), {}),
    "wrong features": (nn.Linear(4, 2), VECTOR, {}),
    "wrong channels": (nn.Conv2d(3, 2, 3), IMAGE, {}),
    "one sample without batch": (nn.Linear(5, 2), VECTOR[0], {}),
    "ragged batches": (nn.Linear(5, 2), [VECTOR, batch(6)], {}),
    "not data": (nn.Linear(5, 2), 7, {}),
    "too few labels": (nn.Linear(5, 2), VECTOR, {"labels": [0, 1]}),
    "bits": (nn.Linear(5, 2), VECTOR, {"weight_bits": 9}),
    "scale": (nn.Linear(5, 2), VECTOR, {"scale": "auto"}),
    "no module": (len, VECTOR, {}),
    "double precision": (nn.Linear(5, 2).double(), VECTOR, {}),
    "padding as wide as the kernel": (nn.Conv2d(2, 2, 2, padding=2), IMAGE, {}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_messages(snapshot):
    lines = []
    for name, (module, data, options) in REFUSED.items():
        with pytest.raises(HwgenError) as caught:
            quantize(module, data, **options)
            pytest.fail(f"{name} was not refused")
        message = str(caught.value)
        assert "\n" not in message
        for torchs_own in ("fail in it: ", "says: ", "of one shape: "):
            message = message.partition(torchs_own)[0]
        lines.append(f"{name}: {type(caught.value).__name__}: {message}")
    snapshot.check("\n".join(lines) + "\n", "exported.txt")


def test_programs_of_other_shapes_are_refused():
    program = torch.export.export(nn.Linear(5, 2), (VECTOR,))
    with pytest.raises(InvalidInput, match=r"must fit the program's input \(64, 5\)"):
        quantize(program, batch(6))
