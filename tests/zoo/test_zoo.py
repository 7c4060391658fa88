"""The bundled models keep their promises, and their recipes make them again."""

from __future__ import annotations

import gzip
import subprocess
import sys

import numpy as np
import pytest
import torch

from hwgen import nn as q
from hwgen import zoo
from hwgen.errors import InvalidInput
from hwgen.frontend import checkpoint
from hwgen.frontend.checkpoint import load_network
from hwgen.passes.streaming import check_streaming, streaming
from hwgen.zoo import data
from hwgen.zoo.digits import dense_of
from hwgen.zoo.training import augment

NAMES = (
    "digits-cnn",
    "digits-lfsr",
    "digits-lstm-binary",
    "digits-lstm-sparse",
    "digits-lstm-ternary",
    "digits-mlp",
    "digits-pow2",
    "digits-stochastic",
    "digits-ternary",
    "mnist-cnn",
    "mnist-lstm-ternary",
    "mnist-sparse",
    "mnist-stochastic",
    "mnist-ternary",
    "text-lstm-ternary",
)
NOT_RECALIBRATED = (
    *("digits-mlp", "digits-cnn", "digits-stochastic"),
    *(n for n in NAMES if "lstm" in n),
)
needs_mnist = pytest.mark.skipif(not data.have_mnist(), reason="MNIST is not there (HWGEN_DATA)")
needs_text = pytest.mark.skipif(not data.have_text(), reason="the text is not there (HWGEN_DATA)")
MARKS = {"mnist": needs_mnist, "text": needs_text}
ALL = [pytest.param(n, marks=MARKS.get(n.partition("-")[0], ())) for n in NAMES]
SLOW = ("mnist-stochastic",)  # whole streams of 10 000 images: two minutes


def test_names():
    assert zoo.names() == NAMES
    assert sum(zoo.checkpoint(name).stat().st_size for name in NAMES) < 3 << 19
    with pytest.raises(
        InvalidInput, match=r"the zoo holds digits-cnn, digits-lfsr, .*, text-lstm-ternary, not"
    ):
        zoo.load("lenet")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(*p.values, marks=(*p.marks, pytest.mark.slow)) if p.values[0] in SLOW else p
        for p in ALL
    ],
)
def test_promise_is_kept_over_the_whole_test_set(name):
    graph, (x, labels) = zoo.load(name), zoo.test_data(name)
    assert x.shape[1:] == graph.input_type.shape
    assert zoo.accuracy(graph, x, labels) >= zoo.recipe(name).PROMISE


@pytest.mark.parametrize("name", ALL)
def test_pytorch_gives_the_same_integers(name):
    graph, (x, _) = zoo.load(name), zoo.test_data(name)
    x = x[: 20 if "stochastic" in name else 400]
    network = load_network(zoo.checkpoint(name))
    nchw = torch.as_tensor(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x)
    assert np.array_equal(q.integers(network(nchw)), graph.run(graph.quantize(x)))


def test_digits_mlp_is_four_bits_and_pure_shifts():
    graph = zoo.load("digits-mlp")
    assert [node.type.size for node in graph.nodes if node.op.name == "dense"] == [32, 32, 10]
    for node in graph.nodes:
        if node.op.name == "dense":
            assert node.op.weights.bits == 4
        if node.op.name in ("requantize", "input"):
            assert node.type.element.width == 4
        if node.op.name == "requantize":
            assert np.all(node.op.multiplier.array == 1)


def weights_of(name: str) -> list:
    return [node.op.weights for node in zoo.load(name).nodes if hasattr(node.op, "weights")]


def test_digits_lfsr_keeps_a_tenth_of_its_connections():
    weights = weights_of("digits-lfsr")
    assert [w.shape for w in weights] == [(128, 64), (128, 128), (10, 128)]
    assert all(w.name == "lfsr_masked" for w in weights)
    kept = sum(int(w.counts().sum()) for w in weights)
    every = sum(w.decode().size for w in weights)
    assert (kept, every) == (2639, 25_856)
    assert sum(w.storage_bits for w in weights) == 8 * kept
    assert dense_of(kept) == (64, 26, 26, 10)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("digits-ternary", [(128, 64), (128, 128), (10, 128)]),
        ("mnist-ternary", [(512, 784), (512, 512), (10, 512)]),
    ],
)
def test_ternary_networks_have_ternary_weights(name, shapes):
    weights = weights_of(name)
    assert [w.shape for w in weights] == shapes
    assert all(w.name == "ternary" for w in weights)


