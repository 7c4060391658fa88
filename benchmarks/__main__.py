"""``python -m benchmarks [NAME ...]``: all benchmarks, or those named."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

from .report import Table, environment

BENCHMARKS = (
    "model_to_verilog",
    "interpreter",
    "simulation",
    "area",
    "recurrent",
    "stochastic",
    "invertible",
    "mcu",
    "mcu_layers",
    "mcu_cluster",
    "mcu_networks",
    "mcu_simulators",
)
RESULTS = Path(__file__).with_name("results.md")
INTRODUCTION = (
    "Measured by `make bench`, which replaces the part of every benchmark that it runs.\n\n"
)
MARK = "<!-- benchmark "


def main(arguments: list[str]) -> int:
    names = arguments or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(f"error: a benchmark must be one of {', '.join(BENCHMARKS)}, not {unknown[0]!r}")
        return 2
    begun = time.monotonic()

    def progress(text: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {text}", file=sys.stderr, flush=True)

    print(environment(), flush=True)
    wrong: list[str] = []
    for name in names:
        done: list[Table] = []
        head = environment()
        for table in importlib.import_module(f"{__package__}.{name}").run(progress):
            if not done or table is not done[-1]:
                done.append(table)
            write(name, head, done)  # after every row: what was measured outlives an interruption
        for table in done:
            print(f"\n{table}", flush=True)
            wrong += table.wrong
    for text in wrong:
        print(f"error: {text}", file=sys.stderr)
    return 1 if wrong else 0


def write(name: str, head: str, tables: list[Table], path: Path = RESULTS) -> None:
    """Replace the part of the results that belongs to a benchmark."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    parts = {}
    for part in old.split(MARK)[1:]:
        key, _, text = part.partition(" -->\n")
        parts[key] = text
    parts[name] = f"# {name}\n\n{head}\n" + "".join(f"\n{table}" for table in tables) + "\n"
    ordered = [f"{MARK}{key} -->\n{parts[key]}" for key in BENCHMARKS if key in parts]
    path.write_text(INTRODUCTION + "".join(ordered).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
