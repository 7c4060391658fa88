"""One measurement in a process of its own; started by :func:`benchmarks.measure.run_child`."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from .generators import find
from .measure import cpu_seconds


def main(bench: str, name: str, network: str, folder: str, options: str) -> None:
    generator = find(name)
    start = cpu_seconds()  # Python's own start and the generator's imports; nothing else so far
    from .networks import load

    case = load(network)
    job = importlib.import_module(f"{__package__}.{bench}").job
    result = job(generator, case, Path(folder), **json.loads(options))
    (Path(folder) / "result.json").write_text(json.dumps({"start": start, **result}))


if __name__ == "__main__":
    main(*sys.argv[1:])
