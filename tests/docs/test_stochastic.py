"""The Python of docs/stochastic.md runs, its figures are those of the models, its links are true."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import hwgen
from hwgen import zoo

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "stochastic.md").read_text(encoding="utf-8")


def test_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S)):
        exec(compile(block, f"stochastic.md, Python block {number}", "exec"), names)
    graph = hwgen.load("stochastic.pt")
    kinds = [node.op.name for node in graph.nodes]
    assert kinds[1:] == [
        *(
            "to_stream",
            "stochastic_dense",
            "saturating_counter",
            "stochastic_dense",
            "stream_argmax",
        )
    ]
    assert graph[graph.output].op.early
    assert graph[graph.output].op.margin > 0


def test_the_digits_network_decides_as_early_as_is_said():
    graph, (x, _) = zoo.load("digits-stochastic"), zoo.test_data("digits-stochastic")
    values = graph.run_all(graph.quantize(x))
    sums = values[graph[graph.output].inputs[0]]
    steps = graph[graph.output].op.decide(sums)[1] + 1
    assert f"takes {np.round(steps.mean(), -1):.0f} of {sums.shape[1]} steps" in TEXT.replace(
        "\n", " "
    )


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
