"""Both directions of a sequence: PyTorch's convention, exact results, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import hwgen
from hwgen import nn as q
from hwgen.errors import HwgenError, InvalidInput, Unsupported
from hwgen.frontend import checkpoint
from hwgen.frontend.module import lower
from hwgen.nn import integers
from hwgen.passes.pipeline import run_passes
from hwgen.passes.schedule import parse_schedule, schedule
from hwgen.passes.streaming import streaming

STEPS, FEATURES = 6, 3
KINDS = (q.LSTM, q.GRU)


def network(layer: nn.Module, *more: nn.Module) -> tuple[nn.Sequential, torch.Tensor]:
    """A model of these layers in eval mode, its scales set, and samples."""
    torch.manual_seed(3)
    x = torch.randn(40, STEPS, FEATURES)
    entrance = q.InputQuantizer(5, scale=1 / 16, shape=(STEPS, FEATURES))
    model = nn.Sequential(entrance, layer, *more)
    model.train()(x)
    return model.eval(), x


def both(kind: type = q.LSTM, every_step: bool = False, **options) -> q.Bidirectional:
    torch.manual_seed(1)
    layers = (kind(FEATURES, n, every_step=every_step, **options) for n in (5, 4))
    return q.Bidirectional(*layers)


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_eval_equals_the_graph(kind, every_step, tmp_path):
    model, x = network(both(kind, every_step, threshold=0.1))
    graph = lower(model, x)
    want = graph.run(graph.quantize(x.numpy()))
    assert want.shape == ((40, STEPS, 9) if every_step else (40, 9))
    assert len(np.unique(want)) > 20
    assert np.array_equal(integers(model(x)), want)
    assert run_passes(graph).run(graph.quantize(x.numpy())).tolist() == want.tolist()
    path = checkpoint.save(model, tmp_path / "m.pt")
    assert checkpoint.load(path).hash == hwgen.lower(model, x, name="m").hash
    again = checkpoint.load_network(path)
    assert np.array_equal(integers(again(x)), want)
    assert again.layer("1").config() == model[1].config()


@pytest.mark.parametrize("every_step", [False, True])
def test_each_direction_is_a_layer_of_its_own(every_step):
    """What the graph gives is what either layer gives over the sequence in its order."""
    model, x = network(both(every_step=every_step))
    entrance, pair = model
    ahead = integers(nn.Sequential(entrance, pair.forward_layer)(x))
    back = integers(nn.Sequential(entrance, pair.backward_layer)(x.flip(1)))
    back = back[:, ::-1] if every_step else back
    assert np.array_equal(integers(model(x)), np.concatenate([ahead, back], axis=-1))


@pytest.mark.parametrize("every_step", [False, True])
def test_the_convention_is_that_of_pytorch(every_step):
    """The same weights in ``torch.nn.LSTM(bidirectional=True)`` give the same values."""
    torch.manual_seed(0)
    n, options = 8, {"code": "uniform", "bits": 8, "activation": "table"}
    real = nn.LSTM(FEATURES, n, batch_first=True, bidirectional=True)
    pair = q.Bidirectional(q.LSTM(FEATURES, n, every_step=every_step, **options))
    with torch.no_grad():
        for layer, end in ((pair.forward_layer, ""), (pair.backward_layer, "_reverse")):
            layer.weight_input.copy_(getattr(real, f"weight_ih_l0{end}"))
            layer.weight_hidden.copy_(getattr(real, f"weight_hh_l0{end}"))
            biases = (getattr(real, f"bias_{which}_l0{end}") for which in ("ih", "hh"))
            layer.bias.copy_(sum(biases))
            layer.gain_input.fill_(FEATURES**0.5)
            layer.gain_hidden.fill_(n**0.5)
    x = 4 * torch.randn(30, STEPS, FEATURES)
    with torch.no_grad():
        y, (h, _) = real(x)
        want = y if every_step else torch.cat([h[0], h[1]], dim=1)
        got = pair.train()(x)
    assert got.shape == want.shape
    assert float((got - want).abs().mean()) < 0.02
    for wrong in (got.flip(1), got.roll(n, -1)):
        assert float((wrong - want).abs().mean()) > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_layer_may_be_made(kind):
    one = kind(FEATURES, 4, code="uniform", bits=4, threshold=0.2, every_step=True)
    pair = q.Bidirectional(one)
    assert pair.forward_layer is one
    assert pair.backward_layer.config() == one.config()
    assert not torch.equal(pair.backward_layer.weight_hidden, one.weight_hidden)


def test_gradients_reach_both():
    pair = both(threshold=0.2).train()
    pair(torch.randn(8, STEPS, FEATURES)).square().sum().backward()
    for name, parameter in pair.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_both_are_pruned_and_settled():
    model, x = network(both(threshold=0.3, every_step=True))
    pair = model[1]
    kept = []
    for share in (0.0, 1.0):
        pair.ramp(share)
        kept.append([int((part != 0).sum()) for part in model.train()(x).split([5, 4], 2)])
    assert all(more > less for more, less in zip(*kept, strict=True))
    parts = [float(layer.penalty.detach()) for layer in pair.directions.values()]
    assert float(pair.penalty.detach()) == pytest.approx(sum(parts) / 2)
    assert parts[0] != parts[1]
    before = integers(model.eval()(x))
    pair.settle()
    for layer in pair.directions.values():
        assert set(layer.weight_hidden.unique().tolist()) == {-1, 0, 1}
    assert np.array_equal(integers(model(x)), before)


def test_layers_follow_as_usual():
    torch.manual_seed(0)
    second = q.Bidirectional(q.GRU(9, 3))
    model, x = network(both(every_step=True), second, q.Linear(6, 4), q.ArgMax())
    graph = lower(model, x)
    assert np.array_equal(integers(model(x)), graph.run(graph.quantize(x.numpy())))


def test_parts_are_named_after_the_layers():
    model, x = network(both(every_step=True))
    graph = lower(model, x)
    found = {node.name: (node.op.name, node.layer) for node in graph.nodes[1:]}
    assert found == {
        "lstm1_forward_layer": ("lstm", "1.forward_layer"),
        "reverse1_in": ("reverse", "1"),
        "lstm1_backward_layer": ("lstm", "1.backward_layer"),
        "reverse1_out": ("reverse", "1"),
        "concat1": ("concat", "1"),
    }
    pick = parse_schedule("events:4x1")
    chosen = schedule(graph, choices={"1.backward_layer": pick})
    assert chosen["lstm1_backward_layer"] == pick


def test_a_gain_that_does_not_fit_is_named_with_its_layer():
    model, x = network(both(shift=6, gain_bits=11))
    with torch.no_grad():
        model[1].backward_layer.gain_hidden[5] = 100.0
    says = r"layer '1.backward_layer' \(LSTM\): gain_hidden must fit 11 bits .* in row 5"
    for call in (lambda: lower(model, x), lambda: model(x)):
        with pytest.raises(InvalidInput, match=says):
            call()


def test_what_does_not_fit_together_is_refused():
    one = q.LSTM(3, 4)
    for arguments, says in (
        ((q.Linear(3, 4),), "forward_layer must be a recurrent layer, LSTM or GRU, not Linear"),
        ((one, q.GRU(3, 4)), "backward_layer must be of class LSTM .*, not GRU"),
        ((one, q.LSTM(2, 4)), "backward_layer must have input_size=3 .*, found 2"),
        ((one, q.LSTM(3, 4, every_step=True)), "must have every_step=False .*, found True"),
        ((one, one), "backward_layer must have weights of its own"),
    ):
        with pytest.raises(InvalidInput, match=says):
            q.Bidirectional(*arguments)
    with pytest.raises(Unsupported, match=r"bidirectional is not .*hwgen\.nn\.Bidirectional"):
        q.LSTM(3, 4, bidirectional=True)
    with pytest.raises(Unsupported, match=r"LSTM.*hwgen\.nn\.Bidirectional for both directions"):
        lower(nn.Sequential(q.InputQuantizer(shape=(6, 3)), nn.LSTM(3, 4)))


def test_only_sequences_are_reversed():
    model = nn.Sequential(q.InputQuantizer(5, 1 / 16, shape=(3,)), q.Reverse())
    for call in (lambda: model.train()(torch.zeros(2, 3)), lambda: lower(model)):
        with pytest.raises(InvalidInput, match=r"input must be a sequence \(steps, features\)"):
            call()


def test_values_side_by_side():
    """Two scales stay apart until an activation makes them one."""

    class Twice(nn.Sequential):
        def forward(self, x):
            entrance, left, right, concat, last = self
            x = entrance(x)
            return last(concat(left(x), right(x)))

    for last, channels in ((nn.Identity(), True), (q.Activation(6, signed=True), False)):
        torch.manual_seed(2)
        x = torch.randn(20, 5, 3)
        entrance = q.InputQuantizer(5, 1 / 16, shape=(5, 3))
        parts = (q.Linear(3, 2, bits=4, per_channel=False), q.Linear(3, 4, bits=8))
        model = Twice(entrance, *parts, q.Concat(), last)
        model.train()(x)
        y, graph = model.eval()(x), lower(model, x)
        assert np.array_equal(integers(y), graph.run(graph.quantize(x.numpy())))
        scale = np.asarray(graph.output_type.scale)
        assert scale.shape == ((6,) if channels else ())
        assert torch.equal(y.scale, torch.as_tensor(scale))
        if channels:
            assert scale[0] == scale[1] != scale[2] == scale[5]


def test_what_cannot_stand_side_by_side_is_named():
    class Twice(nn.Sequential):
        def forward(self, x):
            entrance, left, right, concat = self
            x = entrance(x)
            return concat(left(x), right(x))

    def model(*parts: nn.Module, shape=(2, 3, 4)) -> nn.Module:
        found = Twice(q.InputQuantizer(5, 1 / 16, shape=shape), *parts, q.Concat())
        found[3].path = "3"
        return found

    shapes = model(q.Conv2d(2, 3, 1), q.Conv2d(2, 3, 2))
    flat = model(nn.Flatten(), nn.Flatten())
    x = torch.randn(2, 2, 3, 4)
    says = r"layer '3' \(Concat\): operands must have one shape but for the features, found"
    for call in (lambda: shapes.train()(x), lambda: shapes.eval()(x), lambda: lower(shapes)):
        with pytest.raises(Unsupported, match=says):
            call()
    for call in (lambda: flat.eval()(x), lambda: lower(flat)):
        with pytest.raises(Unsupported, match="must not be flattened from images"):
            call()


def test_what_begins_at_the_end_cannot_be_streamed():
    model, x = network(both())
    with pytest.raises(InvalidInput, match=r"reverse %reverse1_in \(layer '1'\) begins with the"):
        streaming(lower(model, x))
    with pytest.raises(HwgenError, match=r"take a network of one direction"):
        hwgen.compile(model, out="never", streaming=2)