def test_digits_pow2_multiplies_nowhere():
    graph = zoo.load("digits-pow2")
    assert [(w.name, w.bits, w.shape[0]) for w in weights_of("digits-pow2")] == [
        ("power_of_two", 3, 64),
        ("power_of_two", 3, 64),
        ("power_of_two", 3, 10),
    ]
    scalings = [node.op for node in graph.nodes if node.op.name == "requantize"]
    assert len(scalings) == 2
    assert all(np.all(op.multiplier.array == 1) for op in scalings)


@pytest.mark.parametrize(
    ("name", "units", "features"),
    [
        ("digits-lstm-binary", 64, 8),
        ("digits-lstm-ternary", 64, 8),
        ("mnist-lstm-ternary", 128, 28),
        ("text-lstm-ternary", 128, 83),
    ],
)
def test_recurrent_weights_are_of_few_bits(name, units, features):
    graph = zoo.load(name)
    op = graph["lstm"].op
    code = name.rpartition("-")[2]
    assert (op.recurrent_weights.name, op.input_weights.name) == (code, code)
    assert op.recurrent_weights.shape == (4 * units, units)
    assert op.input_weights.shape == (4 * units, features)
    bits = op.cost(graph.input_type, schedule=op.schedules(graph.input_type)[0]).weight_bits
    assert 12 * 4 * units * (units + features) == bits * {"binary": 12, "ternary": 6}[code]


@needs_text
def test_text_lstm_is_told_a_character_a_call():
    """The network that keeps its state tells the same of every place as the one over 64 of them."""
    graph, (x, _) = zoo.load("text-lstm-ternary"), zoo.test_data("text-lstm-ternary")
    x = graph.quantize(x[:3])
    assert x.shape == (3, 64, 83) and (x.sum(axis=2) == 1).all()
    check_streaming(graph, streaming(graph, 1), x)


def test_text_that_is_another(tmp_path, monkeypatch):
    monkeypatch.setenv("HWGEN_DATA", str(tmp_path))
    data.text.cache_clear()
    with pytest.raises(InvalidInput, match="no such file; set HWGEN_DATA to the folder that holds"):
        data.text("train")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "war_and_peace.txt").write_text("abc")
    with pytest.raises(InvalidInput, match="must have 83 different characters, not 3"):
        data.text("train")


def test_digits_lstm_sparse_skips_nine_of_ten_states():
    graph, (x, _) = zoo.load("digits-lstm-sparse"), zoo.test_data("digits-lstm-sparse")
    op, x = graph["lstm"].op, graph.quantize(x)
    fed_back = op.states(x)[:, :-1]
    assert (fed_back == 0).mean() >= 0.9
    columns = op.events(x)[:, 1:]
    assert op.units + 8 >= 8 * columns.mean()  # of the matrix part, in time
    assert np.percentile(columns, 99) < 45


def test_digits_cnn_is_residual():
    kinds = {node.op.name for node in zoo.load("digits-cnn").nodes}
    assert kinds >= {"conv2d", "add", "max_pool2d", "avg_pool2d", "requantize", "flatten", "dense"}


def test_mnist_cnn_is_small():
    graph = zoo.load("mnist-cnn")
    weighted = [node for node in graph.nodes if hasattr(node.op, "weights")]
    assert sum(node.op.weights.values.array.size for node in weighted) < 20_000
    costs = [
        node.op.cost(*graph.operands(node), schedule=node.op.schedules(*graph.operands(node))[0])
        for node in weighted
    ]
    assert sum(cost.multiplications for cost in costs) < 300_000
    assert any(getattr(node.op, "groups", 1) > 1 for node in weighted)


def test_inputs_are_the_pixels():
    graph, (x, _) = zoo.load("digits-cnn"), zoo.test_data("digits-cnn")
    images, _ = data.digits_test()
    assert np.array_equal(graph.quantize(x)[..., 0], images)


