"""hwgen study."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from hwgen import zoo

pytest.importorskip("matplotlib")
FAST = (
    "--seeds",
    "1",
    "--components",
    "4",
    "--codings",
    "bipolar",
    "--lengths",
    "32",
    "--samples",
    "8",
    "--no-area",
)


def test_a_study_leaves_tables_plots_and_a_page(hwgen, tmp_path, monkeypatch):
    monkeypatch.setattr("hwgen.report.study.FAULTS", (0.0, 0.1))
    out = tmp_path / "deep" / "s"
    code, shown, _ = hwgen("study", "stochastic", "digits-stochastic", "-o", out, *FAST)
    assert code == 0
    assert "in floating point" in shown
    files = {path.name for path in out.iterdir()}
    assert files == {"surface.csv", "surface.png", "faults.csv", "faults.png", "report.html"}
    rows = list(csv.DictReader((out / "surface.csv").open()))
    assert [(r["coding"], r["components"], r["length"]) for r in rows] == [
        ("bipolar", "4", "32"),
        ("bipolar", "4", "256"),
    ]
    assert all(float(r["low"]) <= float(r["error"]) <= float(r["high"]) for r in rows)
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page
    assert (out / "surface.png").read_bytes().startswith(b"\x89PNG")
    # Byte for byte again.
    again = tmp_path / "again"
    assert hwgen("study", "stochastic", "digits-stochastic", "-o", again, *FAST)[0] == 0
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in out.iterdir()
    }


def test_a_checkpoint_with_samples_of_ones_own(hwgen, tmp_path):
    x, labels = zoo.test_data("digits-stochastic")
    np.savez(tmp_path / "d.npz", x=x[:30], labels=labels[:30])
    path = zoo.checkpoint("digits-stochastic")
    code, shown, _ = hwgen(
        *("study", "stochastic", path, "--data", tmp_path / "d.npz", "-o", tmp_path / "s"),
        *FAST,
        "--no-faults",
    )
    assert code == 0
    assert "on 8 samples" in re.sub(r"\s+", " ", shown)


WRONG = {
    "model": (("digits-mlp",), "must be a stochastic classifier"),
    "file": (("missing.pt",), "missing.pt"),
    "components": (("digits-stochastic", "--components", "1,3"), "of 1, 2, 4, 8, 16, not 3"),
    "lengths": (("digits-stochastic", "--lengths", "64,x"), "not 'x'"),
    "codings": (
        ("digits-stochastic", "--codings", "unary"),
        "sign_magnitude, bipolar, not 'unary'",
    ),
    "device": (("digits-stochastic", "--device", "asic"), "device must be one of"),
    "data": (
        ("digits-stochastic", "--data", "missing.npz"),
        "no such file, nor a model of the zoo",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_take_one_line(hwgen, tmp_path, name):
    arguments, told = WRONG[name]
    code, _, error = hwgen("study", "stochastic", *arguments, "-o", tmp_path / "s")
    assert code == 2
    assert told in error
    assert "Traceback" not in error
    assert not (tmp_path / "s").exists()


def test_a_folder_that_cannot_be_is_told_at_once(hwgen, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, error = hwgen(
        "study", "stochastic", "digits-stochastic", "-o", tmp_path / "file" / "s"
    )
    assert code == 2
    assert "cannot be written" in error


def test_samples_must_fit(hwgen, tmp_path):
    np.savez(tmp_path / "d.npz", x=np.zeros((5, 63)), labels=np.zeros(5))
    code, _, error = hwgen(
        "study",
        "stochastic",
        "digits-stochastic",
        "--data",
        tmp_path / "d.npz",
        "-o",
        tmp_path / "s",
    )
    assert code == 2
    assert "must hold samples of shape (64,)" in error
