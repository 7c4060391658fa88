"""What every command does when all is well."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from hwgen.build import Build, file_digests

COMMANDS = (
    "compile",
    "simulate",
    "run",
    "synth",
    "inspect",
    "demo",
    "doctor",
    "zoo",
    "zoo list",
    "zoo train",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains(hwgen, command):
    code, out, _ = hwgen(*command.split(), "--help")
    assert code == 0
    assert out.startswith("Usage: hwgen")


@pytest.mark.parametrize("command", ["compile", "simulate", "run", "synth", "inspect"])
def test_help_shows_examples(hwgen, command):
    assert "Example" in hwgen(command, "--help")[1]


def test_help_loads_no_heavy_package():
    heavy = "('torch', 'amaranth', 'numpy', 'rich')"
    program = f"import sys, hwgen.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_compile_writes_a_verified_build(hwgen, graph_file, tmp_path):
    code, out, _ = hwgen("compile", graph_file, "-o", "build/small", "--simulator", "icarus")
    assert code == 0, out
    assert out.rstrip().endswith("outputs differ")
    assert "0 of 32 outputs differ" in out
    for layer in ("fc1", "relu1", "fc2"):
        assert layer in out
    build = Build.load(tmp_path / "build" / "small")
    assert build.damage() == []
    assert {c["form"] for c in build.manifest["checks"]} == {"Verilog (icarus)", "C (host)"}
    x, expected = build.vectors
    assert np.array_equal(build.graph.run(x), expected)
    assert np.array_equal(build.run(x), expected)


def test_a_build_is_checked_again_from_its_folder_alone(hwgen, graph_file, tmp_path):
    assert hwgen("compile", graph_file, "-o", "b", "--simulator", "icarus")[0] == 0
    graph_file.unlink()
    moved = tmp_path / "elsewhere"
    (tmp_path / "b").rename(moved)
    for engine in ("amaranth", "icarus"):
        code, out, err = hwgen("simulate", moved, "--simulator", engine, "--samples", 3)
        assert (code, out.splitlines()[-1]) == (0, "0 of 3 outputs differ"), err
    code, out, err = hwgen("simulate", moved, "--simulator", "icarus", "--check", "--samples", 4)
    assert code == 0, err
    assert "as declared" in out
    code, out, err = hwgen("run", moved, "--samples", 100)
    assert (code, out.splitlines()[-1]) == (0, "0 of 100 outputs differ"), err
    code, out, _ = hwgen("inspect", moved)
    assert code == 0
    assert "%fc1 = dense(%x)" in out


def test_waves_are_written(hwgen, graph_file, tmp_path):
    assert (
        hwgen("compile", graph_file, "-o", "b", "--simulator", "icarus", "--target", "verilog")[0]
        == 0
    )
    code, out, err = hwgen("simulate", "b", "--simulator", "icarus", "--samples", 2, "--waves")
    assert code == 0, err
    (wave,) = (tmp_path / "b" / "sim").glob("*.[vf]*[cs][dt]")
    assert wave.stat().st_size > 1000
    assert str(wave.name) in out


@pytest.mark.parametrize("target", ["verilog", "c"])
def test_one_target_only(hwgen, graph_file, tmp_path, target):
    code, _, err = hwgen(
        "compile", graph_file, "-o", "b", "--target", target, "--simulator", "icarus"
    )
    assert code == 0, err
    assert {p.name for p in (tmp_path / "b").iterdir() if p.is_dir()} >= {target, "vectors"}
    other = {"verilog": "c", "c": "verilog"}[target]
    assert not (tmp_path / "b" / other).exists()
    command = {"verilog": ("run",), "c": ("simulate",)}[target]
    code, _, err = hwgen(*command, "b")
    assert code == 2
    assert "--target" in err


def test_compiling_again_replaces_the_build_byte_for_byte(hwgen, graph_file, tmp_path):
    arguments = ("compile", graph_file, "-o", "b", "--no-verify")
    assert hwgen(*arguments)[0] == 0
    first = file_digests(tmp_path / "b"), (tmp_path / "b" / "manifest.json").read_bytes()
    assert hwgen(*arguments)[0] == 0
    assert first == (file_digests(tmp_path / "b"), (tmp_path / "b" / "manifest.json").read_bytes())
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_builds_do_not_depend_on_the_process(graph_file, tmp_path):
    manifests = []
    for seed in ("1", "2"):
        out = tmp_path / f"b{seed}"
        subprocess.run(
            [sys.executable, "-m", "hwgen.cli", "compile", graph_file, "-o", out, "--no-verify"],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            check=True,
            capture_output=True,
        )
        manifests.append(json.loads((out / "manifest.json").read_text())["files"])
    assert manifests[0] == manifests[1]


def test_schedules_of_the_user_are_kept(hwgen, graph_file, tmp_path):
    code, _, err = hwgen(
        "compile", graph_file, "-o", "b", "--target", "verilog", "--no-verify",
        "--schedule", "fc1=folded:2x3", "--schedule", "fc2=spatial",
    )  # fmt: skip
    assert code == 0, err
    picks = Build.load(tmp_path / "b").schedules
    assert str(picks["fc1"]) == "folded 2x3"
    assert str(picks["fc2"]) == "spatial"


def test_pipeline_sets_the_adders_between_registers(hwgen, graph_file, tmp_path):
    latencies = []
    for adders in (1, 2, 64):
        code, _, err = hwgen(
            "compile", graph_file, "-o", "b", "--target", "verilog", "--simulator", "amaranth",
            "--pipeline", adders, "--schedule", "fc1=spatial", "--schedule", "fc2=spatial",
        )  # fmt: skip
        assert code == 0, err
        build = Build.load(tmp_path / "b")
        assert build.manifest["options"]["pipeline"] == adders
        assert build.schedules["fc1"].pipeline == adders
        latencies.append(build.design.latency)
    assert latencies[0] > latencies[1] > latencies[2]


def test_pipeline_without_effect_is_said(hwgen, graph_file):
    code, out, err = hwgen(
        "compile", graph_file, "-o", "b", "--target", "c", "--pipeline", 2, "--no-verify"
    )
    assert code == 0, err
    assert "--pipeline has no effect here" in out + err


@pytest.mark.parametrize("cycles", [1, 4, 12, 24])
def test_cycles_are_met(hwgen, graph_file, tmp_path, cycles):
    code, _, err = hwgen("compile", graph_file, "-o", "b", "--cycles", cycles, "--no-verify",
                         "--target", "verilog")  # fmt: skip
    assert code == 0, err
    build = Build.load(tmp_path / "b")
    assert build.design.interval <= cycles


def test_dump_ir_shows_every_pass(hwgen, graph_file, tmp_path):
    assert hwgen("compile", graph_file, "-o", "b", "--no-verify", "--dump-ir", "ir")[0] == 0
    names = sorted(p.name for p in (tmp_path / "ir").iterdir())
    assert names[0] == "00-import.txt"
    assert names[1] == "01-fold-clip.txt"
    assert "dense" in (tmp_path / "ir" / names[-1]).read_text()


def test_doctor_lists_every_tool(hwgen):
    code, out, _ = hwgen("doctor")
    assert code == 0
    for tool in ("iverilog", "verilator", "g++", "torch", "amaranth", "C compiler"):
        assert tool in out


def test_doctor_says_how_to_get_what_is_missing(hwgen, monkeypatch):
    from hwgen.sim import tools

    monkeypatch.setattr(tools, "_find", lambda name: None)
    code, out, _ = hwgen("doctor")
    assert code == 0
    assert "apt install iverilog" in out


def test_zoo_list(hwgen):
    code, out, _ = hwgen("zoo", "list")
    assert code == 0
    assert "digits-mlp" in out
