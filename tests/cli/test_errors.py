"""What bad input gets: one clear message, the right exit code, no traceback, nothing written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hwgen.ir.serialize import save_graph


class Payload:
    """Pickles into code that would run when it is loaded."""

    def __reduce__(self):
        return (os.mkdir, ("ran_the_payload",))


@pytest.fixture
def refused(hwgen, tmp_path, snapshot):
    """Call hwgen; expect exit code 2, one message as in the snapshot, and no new files."""

    def check(name: str, *arguments, code: int = 2) -> str:
        before = sorted(tmp_path.rglob("*"))
        found, _, err = hwgen(*arguments)
        assert found == code, err
        lines = [line for line in err.splitlines() if not line.startswith("  ")]
        message = "\n".join(lines).replace(str(tmp_path), "TMP")
        assert "Traceback" not in message
        assert sorted(tmp_path.rglob("*")) == before, "something was written"
        snapshot.check(message + "\n", f"{name}.txt")
        return message

    return check


def test_missing_file(refused):
    refused("missing_file", "compile", "nothing.pt")


def test_not_a_checkpoint(refused, tmp_path):
    (tmp_path / "text.pt").write_text("this is no checkpoint\n")
    refused("not_a_checkpoint", "compile", "text.pt")


def test_empty_file(refused, tmp_path):
    (tmp_path / "empty.pt").touch()
    refused("empty_file", "compile", "empty.pt")


def test_truncated_checkpoint(refused, tmp_path):
    from hwgen import zoo

    data = zoo.checkpoint("digits-mlp").read_bytes()
    (tmp_path / "half.pt").write_bytes(data[: len(data) // 2])
    refused("truncated_checkpoint", "compile", "half.pt")


def test_pickled_code_does_not_run(refused, tmp_path):
    import torch

    torch.save(Payload(), tmp_path / "evil.pt")
    refused("pickled_code", "compile", "evil.pt")
    assert not (tmp_path / "ran_the_payload").exists()


def test_state_dict(refused, tmp_path):
    import torch

    torch.save(torch.nn.Linear(3, 2).state_dict(), tmp_path / "state.pt")
    refused("state_dict", "compile", "state.pt")


def test_foreign_format(refused, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07")
    refused("foreign_format", "compile", "model.onnx")


def test_damaged_graph(refused, graph_file):
    graph_file.write_text(graph_file.read_text().replace('"dense"', '"dance"'))
    refused("damaged_graph", "compile", graph_file.name)


@pytest.mark.parametrize("cycles", ["0", "1"])
def test_cycles_that_cannot_be_met(refused, tmp_path, cycles):
    from hwgen.ir import Constant, GraphBuilder, Type
    from hwgen.ops.codes.uniform import Uniform
    from hwgen.ops.conv2d import Conv2d

    builder = GraphBuilder("image")
    x = builder.input(Type.of((5, 5, 1), 0, 15))
    op = Conv2d(Uniform(Constant(np.ones((2, 3, 3, 1), int)), 4), Constant([0, 0]), (1, 1), (1, 1))
    x = builder.add(op, x, name="conv1", layer="features.0")
    save_graph(builder.build(x), tmp_path / "image")
    refused(f"cycles_{cycles}", "compile", "image.ir.json", "--cycles", cycles)


def test_wrong_target(refused, graph_file):
    refused("wrong_target", "compile", graph_file.name, "--target", "vhdl")


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("schedule_unknown_layer", "fc9=spatial"),
        ("schedule_does_not_fit", "fc1=folded:3x5"),
        ("schedule_malformed", "fc1=4x4"),
        ("schedule_no_form", "fc1"),
    ],
)
def test_wrong_schedule(refused, graph_file, name, choice):
    refused(name, "compile", graph_file.name, "--schedule", choice)


@pytest.mark.parametrize("adders", ["0", "65"])
def test_wrong_pipeline(refused, graph_file, adders):
    refused(f"pipeline_{adders}", "compile", graph_file.name, "--pipeline", adders)


def test_streaming_without_state(refused, graph_file):
    refused("streaming_without_state", "compile", graph_file.name, "--streaming", "1")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("streaming_does_not_divide", ("--streaming", "3")),
        ("cell_does_not_fit", ("--schedule", "lstm=events:12x4")),
        ("cell_cannot_meet", ("--cycles", "10")),
    ],
)
def test_wrong_options_of_a_recurrent_layer(refused, name, options):
    refused(name, "compile", "digits-lstm-ternary", *options)


def test_a_matrix_too_large_for_logic(refused, tmp_path):
    from hwgen.ir import Constant, GraphBuilder, Type
    from hwgen.ops.codes.uniform import Uniform
    from hwgen.ops.dense import Dense
    from hwgen.passes.schedule import schedule

    weights = np.random.default_rng(0).integers(-7, 8, (512, 784))
    builder = GraphBuilder("large")
    x = builder.input(Type.of((784,), 0, 15))
    op = Dense(Uniform(Constant(weights), 4), Constant(np.zeros(512, int)))
    graph = builder.build(builder.add(op, x, name="fc1", layer="layers.0"))
    save_graph(graph, tmp_path / "large")
    refused("spatial_too_large", "compile", "large.ir.json", "--schedule", "fc1=spatial")
    refused("cycles_too_few_for_a_large_layer", "compile", "large.ir.json", "--cycles", "1")
    assert schedule(graph)["fc1"].form == "folded"
    assert schedule(graph, cycles=4)["fc1"].form == "folded"


def test_out_is_a_file(refused, graph_file, tmp_path):
    (tmp_path / "taken").write_text("mine")
    refused("out_is_a_file", "compile", graph_file.name, "-o", "taken")


def test_out_holds_other_files(refused, graph_file, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    refused("out_holds_other_files", "compile", graph_file.name, "-o", "thesis")


def test_out_holds_another_build(refused, hwgen, graph_file, graph_named, tmp_path):
    save_graph(graph_named("other"), tmp_path / "other")
    assert hwgen("compile", "other.ir.json", "-o", "b", "--no-verify")[0] == 0
    refused("out_holds_another_build", "compile", graph_file.name, "-o", "b")
    assert hwgen("compile", graph_file.name, "-o", "b", "--no-verify", "--force")[0] == 0


def test_out_cannot_be_written(refused, graph_file, tmp_path):
    (tmp_path / "file").write_text("")
    refused("out_cannot_be_written", "compile", graph_file.name, "-o", "file/build")


def test_vectors_of_the_wrong_shape(refused, graph_file, tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((4, 5), int))
    refused("vectors_shape", "compile", graph_file.name, "--vectors", "v.npy")


def test_vectors_out_of_range(refused, graph_file, tmp_path):
    np.save(tmp_path / "v.npy", np.full((4, 6), 16))
    refused("vectors_range", "compile", graph_file.name, "--vectors", "v.npy")


def test_vectors_of_reals(refused, graph_file, tmp_path):
    np.save(tmp_path / "v.npy", np.full((4, 6), 0.5))
    refused("vectors_reals", "compile", graph_file.name, "--vectors", "v.npy")


def test_vectors_empty(refused, graph_file, tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((0, 6), int))
    refused("vectors_empty", "compile", graph_file.name, "--vectors", "v.npy")


def test_vectors_without_content(refused, graph_file, tmp_path):
    (tmp_path / "v.npy").touch()
    refused("vectors_without_content", "compile", graph_file.name, "--vectors", "v.npy")


def test_vectors_that_are_pickles(refused, graph_file, tmp_path):
    np.save(tmp_path / "v.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    refused("vectors_pickled", "compile", graph_file.name, "--vectors", "v.npy")
    assert not (tmp_path / "ran_the_payload").exists()


def test_missing_simulator(refused, graph_file, monkeypatch):
    from hwgen.sim import tools

    monkeypatch.setattr(tools, "_find", lambda name: None)
    refused("missing_simulator", "compile", graph_file.name, "--simulator", "icarus")


def test_no_external_simulator_at_all(hwgen, graph_file, monkeypatch):
    """Without any tool the Verilog's design is checked in Amaranth's own simulator."""
    from hwgen.sim import tools

    monkeypatch.setattr(tools, "_find", lambda name: None)
    code, out, err = hwgen("compile", graph_file, "-o", "b")
    assert code == 0, err
    assert "Verilog (amaranth)" in out


def test_no_build_to_simulate(refused, tmp_path):
    refused("no_build", "simulate", "nowhere")
    (tmp_path / "empty").mkdir()
    refused("empty_build", "run", "empty")


def test_damaged_manifest(refused, hwgen, graph_file, tmp_path):
    assert hwgen("compile", graph_file, "-o", "b", "--no-verify")[0] == 0
    (tmp_path / "b" / "manifest.json").write_text("{")
    refused("damaged_manifest", "inspect", "b")


def test_unknown_zoo_model(refused):
    refused("unknown_zoo_model", "zoo", "train", "digits-transformer")


def test_no_place_for_a_trained_model(refused, tmp_path):
    (tmp_path / "model.pt").mkdir()
    refused("no_place_for_a_trained_model", "zoo", "train", "digits-mlp", "-o", "model.pt")


def _mutate(monkeypatch, module: str, change) -> None:
    """Let the emitter in ``module`` write files that ``change(folder)`` then damages."""
    import importlib

    target = importlib.import_module(module)
    emit = target.emit

    def mutated(graph, *arguments, **options):
        result = emit(graph, *arguments, **options)
        change(result.folder)
        return result

    monkeypatch.setattr(target, "emit", mutated)


def test_wrong_verilog_is_not_emitted(hwgen, graph_file, tmp_path, monkeypatch):
    """An adder that subtracts: the message names sample, index, values and layer."""

    def change(folder: Path) -> None:
        file = next(folder.glob("*_fc1_dense_matrix.v"), None)
        if file is None:
            return
        text = file.read_text()
        at = text.index("wire [", text.index("// stage 0"))
        line = text[at : text.index("\n", at)]
        swapped = line.replace(" + ", " - ") if " + " in line else line.replace(" - ", " + ")
        assert swapped != line
        file.write_text(text.replace(line, swapped))

    _mutate(monkeypatch, "hwgen.rtl.emit", change)
    code, _, err = hwgen("compile", graph_file, "-o", "b", "--simulator", "icarus")
    assert code == 1
    assert "Verilog (icarus):" in err
    assert "first at sample" in err
    assert "the first layer that differs is dense %fc1 (layer 'fc1')" in err
    assert not (tmp_path / "b").exists()
    assert not list(tmp_path.glob(".b*"))


def test_wrong_c_is_not_emitted(hwgen, graph_file, tmp_path, monkeypatch):
    def change(folder: Path) -> None:
        file = folder / "small.c"
        text = file.read_text()
        if "fc2" not in text:
            return
        at = text.index("{", text.index("fc2"))
        first = text.index("-", at)
        file.write_text(text[:first] + "+" + text[first + 1 :])

    _mutate(monkeypatch, "hwgen.mcu.emit", change)
    code, _, err = hwgen("compile", graph_file, "-o", "b", "--target", "c")
    assert code == 1, err
    assert "C (host):" in err
    assert "fc2" in err
    assert not (tmp_path / "b").exists()


def test_an_earlier_build_survives_a_failure(hwgen, graph_file, tmp_path, monkeypatch):
    assert hwgen("compile", graph_file, "-o", "b", "--no-verify")[0] == 0
    before = (tmp_path / "b" / "manifest.json").read_bytes()

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("hwgen.mcu.emit.emit", interrupted)
    code, _, err = hwgen("compile", graph_file, "-o", "b", "--no-verify")
    assert code == 130
    assert "interrupted" in err
    assert (tmp_path / "b" / "manifest.json").read_bytes() == before
    assert not list(tmp_path.glob(".b*"))


def test_interrupt_leaves_no_half_build(tmp_path):
    """Ctrl-C in a real process, in the middle of the work."""
    out = tmp_path / "b"
    process = subprocess.Popen(
        [sys.executable, "-m", "hwgen.cli", "compile", "digits-cnn", "-o", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".b.partial-*")) and time.monotonic() < deadline:
        assert process.poll() is None, "finished before it could be interrupted"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
