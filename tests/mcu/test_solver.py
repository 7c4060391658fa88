"""The constraint solver leaves the process as it found it."""

from __future__ import annotations

import subprocess
import sys

SOLVE_THEN_INTERRUPT = """
import os, signal
from hwgen.mcu.planning.solver import import_cp_model, solve

model = import_cp_model().CpModel()
x = model.new_int_var(0, 9, "x")
model.maximize(x)
assert solve(model, 1.0).value(x) == 9
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print("cleaned up")
"""


def test_ctrl_c_still_reaches_python_after_a_problem_has_been_solved():
    """Else an interrupted compilation would leave its half-written folder."""
    done = subprocess.run(
        [sys.executable, "-c", SOLVE_THEN_INTERRUPT], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "cleaned up\n"), done.stderr
