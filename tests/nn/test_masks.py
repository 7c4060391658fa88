"""Layers under masks: what is drawn or chosen, what is deployed, what is refused."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from hwgen import nn as q
from hwgen.errors import InvalidInput
from hwgen.frontend import checkpoint
from hwgen.frontend.compact import expand
from hwgen.frontend.module import lower
from hwgen.nn import QTensor
from hwgen.nn.masked import UnreadInputs
from hwgen.ops.lib import lfsr

CODES = ("uniform", "binary", "ternary", "power_of_two")


def lfsr_layer(inputs: int = 64, outputs: int = 16, **options) -> q.LFSRLinear:
    torch.manual_seed(0)
    return q.LFSRLinear(inputs, outputs, **{"density": 0.2, **options})


def sparse_layer(inputs: int = 64, outputs: int = 16, **options) -> q.SparseLinear:
    torch.manual_seed(0)
    return q.SparseLinear(inputs, outputs, **options)


def behind_image(layer, shape=(4, 4, 4)) -> nn.Sequential:
    return nn.Sequential(q.InputQuantizer(4, scale=1.0, shape=shape), q.Flatten(), layer).eval()


@pytest.mark.filterwarnings("ignore::hwgen.nn.masked.UnreadInputs")
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("make", [lfsr_layer, sparse_layer])
def test_images_are_masked_in_the_graphs_order(make, code, tmp_path):
    """Trained with the mask in PyTorch's order, deployed channels last, saved and loaded."""
    layer = make(code=code, image=(4, 4, 4), batch_norm=True)
    model = behind_image(layer)
    x = torch.randint(-8, 8, (60, 4, 4, 4)).float()
    model.train()(x)
    model.eval()
    graph = lower(model)
    weights = graph[graph.output].op.weights
    assert (
        weights.name
        == {"LFSRLinear": "lfsr_masked", "SparseLinear": "structured_sparse"}[type(layer).__name__]
    )
    assert weights.kept.name == code
    channels_last = graph.quantize(x.permute(0, 2, 3, 1).numpy())
    assert np.array_equal(q.integers(model(x)), graph.run(channels_last))
    mask = layer.mask.numpy().reshape(-1, 4, 4, 4).transpose(0, 2, 3, 1).reshape(16, 64)
    assert np.array_equal(weights.mask(), mask)
    path = checkpoint.save(model, tmp_path / "m.pt")
    assert np.array_equal(checkpoint.load(path)[graph.output].op.weights.mask(), mask)
    assert checkpoint.load_network(path).layer("2").config() == layer.config()


@pytest.mark.filterwarnings("ignore::hwgen.nn.masked.UnreadInputs")
@pytest.mark.parametrize("make", [lfsr_layer, sparse_layer])
def test_an_image_must_be_declared(make):
    says = r"layer '2' \(\w+\): image must be \(4, 4, 4\).* found None; give image=\(4, 4, 4\)"
    with pytest.raises(InvalidInput, match=says):
        lower(behind_image(make()))
    with pytest.raises(InvalidInput, match=says):
        model = behind_image(make())
        lower(behind_image(make(image=(4, 4, 4))))  # the declared one is taken
        model[2].path = "2"
        model(torch.ones(1, 4, 4, 4))
    lower(behind_image(make(), (1, 8, 8)))  # both orders are one
    with pytest.raises(InvalidInput, match=r"found \(4, 4, 4\); give image=\(16, 2, 2\)"):
        lower(behind_image(make(image=(4, 4, 4)), (16, 2, 2)))


# Drawn masks


@pytest.mark.parametrize(("leap", "width"), [(None, None), (1, 9), (2, 8)])
def test_the_mask_is_the_registers(leap, width):
    layer = lfsr_layer(leap=leap, width=width, density=0.3)
    width = 7 if width is None else width
    taps = lfsr.TAPS[width]
    leap = lfsr.default_leap(width) if leap is None else leap
    limit = lfsr.threshold(0.3, width)
    for seed, row in zip(lfsr.golden_seeds(16, width, taps).tolist(), layer.mask, strict=True):
        state = seed
        for bit in row.tolist():
            assert bit == (state < limit)
            for _ in range(leap):
                state = lfsr.step(state, width, taps)


def test_masked_weights_do_nothing():
    layer = lfsr_layer()
    x = torch.randn(20, 64)
    before = layer.train()(x)
    with torch.no_grad():
        layer.weight[~layer.mask] = 1e9
    after = layer(x)
    assert torch.equal(after, before)
    after.sum().backward()
    assert (layer.weight.grad[~layer.mask] == 0).all()
    assert (layer.weight.grad[layer.mask] != 0).any()
    assert not layer.deployed(1.0).weights[~layer.mask.numpy()].any()


