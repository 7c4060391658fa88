"""hwgen: trained networks in, verified hardware and firmware out.

>>> import hwgen                                                     # doctest: +SKIP
>>> graph = hwgen.load("model.pt")                                   # doctest: +SKIP
>>> build = hwgen.compile(graph, out="build/model", cycles=1000)     # doctest: +SKIP
>>> assert (build.simulate(x, "verilator") == graph.run(x)).all()    # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Build",
    "Graph",
    "Schedule",
    "compile",
    "load",
    "lower",
    "quantize",
    "save",
    "to_stochastic",
]

if TYPE_CHECKING:
    from .build import Build
    from .compiler import compile
    from .frontend.checkpoint import save
    from .frontend.exported import quantize
    from .frontend.module import lower
    from .frontend.stochastic import to_stochastic
    from .ir.graph import Graph
    from .ir.schedule import Schedule
    from .loading import load

_HOME = {
    "Build": "build",
    "Graph": "ir.graph",
    "Schedule": "ir.schedule",
    "compile": "compiler",
    "load": "loading",
    "lower": "frontend.module",
    "quantize": "frontend.exported",
    "save": "frontend.checkpoint",
    "to_stochastic": "frontend.stochastic",
}


def __getattr__(name: str):
    # Imported on first use, so that `hwgen --help` needs neither PyTorch nor Amaranth.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
