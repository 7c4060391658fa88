"""The example of docs/adding-an-op.md works as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hwgen.kernels
import hwgen.rtl_templates
import hwgen.sim

ROOT = Path(__file__).parents[2]
FILES = re.compile(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED_BESIDE = {"kernels": hwgen.kernels, "rtl_templates": hwgen.rtl_templates, "sim": hwgen.sim}
IGNORED = shutil.ignore_patterns("__pycache__", "snapshots", "*.pt", "*.npz")


@pytest.fixture(scope="module")
def blocks() -> dict[str, str]:
    """Path to content of every file in the document."""
    return dict(FILES.findall((ROOT / "docs" / "adding-an-op.md").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def tree(blocks, tmp_path_factory) -> Path:
    """A copy of the packages, as the wheel lays them out, with the op's files added."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "hwgen", tree / "hwgen", ignore=IGNORED)
    for name, package in COPIED_BESIDE.items():
        shutil.copytree(Path(package.__path__[0]), tree / "hwgen" / name, ignore=IGNORED)
    (tree / "tests").mkdir()
    shutil.copytree(ROOT / "tests" / "ops", tree / "tests" / "ops", ignore=IGNORED)
    shutil.copy(ROOT / "tests" / "conftest.py", tree / "tests")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for path, text in blocks.items():
        top = path.partition("/")[0]
        target = tree / "hwgen" / path if top in COPIED_BESIDE else tree / path
        assert not target.exists(), f"{path} is there already: an op must not edit files"
        target.write_text(text, encoding="utf-8")
    return tree


def test_the_document_shows_every_room(blocks):
    assert list(blocks) == [
        "hwgen/ops/absolute.py",
        "hwgen/nn/absolute.py",
        "hwgen/rtl/absolute.py",
        "hwgen/mcu/ops/absolute.py",
        "kernels/absolute.c.j2",
        "tests/ops/test_absolute.py",
    ]


@pytest.mark.slow
def test_the_op_passes_all_that_every_op_must(tree):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"),
            *("tests/ops/test_absolute.py", "tests/ops/test_rooms.py"),
        ],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "absolute" in "".join(path.name for path in (tree / "hwgen" / "ops").iterdir())


def test_the_example_is_in_style(tree):
    files = [str(path) for path in tree.rglob("*absolute*.py")]
    assert len(files) == 5
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *files],
            cwd=tree,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