@pytest.mark.parametrize("code", CODES)
def test_what_is_masked_counts_for_no_scale(code):
    """Nothing that is measured on the weights sees those that the mask drops."""
    one, other = lfsr_layer(code=code), lfsr_layer(code=code)
    with torch.no_grad():
        other.weight[~other.mask] = 0.9
    for layer in (one, other):
        layer.train()(torch.ones(2, 64))
    first, second = one.deployed(1.0), other.deployed(1.0)
    assert np.array_equal(first.weights, second.weights)
    assert first.scale == second.scale


@pytest.mark.parametrize(("density", "parameters"), [(0.5, 335_756), (0.1, 67_665)])
def test_published_parameter_counts(density, parameters):
    """784-512-512-10 with biases, leap 10; published are 335 370 and 67 901."""
    sizes = (784, 512, 512, 10)
    layers = [q.LFSRLinear(n, m, density=density, width=10, leap=10) for n, m in pairwise(sizes)]
    assert sum(layer.parameter_count for layer in layers) == parameters


def test_figures_of_a_mask():
    layer = lfsr_layer(1023, 64, density=0.1)
    assert (layer.memory_depth, layer.balance.least) == (102, 102)
    assert layer.balance.mean == 102.0
    assert layer.balance.density == pytest.approx(102 / 1023, rel=1e-6)
    assert layer.balance.coverage == float(layer.mask.any(0).float().mean())
    assert "102/102.0/102 inputs an output (min/mean/max), density 0.0997" in repr(layer)


@pytest.mark.parametrize("flips", [1, 3])
def test_another_mask_is_refused(flips, tmp_path):
    layer = lfsr_layer()
    model = nn.Sequential(q.InputQuantizer(4, scale=1.0, shape=(64,)), layer).eval()
    path = checkpoint.save(model, tmp_path / "m.pt")
    document = torch.load(path, weights_only=True)
    (name,) = [n for n in document["state"] if n.endswith("mask")]
    mask = expand(name, document["state"][name]).clone()
    for at in range(flips):
        mask[5 + at, 7] ^= True
    document["state"][name] = mask
    torch.save(document, path)
    with pytest.raises(InvalidInput, match=rf"found {flips} of 1024 bits to differ") as caught:
        checkpoint.load(path)
    assert "layer '1' (LFSRLinear): mask must be the one that its registers draw" in str(
        caught.value
    )
    assert "the first at output 5, input 7 of the graph's order" in str(caught.value)


def test_outputs_without_input_are_refused():
    with pytest.raises(InvalidInput, match=r"found that \d+ of 16 keep none of 16 at") as caught:
        q.LFSRLinear(16, 16, density=0.1, leap=1)
    advised = float(str(caught.value).partition("a density of ")[2].split()[0])
    assert q.LFSRLinear(16, 16, density=advised, leap=1).balance.least >= 1
    with pytest.raises(InvalidInput, match="keep none"):
        q.LFSRLinear(16, 16, density=advised - 0.04, leap=1)


def test_unread_inputs_are_told():
    model = nn.Sequential(q.InputQuantizer(4, scale=1.0, shape=(64,)), lfsr_layer(64, 4)).eval()
    unread = int((~model[1].mask.any(0)).sum())
    assert unread
    with pytest.warns(UnreadInputs, match=rf"'1' \(LFSRLinear\): no output reads {unread} of the"):
        lower(model)


def test_no_warning_where_every_input_is_read(tmp_path):
    model = nn.Sequential(q.InputQuantizer(4, scale=1.0, shape=(64,)), lfsr_layer(64, 64)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checkpoint.load(checkpoint.save(model, tmp_path / "m.pt"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"density": 0.001}, "0.001 of the 127 states of a 7-bit register rounds to none; take"),
        ({"density": 0}, "density must be above 0 and below 1, not 0"),
        ({"density": 1.0}, "density must be above 0 and below 1, not 1.0"),
        ({"density": "half"}, "density must be above 0 and below 1, not 'half'"),
        ({"width": 10, "leap": 3}, "share no factor with the period 1023, not 3; 7 would do"),
        ({"leap": 0}, "leap must be 1 or more and share no factor"),
        ({"leap": 1.5}, "leap must be an integer of 1 or more, not 1.5"),
        ({"width": 25}, r"width must be an integer in 3\.\.24, not 25"),
        ({"width": 7.0}, r"width must be an integer in 3\.\.24, not 7.0"),
        ({"width": 3}, "an LFSR of width 3 has 7 seeds, fewer than the 16 outputs; use width 5"),
        ({"code": "basis"}, "code must be uniform, binary, ternary or power_of_two for a layer wi"),
        ({"tau": 1.0}, "'tau' is no option of code 'uniform'"),
    ],
)
def test_impossible_registers_are_refused(options, says):
    with pytest.raises(InvalidInput, match=says):
        lfsr_layer(**options)


