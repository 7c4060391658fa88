"""The process that builds and runs a cocotb bench.

cocotb's runner ends its process when a simulation fails and waits for ever when one hangs; in a
process of its own it can do both.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from cocotb_tools.runner import get_runner


def main(action: str, options: dict) -> None:
    """``build`` or ``test`` with the runner's own keyword arguments."""
    runner = get_runner(options.pop("simulator"))
    if action == "build":
        runner.build(always=True, timescale=("1ns", "1ps"), **options)
    else:
        # The runner keeps what it knows of the sources from build(); it asks only whether
        # they are Verilog.
        runner.test(hdl_toplevel_lang="verilog", **options)


if __name__ == "__main__":
    for variable in ("PYTEST_CURRENT_TEST", "WAVES", "GUI"):  # the runner would obey these
        os.environ.pop(variable, None)
    os.environ["COCOTB_REWRITE_ASSERTION_FILES"] = ""  # pytest's rewriting costs start-up time
    sys.path.pop(0)  # this folder, which is a package and not a place for modules
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
