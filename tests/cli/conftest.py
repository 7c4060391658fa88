"""A command line to call in-process, and a small network to call it with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwgen import cli
from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.ir.serialize import save_graph
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense
from hwgen.ops.requantize import Requantize


def small_graph(name: str = "small") -> Graph:
    """Two dense layers, 6-4-3."""
    rng = np.random.default_rng(7)
    builder = GraphBuilder(name)
    x = builder.input(Type.of((6,), 0, 15), layer="pixels")
    weights = Uniform(Constant(rng.integers(-7, 8, (4, 6))), 4)
    x = builder.add(Dense(weights, Constant(rng.integers(-9, 9, 4))), x, name="fc1", layer="fc1")
    x = builder.add(Requantize(Constant(1), Constant(4), 0, 15), x, name="relu1", layer="relu1")
    weights = Uniform(Constant(rng.integers(-7, 8, (3, 4))), 4)
    x = builder.add(Dense(weights, Constant(rng.integers(-9, 9, 3))), x, name="fc2", layer="fc2")
    return builder.build(x)


@pytest.fixture
def graph_named():
    """Makes the small network under a name."""
    return small_graph


@pytest.fixture
def graph_file(tmp_path: Path) -> Path:
    """The small network as a graph file."""
    return save_graph(small_graph(), tmp_path / "small")[0]


@pytest.fixture
def hwgen(monkeypatch, capsys, tmp_path):
    """Call ``hwgen ARGS`` in ``tmp_path``: gives exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)  # of the terminal that the tests run in

    def call(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hwgen", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return call
