"""Builds whose weights come from a memory beside the design."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.build import Build
from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.ir.serialize import save_graph
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.dense import Dense
from hwgen.ops.lstm import Lstm
from hwgen.rtl import emit
from tests.ops.recurrent_cells import cell

CELL = ("--schedule", "cell=events:8x4:streamed", "--target", "verilog", "--simulator", "amaranth")
CELL += ("--vectors", "vectors.npy")


def graph() -> Graph:
    """A cell in which every sum tells, and a dense layer."""
    rng = np.random.default_rng(0)
    builder, x = GraphBuilder("small"), Type.of((3, 2), -8, 7)
    matrices = (Ternary(Constant(rng.choice([-1, 0, 1], (20, n)))) for n in (2, 5))
    op = replace(cell(Lstm, rng, x, *matrices, part=0.1), bias=Constant(np.zeros(20, dtype=int)))
    h = builder.add(op, builder.input(x), name="cell", layer="cell")
    weights = Ternary(Constant(rng.choice([-1, 1], (3, 5))))
    return builder.build(builder.add(Dense(weights, Constant([1, 2, 3])), h, name="fc", layer="fc"))


@pytest.fixture
def graph_file(tmp_path: Path) -> Path:
    np.save(tmp_path / "vectors.npy", np.random.default_rng(1).integers(-8, 8, (5, 3, 2)))
    return save_graph(graph(), tmp_path / "small")[0]


def test_a_build(hwgen, graph_file, tmp_path) -> None:
    code, out, err = hwgen("compile", graph_file, "-o", "b", *CELL)
    assert code == 0, err
    image = tmp_path / "b" / "verilog" / "cell_weights.bin"
    assert "memory   beside the design, weights of cell: 21 words of 2 bytes in " in out
    assert "events 8x4 streamed" in out
    build = Build.load(tmp_path / "b")
    assert build.schedules["cell"].streamed and build.damage() == []
    assert "verilog/cell_weights.bin" in build.manifest["files"]
    x = build.graph.check_input(build.vectors[0])
    moved = tmp_path / "elsewhere"
    (tmp_path / "b").rename(moved)
    simulate = ("simulate", moved, "--simulator", "amaranth", "--samples", 5)
    code, out, err = hwgen(*simulate)
    assert (code, out.splitlines()[-1]) == (0, "0 of 5 outputs differ"), err
    events = build.graph["cell"].op.events(x).sum()
    assert f"weights of cell: {events} columns read, {6 * events} bytes" in out
    image = moved / "verilog" / image.name
    content = bytearray(image.read_bytes())
    content[-2] ^= 1
    image.write_bytes(content)
    code, _, err = hwgen(*simulate)
    assert code == 1
    assert "cell_weights.bin has changed since it was built" in err and "outputs differ" in err
    image.unlink()
    code, _, err = hwgen(*simulate)
    assert code == 2 and "cell_weights.bin: no such file; compile again" in err


def test_a_wrong_image_is_no_build(hwgen, graph_file, tmp_path, monkeypatch) -> None:
    right = emit.write_images

    def wrong(network, folder) -> None:
        right(network, folder)
        for memory in network.memories:
            content = bytearray((folder / memory.image).read_bytes())
            content[-2] ^= 1
            (folder / memory.image).write_bytes(content)

    monkeypatch.setattr(emit, "write_images", wrong)
    code, _, err = hwgen("compile", graph_file, "-o", "b", *CELL)
    assert code == 1
    assert "outputs differ" in err and "the first layer that differs is lstm %cell" in err
    assert not (tmp_path / "b").exists()


def test_manifests_from_before(hwgen, graph_file, tmp_path) -> None:
    """Their schedules and designs do not tell of memories."""
    arguments = ("--target", "verilog", "--no-verify", "--cycles", 500)
    assert hwgen("compile", graph_file, "-o", "b", *arguments)[0] == 0
    design = json.loads((tmp_path / "b" / "verilog" / "design.json").read_text())
    assert "memories" not in design
    path = tmp_path / "b" / "manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["schedules"].values():
        assert entry.pop("streamed") is False
    path.write_text(json.dumps(manifest))
    build = Build.load(tmp_path / "b")
    assert not build.schedules["cell"].streamed and build.design.memories == ()


def test_other_layers_refuse(hwgen, graph_file) -> None:
    for form, message in (
        ("folded:1x1:streamed", "'events:LANESxROWS:streamed', not 'folded:1x1:streamed'"),
        ("events:3x1:streamed", "'events 3x1 streamed' does not fit"),
    ):
        code, _, err = hwgen("compile", graph_file, "-o", "b", "--schedule", f"fc={form}")
        assert code == 2 and message in err and "Traceback" not in err
