"""What the benchmarks rest on: equal networks for every generator, right counts, plain tables."""

import numpy as np
import pytest

from benchmarks import networks
from benchmarks.__main__ import BENCHMARKS, main, write
from benchmarks.area import naive_adders
from benchmarks.generators import version
from benchmarks.generators.tracing import apply
from benchmarks.measure import ChildFailed, run_child
from benchmarks.report import Table, number
from hwgen.rtl.lib.adder_graph import csd


def quantize(x, sign, whole, fraction, overflow, rounding):
    """The fixed-point quantizer that the peers document, on plain numbers."""
    assert (fraction, overflow, rounding) == (0, "SAT", "RND")
    return np.clip(np.floor(x + 0.5), -sign * 2**whole, 2**whole - 1)


@pytest.mark.parametrize("network", networks.NETWORKS)
def test_the_traced_network_is_the_graph(network):
    case = networks.load(network)
    got = apply(case.graph, case.x.astype(np.float64), quantize)
    assert np.array_equal(got, case.expected)
    # All three layers must matter: outputs that hardly vary would hide a difference.
    values = case.graph.run_all(case.x)
    for node in case.graph.nodes:
        spread = np.unique(values[node.name]).size
        assert spread >= min(16, node.type.hi - node.type.lo + 1), node.name


@pytest.mark.parametrize("network", networks.NETWORKS)
def test_naive_adders_are_those_of_canonical_signed_digits(network):
    case = networks.load(network)
    rows = [
        row
        for node in case.graph.nodes
        if node.op.name == "dense"
        for row in node.op.weights.decode().tolist()
    ]
    assert naive_adders(case) == sum(sum(len(csd(v)) for v in row) - 1 for row in rows)


def test_a_table_is_markdown_and_remembers_differences():
    table = Table("T", ("generator", "rate", "outputs"), ("A note.",))
    table.add("a", number(123456), table.check("a", 0, 10))
    table.add("b", "not installed")
    assert str(table) == (
        "## T\n\n"
        "| generator |          rate |        outputs |\n"
        "| --------- | ------------: | -------------: |\n"
        "| a         |       123 000 | 0 of 10 differ |\n"
        "| b         | not installed |                |\n"
        "\nA note.\n"
    )
    assert not table.wrong
    assert table.check("c", 3, 10) == "ERROR: 3 of 10 differ"
    assert table.wrong == ["T: c: 3 of 10 differ"]


def test_the_verdict_says_where_hwgen_is_behind():
    table = Table("T", ("generator",), (), "Speed", scores={"hwgen": 10.0})
    assert table.verdict == ""
    table.scores |= {"a": 5.0, "b": 20.0}
    assert table.verdict == "Speed: hwgen is behind b by a factor of 2.00."
    table.lower = True
    assert table.verdict == "Speed: hwgen is behind a by a factor of 2.00."
    table.scores["a"] = 40.0
    assert table.verdict == "Speed: hwgen is ahead of b by a factor of 2.00."
    assert f"\n{table.verdict}\n" in str(table)


@pytest.mark.parametrize(
    "value, text",
    [(0.12345, "0.123"), (9.876, "9.88"), (123.4, "123"), (1234, "1 230"), (2345678, "2 350 000")],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_an_unknown_benchmark_is_refused(capsys):
    assert main(["speed"]) == 2
    assert capsys.readouterr().out == (
        f"error: a benchmark must be one of {', '.join(BENCHMARKS)}, not 'speed'\n"
    )


@pytest.mark.slow
def test_a_measurement_in_a_process_of_its_own():
    result = run_child("model_to_verilog", "hwgen", "4-bit", form="pipelined")
    assert result["differ"] == 0
    assert result["seconds"] > 0
    assert result["start"] > 0


def test_a_failed_measurement_says_why():
    with pytest.raises(ChildFailed, match=r"exit code 1: ModuleNotFoundError.*nothing"):
        run_child("model_to_verilog", "nothing", "4-bit", form="pipelined")


def test_a_generator_that_is_not_installed_has_no_version():
    assert version("no_such_generator") is None


def test_results_replace_only_their_own_part(tmp_path):
    path = tmp_path / "results.md"
    tables = {name: Table(name.title(), ("generator",)) for name in ("one", "two", "three")}
    write("area", "- then", [tables["one"]], path)
    write("interpreter", "- then", [tables["two"]], path)
    write("area", "- now", [tables["three"]], path)
    text = path.read_text()
    assert "## One" not in text
    assert (
        text.index("# interpreter\n\n- then") < text.index("## Two") < text.index("# area\n\n- now")
    )
    write("area", "- now", [tables["three"]], path)
    assert path.read_text() == text