def test_held_out_digits_are_the_documented_split():
    sklearn = pytest.importorskip("sklearn.datasets")
    digits = sklearn.load_digits()
    images, labels = data.digits_test()
    rest, rest_labels = data.digits_train()
    assert images.shape == (359, 8, 8)
    assert len(images) + len(rest) == len(digits.images) == 1797
    every = {image.tobytes() for image in digits.images.astype(np.uint8)}
    held_out = {image.tobytes() for image in images}
    assert held_out <= every
    assert not held_out & {image.tobytes() for image in rest}
    counts = np.bincount(labels)
    assert np.array_equal(counts, np.round(np.bincount(digits.target) / 5))
    assert np.array_equal(counts + np.bincount(rest_labels), np.bincount(digits.target))


def test_measuring_needs_no_sklearn():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from hwgen import zoo; x, y = zoo.test_data('digits-mlp')\n"
        "print(zoo.accuracy(zoo.load('digits-mlp'), x, y))\n"
        "from hwgen.zoo.data import digits_train\n"
        "try: digits_train()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    accuracy, error = done.stdout.splitlines()
    assert float(accuracy) >= 0.97
    assert error.startswith("InvalidInput training on digits needs scikit-learn")


def test_listing_needs_no_torch():
    code = (
        "import sys; from hwgen import zoo; print(zoo.names()); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@needs_mnist
def test_mnist_is_the_known_one():
    import hashlib

    images, labels = data.mnist("train")
    assert images.shape == (60_000, 28, 28)
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.mnist("test")[0].shape == (10_000, 28, 28)
    raw = gzip.decompress((data.data_folder() / "mnist/train-images-idx3-ubyte.gz").read_bytes())
    assert hashlib.md5(raw).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"


def test_missing_and_damaged_data(monkeypatch, tmp_path):
    monkeypatch.setenv("HWGEN_DATA", str(tmp_path))
    assert not data.have_mnist()
    with pytest.raises(InvalidInput, match="no such file; set HWGEN_DATA"):
        data.mnist("test")
    bad = tmp_path / "bad.gz"
    for content in (
        b"",
        b"not gzip",
        gzip.compress(b"\1\2\3"),
        gzip.compress(b"\0\0\x08\1\0\0\0\7ab"),
    ):
        bad.write_bytes(content)
        with pytest.raises(InvalidInput, match="must be an IDX file"):
            data.read_idx(bad)
    good = tmp_path / "good"
    good.write_bytes(b"\0\0\x08\2\0\0\0\2\0\0\0\3abcdef")
    assert data.read_idx(good).tolist() == [[97, 98, 99], [100, 101, 102]]


def test_augmentation_moves_a_little():
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(200, 1, 9, 9)
    x[:, 0, 4, 4] = 1.0
    still = augment(x, generator, degrees=0, shift=0, zoom=0)
    assert torch.allclose(still, x, atol=1e-5)
    moved = augment(x, generator, degrees=10, shift=1.5, zoom=0.1)
    grid = torch.arange(9.0) - 4
    mass = moved.sum((1, 2, 3))
    offset = (moved.sum((1, 3)) * grid).sum(1) / mass
    assert 1.0 < float(offset.abs().max()) < 2.0
    assert abs(float(offset.mean())) < 0.2


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("digits")])
def test_recipe_keeps_the_promise(name, tmp_path):
    calls, lines = [], []
    recipe = zoo.recipe(name)
    model = recipe.train(
        lambda done, total, words: calls.append((done, total, words)), say=lines.append
    )
    print(*lines, sep="\n")
    assert any("recalibrated" in line for line in lines) or name in NOT_RECALIBRATED
    assert any("fed back are zero" in line for line in lines) or "lstm" not in name
    assert any("64-26-26-10" in line for line in lines) or name != "digits-lfsr"
    assert calls[-1][0] == calls[-1][1]
    graph = checkpoint.load(checkpoint.save(model, tmp_path / "again.pt"))
    x, labels = zoo.test_data(name)
    assert zoo.accuracy(graph, x, labels) >= recipe.PROMISE
