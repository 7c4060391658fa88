"""The wheel, installed in an empty environment, does the main job away from the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TREE = ("hwgen", "kernels", "rtl_templates", "sim", "pyproject.toml", "README.md", "LICENSE")


def _run(*command, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The ``bin`` folder of an environment that holds the wheel and finds its dependencies here."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    source.mkdir()
    for name in TREE:
        path = ROOT / name
        if path.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, source / name, ignore=ignore)
        else:
            shutil.copy(path, source / name)
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", work, source, cwd=work)
    (wheel,) = work.glob("*.whl")
    environment = work / "env"
    _run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=work)
    python = environment / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps",
         "--no-index", wheel, cwd=work)  # fmt: skip
    # Dependencies come from this environment. A path in a .pth file brings no editable install
    # along: nested .pth files are not read.
    site = Path(
        _run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=work).strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def test_nothing_is_taken_from_the_checkout(installed, tmp_path):
    program = "import hwgen, hwgen.sim, hwgen.kernels; print(hwgen.__file__, hwgen.sim.__file__)"
    for place in _run(installed / "python", "-c", program, cwd=tmp_path).split():
        assert place.startswith(str(installed.parent))


def test_main_job(installed, tmp_path):
    hwgen = installed / "hwgen"
    out = _run(hwgen, "compile", "digits-mlp", "-o", "b", cwd=tmp_path)
    assert out.rstrip().endswith("outputs differ")
    assert "PyTorch eval" in out
    for engine in ("icarus", "verilator", "amaranth"):
        out = _run(hwgen, "simulate", "b", "--simulator", engine, "--samples", "4", cwd=tmp_path)
        assert out.rstrip().endswith("0 of 4 outputs differ")
    out = _run(hwgen, "run", "b", "--samples", "100", cwd=tmp_path)
    assert out.rstrip().endswith("0 of 100 outputs differ")