# Chosen masks


@pytest.mark.parametrize(("keep", "block", "share"), [(1, 8, 1), (2, 4, 1), (1, 16, 4), (3, 64, 2)])
def test_the_largest_are_kept(keep, block, share):
    layer = sparse_layer(sparsity=f"{keep}:{block}", share=share)
    layer.train()(torch.ones(2, 64))
    size = layer.weight.detach().abs().numpy().astype(float)
    for group in range(0, 16, share):
        total = size[group : group + share].sum(axis=0)
        for start in range(0, 64, block):
            best = set(start + np.argsort(-total[start : start + block])[:keep])
            for output in range(group, group + share):
                kept = np.flatnonzero(layer.mask[output, start : start + block].numpy()) + start
                assert set(kept) == best
    assert layer.balance.density == pytest.approx(keep / block)
    assert layer.memory_depth == 64 // block * keep
    code = layer.deployed(1.0).code
    code.verify()
    assert (code.block, code.share) == (block, share)


def test_gradients_reach_all_and_the_unused_decay():
    layer = sparse_layer(decay=0.1, bits=8)
    x = torch.randn(20, 64)
    layer.train()(x).sum().backward()
    weight, mask = layer.weight.detach(), layer.mask
    straight = x.sum(0).expand(16, 64)
    wanted = straight + 0.1 * weight * ~mask
    near = torch.isclose(layer.weight.grad, wanted, rtol=1e-3, atol=1e-4)
    assert near.float().mean() > 0.95  # but for weights that the quantizer clips
    layer.freeze_mask()
    layer.weight.grad = None
    layer(x).sum().backward()
    assert (layer.weight.grad[~mask] == 0).all()


def test_a_frozen_mask_stays():
    layer = sparse_layer()
    x = torch.randn(20, 64)
    layer.train()(x)
    layer.freeze_mask()
    before = layer.mask.clone()
    with torch.no_grad():
        layer.weight.copy_(layer.weight.flip(1))
    layer(x)
    assert torch.equal(layer.mask, before)
    layer.freeze_mask(False)
    layer(x)
    assert not torch.equal(layer.mask, before)


def test_training_prefers_the_inputs_that_matter():
    """Eight of 64 inputs carry the signal; a 1:8 mask finds them."""
    torch.manual_seed(0)
    layer = q.SparseLinear(64, 4, sparsity="1:8")
    relevant = torch.arange(8) * 8 + torch.tensor([3, 0, 7, 1, 4, 6, 2, 5])
    target = torch.randn(4, 8)
    target = target.sign() * (target.abs() + 0.5)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    layer.train()
    for step in range(120):
        if step == 80:
            layer.freeze_mask()
        x = torch.randn(32, 64)
        loss = (layer(x) - x[:, relevant] @ target.T).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert layer.mask[:, relevant].all()
    assert float(loss.detach()) < 0.05 * float(target.square().sum(1).mean())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda m: m[3].fill_(True),
            r"mask must keep 1:8 of every block, found 8 in block 0 of ou",
        ),
        (lambda m: m[2].copy_(m[2].roll(1)), "mask must be|must be the same for every 2 outputs"),
        (lambda m: m[4].fill_(False), r"every output must keep an input, found that 1 of 16"),
    ],
)
def test_impossible_masks_are_refused(change, says):
    layer = sparse_layer(share=2)
    layer.path = "fc"
    change(layer.mask)
    with pytest.raises(InvalidInput, match=says) as caught:
        layer.eval()(QTensor.of(torch.ones(1, 64), 1.0))
    assert str(caught.value).startswith("layer 'fc' (SparseLinear): ")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sparsity": "1/8"}, 'sparsity must be "N:M", such as "1:8", not \'1/8\''),
        ({"sparsity": "8:8"}, "sparsity must have 1 <= N < M <= 256, not 8:8"),
        ({"sparsity": "1:512"}, "sparsity must have 1 <= N < M <= 256, not 1:512"),
        ({"sparsity": "1:7"}, "7 must divide the 64 inputs; M could be 2, 4, 8"),
        ({"share": 3}, "share must divide the 16 outputs, not 3"),
        ({"share": 0}, "share must be an integer of 1 or more, not 0"),
        ({"decay": 1.0}, "decay must be in 0..1, 1 excluded, not 1.0"),
        ({"code": "basis"}, "code must be uniform, binary, ternary or power_of_two for a layer wi"),
    ],
)
def test_impossible_sparsities_are_refused(options, says):
    with pytest.raises(InvalidInput, match=says):
        sparse_layer(**options)
