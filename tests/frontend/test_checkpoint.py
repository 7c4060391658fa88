"""Checkpoints: round trips, and every kind of bad file."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import hwgen.frontend.checkpoint as checkpoint
from hwgen import nn as q
from hwgen.errors import InvalidInput
from hwgen.frontend.module import lower
from hwgen.nn import Network, integers


class Model(nn.Module):
    """A class that whoever loads the checkpoint does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = q.InputQuantizer(6, scale=0.25)
        self.blocks = nn.Sequential(
            q.Conv2d(2, 4, 3, padding=1, bits=4, per_channel=True, batch_norm=True),
            q.Activation(4),
            nn.MaxPool2d(2),
        )
        self.head = q.Linear(16, 3, scale="power_of_two")

    def forward(self, x):
        return self.head(torch.flatten(self.blocks(self.enter(x)), 1))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    model = Model()
    with torch.no_grad():
        model.train()(torch.randn(20, 2, 4, 4))
    return model.eval()


def test_round_trip(model, tmp_path):
    path = checkpoint.save(model, tmp_path / "net.pt")
    graph = checkpoint.load(path)
    assert graph.name == "net"
    assert graph.hash == lower(model, name="net").hash


def test_needs_no_class_of_the_users(model, tmp_path):
    path = checkpoint.save(model, tmp_path / "net.pt")
    code = "import sys; from hwgen.frontend.checkpoint import load; print(load(sys.argv[1]).hash)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == checkpoint.load(path).hash


def test_a_loaded_network_runs_and_trains_on(model, tmp_path):
    network = checkpoint.load_network(checkpoint.save(model, tmp_path / "net.pt"))
    x = torch.randn(9, 2, 4, 4)
    assert isinstance(network, Network)
    assert np.array_equal(integers(network(x)), integers(model(x)))
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    network.train()(x).pow(2).sum().backward()
    optimizer.step()
    again = checkpoint.load_network(checkpoint.save(network.eval(), tmp_path / "again.pt"))
    assert np.array_equal(integers(network(x)), integers(again(x)))
    assert not np.array_equal(integers(network(x)), integers(model(x)))


def test_same_model_same_bytes_of_content(model, tmp_path):
    a, b = (checkpoint.save(model, tmp_path / name, name="m") for name in ("a.pt", "b.pt"))
    assert checkpoint.load(a).hash == checkpoint.load(b).hash


def test_another_shape_can_be_given(tmp_path):
    model = nn.Sequential(q.InputQuantizer(scale=1.0), q.Conv2d(2, 3, 3))
    with pytest.raises(InvalidInput, match=r"shape must be known: give shape= or an example"):
        checkpoint.save(model, tmp_path / "net.pt")
    assert not (tmp_path / "net.pt").exists()
    graph = checkpoint.load(checkpoint.save(model, tmp_path / "net.pt", example_shape=(2, 5, 7)))
    assert graph.input_type.shape == (5, 7, 2)


def test_a_model_that_cannot_be_lowered_is_not_written(model, tmp_path):
    with torch.no_grad():
        model.head.weight.zero_()
    with pytest.raises(InvalidInput, match=r"layer 'head' \(Linear\): weight must not be all zero"):
        checkpoint.save(model, tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())


class Evil:
    """Pickled, it would run code."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def damaged(folder, good: dict) -> dict[str, object]:
    """Bad files by the name of their trouble."""

    def path(name):
        return folder / f"{name}.pt"

    def write(name, content):
        torch.save(content, path(name))

    torch.save(good, path("good"))
    content = path("good").read_bytes()
    path("truncated").write_bytes(content[: len(content) // 2])
    path("short").write_bytes(content[:3])
    path("flipped").write_bytes(content[:200] + b"\xff" * 400 + content[600:])
    path("empty").write_bytes(b"")
    path("text").write_text("epoch,loss\n1,0.5\n")
    path("random").write_bytes(bytes(range(256)) * 10)
    path("folder").mkdir()
    write("code", {**good, "extra": Evil(f"touch {folder / 'owned'}")})
    write("module", nn.Linear(2, 2))
    write("legacy_state_dict", nn.Linear(2, 2).state_dict())
    torch.save(nn.Linear(2, 2), path("legacy_module"), _use_new_zipfile_serialization=False)
    write("list", [1, 2])
    write("another_format", {**good, "format": "other"})
    write("version", {**good, "version": 99})
    description = good["description"]
    write("no_description", {k: v for k, v in good.items() if k != "description"})
    write("layer", {**good, "description": _replace(description, "kind", "Conv7d")})
    write("argument", {**good, "description": _replace(description, "bits", 77)})
    write("steps", {**good, "description": {**description, "steps": [["a", "b", ["c"]]]}})
    write("state_missing", {**good, "state": {}})
    wrong = {**good["state"], "layers.head.weight": torch.ones(1, 1)}
    write("state_shape", {**good, "state": wrong})
    broken = {**good["state"], "layers.head.weight": torch.full((3, 16), torch.nan)}
    write("nan", {**good, "state": broken})
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), path("script"))
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),)), path("program"))
    return {p.stem: p for p in sorted(folder.iterdir()) if p.stem != "good"}


def _replace(description: dict, key: str, value) -> dict:
    layers = {
        name: {k: value if k == key else v for k, v in layer.items()}
        for name, layer in description["layers"].items()
    }
    return {**description, "layers": layers}


@pytest.mark.filterwarnings("ignore")
def test_messages(model, tmp_path, snapshot):
    good = torch.load(checkpoint.save(model, tmp_path / "net.pt"), weights_only=True)
    (tmp_path / "bad").mkdir()
    files = {**damaged(tmp_path / "bad", good), "missing": tmp_path / "bad" / "missing.pt"}
    lines = []
    for name, path in files.items():
        with pytest.raises(InvalidInput) as caught:
            checkpoint.load(path)
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith(f"{path}: ")
        lines.append(f"{name}: {message.replace(str(tmp_path), 'folder')}")
    assert not (tmp_path / "bad" / "owned").exists()
    snapshot.check("\n".join(lines) + "\n", "checkpoint.txt")


def test_a_path_that_cannot_be_written_is_refused(model, tmp_path):
    with pytest.raises(InvalidInput, match="cannot be written"):
        checkpoint.save(model, tmp_path / "no" / "such" / "folder" / "net.pt")


def test_a_checkpoint_is_written_whole_or_not_at_all(model, tmp_path, monkeypatch):
    path = checkpoint.save(model, tmp_path / "net.pt")
    before = path.read_bytes()

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(InvalidInput, match="cannot be written: No space left on device"):
        checkpoint.save(model, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.pt"]
