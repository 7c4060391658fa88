"""What the commands say of C for microcontrollers: plans, runs, and what they refuse."""

from __future__ import annotations

import importlib.util
import json
import shutil

import pytest

from hwgen.errors import InvalidInput, MissingTool
from hwgen.mcu.build import CBuild
from hwgen.report.mcu import IDEAL, layer_code

needs_cross_compiler = pytest.mark.skipif(
    not (importlib.util.find_spec("ziglang") and importlib.util.find_spec("elftools")),
    reason="needs pip install hwgen[rv32]",
)


@pytest.fixture
def gap8(hwgen, graph_file, tmp_path):
    """The small network as C for GAP8; gives the build folder."""
    code, _, err = hwgen(
        "compile", graph_file, "-o", "gap", "--target", "c", "--mcu", "gap8", "--no-verify"
    )
    assert code == 0, err
    return tmp_path / "gap"


def _cells(out: str, first: str) -> list[str]:
    (row,) = [line for line in out.splitlines() if line.startswith(f"│ {first} ")]
    return [cell.strip() for cell in row.strip("│").split("│")]


def test_inspect_shows_the_plan_of_a_build(hwgen, gap8):
    code, out, err = hwgen("inspect", gap8)
    assert code == 0, err
    plan = out[out.index("small in C for gap8") :]
    assert _cells(plan, "fc2")[:2] == ["fc2", "12"]
    assert _cells(plan, "total")[:2] == ["total", "36"]
    assert f"estimated cycles are those of 8 cores; {IDEAL}" in out
    assert "of 50 624 bytes, beside 8 stacks of 1 040" in out


def test_c_alone_has_no_columns_of_hardware(hwgen, graph_file):
    arguments = ("compile", graph_file, "-o", "b", "--no-verify", "--target")
    assert "schedule" not in hwgen(*arguments, "c")[1]
    assert "schedule" in hwgen(*arguments, "all")[1]


@needs_cross_compiler
def test_a_run_shows_cycles_and_what_they_leave_out(hwgen, gap8):
    code, out, err = hwgen("run", gap8, "--on", "iss", "--samples", 2)
    assert code == 0, err
    assert "small on iss, 8 cores" in out
    assert IDEAL in out
    assert "in all of 2 samples: " in out
    assert int(_cells(out, "one inference")[2].replace(" ", "")) > 0
    assert "running 2 samples on iss" in err
    assert "running 1 sample on iss" in hwgen("run", gap8, "--on", "iss", "--samples", 1)[2]


def test_code_bytes_of_a_layer_are_its_own(gap8):
    """Layer ``add`` has none of layer ``add_a``."""
    build = CBuild.load(gap8 / "c")
    layers = {layer.function for layer in build.layers}
    assert layers == {"small_fc1", "small_fc2"}
    code = {"small_fc1": 1, "small_fc1_tiles.isra.0": 2, "small_fc12": 4, "small_fc2.cold": 8}
    assert layer_code(build, {**code, "small_run": 16}) == {"small_fc1": 3, "small_fc2": 8}


def test_nothing_that_is_lost_goes_unsaid(hwgen, gap8):
    (gap8 / "c" / "hwgen_runtime.h").unlink()
    (gap8 / "c" / "small.h").write_text("changed\n")
    _, out, _ = hwgen("inspect", gap8)
    assert "hwgen_runtime.h is missing since it was built" in out
    assert "small.h has changed since it was built" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "gap8"), "--mcu gap8"),
        (("--target", "verilog", "--mcu", "gap8"), "needs target c or all"),
        (("--target", "c", "--mcu", "gap9"), "cv32e40p, cv32e41p, gap8, host, rv32imc"),
    ],
)
def test_wrong_targets(hwgen, graph_file, tmp_path, arguments, message):
    code, _, err = hwgen("compile", graph_file, "-o", "b", *arguments)
    assert code == 2
    assert message in err
    assert not (tmp_path / "b").exists()


def test_what_runs_where(hwgen, graph_file):
    for mcu in ("host", "rv32imc"):
        hwgen("compile", graph_file, "-o", mcu, "--target", "c", "--mcu", mcu, "--no-verify")
    for arguments, message in (
        (("host", "--on", "iss"), "hwgen compile ... --mcu"),
        (("rv32imc", "--on", "cv32e41p"), "runs on iss, cv32e40p, not on 'cv32e41p'"),
        (("rv32imc", "--on", "iss", "--cores", 2), "has 1 core, not 2"),
        (("rv32imc", "--on", "foo"), "one of host, iss, cv32e40p, cv32e41p"),
        (("rv32imc", "--on", "iss", "--samples", 0), "must be 1 or more"),
    ):
        code, _, err = hwgen("run", *arguments)
        assert code == 2
        assert message in err


def test_what_could_not_be_checked_is_said(hwgen, graph_file, tmp_path, monkeypatch):
    """Without compilers C is written, and nobody believes that it has run."""
    arguments = ("compile", graph_file, "--target", "c", "--mcu", "gap8", "-o")
    monkeypatch.setenv("CC", "")
    monkeypatch.setattr(shutil, "which", lambda *arguments, **options: None)
    code, out, err = hwgen(*arguments, "a")
    assert code == 0, err
    assert "not run on this machine" in err
    assert "not run on the instruction-set simulator" in err
    assert "not verified" in out
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["checks"] == []
    assert set(manifest["skipped"]) == {"C (host)", "C (gap8, iss)"}
    for form in manifest["skipped"]:
        assert f"{form:<22} not run: " in out


def test_the_plan_comes_before_anything_is_compiled(hwgen, graph_file, tmp_path, monkeypatch):
    """And notes are no markup: what stands in brackets is said."""

    def lacks(*arguments):
        raise MissingTool("look [b]here[/x]: 'pip install hwgen[rv32]'")

    monkeypatch.setattr("hwgen.mcu.toolchain.compiler.find_host_compiler", lacks)
    monkeypatch.setattr("hwgen.mcu.toolchain.cross.find_cross_compiler", lacks)
    code, out, err = hwgen("compile", graph_file, "--target", "c", "--mcu", "gap8", "-o", "a")
    assert code == 0, err
    assert "look [b]here[/x]: 'pip install hwgen[rv32]'" in err
    assert out.index("small in C for gap8") < out.index("not run: look [b]here[/x]")

    def fails(*arguments, **options):
        raise InvalidInput("no such option")

    monkeypatch.setattr("hwgen.mcu.toolchain.compiler.find_host_compiler", fails)
    code, out, err = hwgen("compile", graph_file, "--target", "c", "--mcu", "gap8", "-o", "b")
    assert code == 2
    assert "small in C for gap8" in out
    assert not (tmp_path / "b").exists()


def test_a_full_disk_is_one_message(hwgen, gap8, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hwgen.report.table.print_table", full)
    monkeypatch.setattr("hwgen.report.mcu.print_table", full)
    code, _, err = hwgen("inspect", gap8)
    assert code == 2
    assert err.splitlines()[-1] == "error: [Errno 28] No space left on device"
    assert "Traceback" not in err
