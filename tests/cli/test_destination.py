"""Builds appear whole at their place, or not at all, whatever that place is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hwgen
from hwgen.build import Build
from hwgen.destination import appearing, check_destination
from hwgen.errors import HwgenError, InvalidInput


def build(folder: Path, text: str = "new") -> None:
    (folder / "file").write_text(text)


@pytest.mark.parametrize("out", [".", "..", "/", "below/.."])
def test_folders_in_which_somebody_works_are_not_replaced(tmp_path, monkeypatch, out):
    here = tmp_path / "a" / "here"
    (here / "below").mkdir(parents=True)
    monkeypatch.chdir(here)
    with pytest.raises(InvalidInput, match="must be a folder of its own"):
        check_destination(Path(out), "small", force=True)


def test_the_home_folder_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    for out in ("home/me", "home"):
        with pytest.raises(InvalidInput, match="must be a folder of its own"):
            check_destination(tmp_path / out, "small", force=True)


def test_links_stay_and_what_they_lead_to_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with appearing(tmp_path / "link", "small", force=True) as folder:
        build(folder)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["link", "real"]


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InvalidInput, match="cannot be written"):
        check_destination(tmp_path / "a", "small", force=False)


@pytest.mark.parametrize("name", ["b" * 250, "größe ☃" * 30, "with spaces and 'quotes'"])
def test_odd_names(tmp_path, name):
    name = name.encode()[:250].decode(errors="ignore")
    with appearing(tmp_path / name, "small", force=False) as folder:
        build(folder)
    assert os.listdir(tmp_path) == [name]


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be written: File name too long"):
        check_destination(tmp_path / ("b" * 300), "small", force=False)


def test_an_earlier_build_comes_back_when_the_exchange_fails(tmp_path, monkeypatch):
    out = tmp_path / "b"
    out.mkdir()
    build(out, "old")
    rename = Path.rename

    def interrupted(self, target):
        if ".partial-" in self.name:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), appearing(out, "small", force=True) as folder:
        build(folder)
    assert (out / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["b"]


def test_a_failure_leaves_what_somebody_else_put_beside_it(tmp_path):
    with pytest.raises(HwgenError), appearing(tmp_path / "a" / "b", "small", False):
        (tmp_path / "a" / "c").mkdir()
        raise HwgenError("failed")
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "c"]


def test_two_at_once_leave_one_whole_build(graph_named, tmp_path):
    out = tmp_path / "deep" / "b"
    with appearing(out, "small", False):
        hwgen.compile(graph_named("small"), out, verify=False)
        (out / "sim").mkdir()  # what a simulation leaves
    assert os.listdir(out.parent) == ["b"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_signals_leave_no_half_build(graph_file, tmp_path, number):
    number = getattr(signal, number)
    program = (
        "import signal, sys, time, hwgen.mcu.emit; from hwgen.cli import main\n"
        f"signal.signal({int(number)}, signal.SIG_DFL)\n"  # below nohup it would be ignored
        "hwgen.mcu.emit.emit = lambda *a, **k: time.sleep(60)\n"
        f"sys.argv = ['hwgen', 'compile', {str(graph_file)!r}, '-o', 'b', '--target', 'c']; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".b.partial-*")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    before = {graph_file, graph_file.with_name("small.safetensors")}
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["verilog/small_core.v", "c/small.c", "c/small.h"])
def test_a_build_without_one_of_its_files(hwgen, graph_file, tmp_path, name):
    assert hwgen("compile", graph_file, "-o", "b", "--no-verify")[0] == 0
    (tmp_path / "b" / name).unlink()
    command = "simulate" if name.startswith("verilog") else "run"
    code, _, err = hwgen(command, "b")
    assert code == 2
    assert err.splitlines()[-1] == f"error: b/{name}: no such file; compile again"


def test_a_manifest_without_one_of_its_parts(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": "hwgen-build", "version": 1}')
    with pytest.raises(InvalidInput, match="damaged: holds no model; compile again"):
        Build.load(tmp_path)


def test_waveforms_that_cannot_be_written(hwgen, graph_file, tmp_path):
    assert hwgen("compile", graph_file, "-o", "b", "--no-verify")[0] == 0
    (tmp_path / "b" / "sim").write_text("no folder")
    code, _, err = hwgen("simulate", "b", "--simulator", "amaranth", "--waves")
    assert code == 2
    assert "cannot be written: " in err
