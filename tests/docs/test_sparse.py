"""The Python of docs/sparse.md runs, and its tables and links are true."""

from __future__ import annotations

import re
from pathlib import Path

from hwgen import zoo
from hwgen.nn.code import code_names

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "sparse.md").read_text(encoding="utf-8")


def test_python(capsys):
    names: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks):
        exec(compile(block, f"sparse.md, Python block {number}", "exec"), names)
        if "freeze_scale" in block:
            import hwgen

            codes = [
                n.op.weights.name
                for n in hwgen.lower(names["model"].eval()).nodes
                if hasattr(n.op, "weights")
            ]
            assert codes == ["power_of_two", "power_of_two"]
    out = capsys.readouterr().out
    assert re.search(r"% as trained; deployed \d+\.\d\d % before, \d+\.\d\d % after", out)
    assert "inputs an output (min/mean/max)" in out


def test_every_code_is_in_the_table():
    assert sorted(re.findall(r'^\| `"(\w+)"` \|', TEXT, re.MULTILINE)) == list(code_names())


def test_the_figures_are_those_of_the_bundled_models():
    for name, figure in (("digits-ternary", 98.6), ("digits-lfsr", 97.8)):
        accuracy = 100 * zoo.accuracy(zoo.load(name), *zoo.test_data(name))
        assert round(accuracy, 1) == figure
        assert f"{figure} %" in TEXT


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
