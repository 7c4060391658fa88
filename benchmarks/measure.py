"""Processor time, in processes of their own.

Processor time rather than wall-clock time: other work on the machine disturbs it far less.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["ChildFailed", "cpu_seconds", "median_rate", "run_child"]

LEAST_SECONDS = 0.5  # of one measurement of a rate
REPEATS = 3


class ChildFailed(Exception):
    """A measurement failed; the text is the reason in one line."""


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def median_rate(run: Callable[[], object], items: int) -> float:
    """Items a CPU second: the median of three measurements of half a second or more."""
    rates = []
    for _ in range(REPEATS):
        start, rounds = cpu_seconds(), 0
        while True:
            run()
            rounds += 1
            spent = cpu_seconds() - start
            if spent >= LEAST_SECONDS:
                break
        rates.append(rounds * items / spent)
    return statistics.median(rates)


def run_child(bench: str, generator: str, network: str, **options) -> dict:
    """What ``benchmarks.<bench>.job`` returns for a generator, in a process of its own.

    Also ``start``: CPU seconds of Python's start and all imports.

    Raises
    ------
    ChildFailed
        The process ended with an error.
    """
    with tempfile.TemporaryDirectory(prefix="hwgen-bench-") as folder:
        # One thread each; nothing from earlier builds.
        env = dict(os.environ, CCACHE_DISABLE="1", XDG_CACHE_HOME=folder)
        env |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        command = [sys.executable, "-m", "benchmarks.child", bench, generator, network, folder]
        command.append(json.dumps(options))
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, cwd=_root()
        )
        if done.returncode:
            lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
            raise ChildFailed(f"exit code {done.returncode}: {lines[-1][:200]}")
        return json.loads((Path(folder) / "result.json").read_text())


def _root() -> Path:
    return Path(__file__).parents[1]
