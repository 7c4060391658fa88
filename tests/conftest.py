"""What all tests share: reproducible hypothesis profiles, and snapshots."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Tests run in several processes: each keeps to one thread, or they would fight
# for the cores. Nothing above imports numpy or torch, which read this when they are imported.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

settings.register_profile(
    "hwgen",
    deadline=None,  # the first example imports and compiles
    derandomize=True,  # the same cases on every machine: a red run can be repeated
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("hwgen")


@pytest.fixture(autouse=True)
def _the_same_in_any_order():
    """What a test draws from PyTorch does not depend on the tests before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-snapshots",
        action="store_true",
        help="write what snapshot tests see into their files, instead of comparing; review the diff",
    )


class Snapshot:
    """Compares text with a file under ``snapshots/`` beside the test."""

    def __init__(self, folder: Path, update: bool) -> None:
        self._folder = folder
        self._update = update

    def check(self, text: str, name: str) -> None:
        """Fail unless ``text`` equals the file ``name``."""
        path = self._folder / name
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path}: no snapshot yet; write it with pytest --update-snapshots"
        assert text == path.read_text(encoding="utf-8"), (
            f"{path}: text differs; if the change is meant, run pytest --update-snapshots "
            f"and review the diff"
        )


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Snapshot:
    """Compare text with ``snapshots/<name>`` beside the test: ``snapshot.check(text, name)``."""
    folder = request.path.parent / "snapshots"
    return Snapshot(folder, request.config.getoption("--update-snapshots"))
