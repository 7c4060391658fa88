"""``python -m benchmarks [NAME ...]``: all benchmarks, or those named."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

from .report import Table, environment

BENCHMARKS = ("model_to_verilog", "interpreter", "simulation", "area", "mcu")
RESULTS = Path(__file__).with_name("results.md")


def main(arguments: list[str]) -> int:
    names = arguments or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(f"error: a benchmark must be one of {', '.join(BENCHMARKS)}, not {unknown[0]!r}")
        return 2
    begun = time.monotonic()

    def progress(text: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {text}", file=sys.stderr, flush=True)

    head = environment()
    print(head, flush=True)
    tables: list[Table] = []
    for name in names:
        for table in importlib.import_module(f"{__package__}.{name}").run(progress):
            print(f"\n{table}", flush=True)
            tables.append(table)
    if not arguments:
        RESULTS.write_text(_results(head, tables), encoding="utf-8")
        progress(f"wrote {RESULTS.name}")
    wrong = [text for table in tables for text in table.wrong]
    for text in wrong:
        print(f"error: {text}", file=sys.stderr)
    return 1 if wrong else 0


def _results(head: str, tables: list[Table]) -> str:
    text = "# Measured by `make bench`\n\nOverwritten by every complete run.\n\n" + head + "\n"
    return text + "".join(f"\n{table}" for table in tables)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
