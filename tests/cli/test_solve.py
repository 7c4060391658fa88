"""hwgen solve."""

from __future__ import annotations

import json

import pytest

from hwgen.sim import simulator

NETLIST = """
module compare(input [3:0] a, input [3:0] b, output [4:0] sum, output greater);
  assign sum = a + b;
  assign greater = a > b;
endmodule
"""
LATCH = "module m(input clk, input d, output reg q); always @(posedge clk) q <= d; endmodule"
GRAPH = "4 4\n1 2 1\n2 3 1\n3 4 1\n1 4 1\n"


@pytest.fixture
def netlist(tmp_path):
    path = tmp_path / "compare.v"
    path.write_text(NETLIST)
    return path


@pytest.mark.parametrize("where", ["model", "c", "verilator"])
def test_a_number_is_factored(hwgen, where):
    if where == "verilator" and (missing := simulator("verilator").missing()):
        pytest.skip(missing)
    code, shown, progress = hwgen("solve", "factor", "143", "--on", where)
    assert code == 0
    assert any(line in shown for line in ("143 = 11 x 13\n", "143 = 13 x 11\n"))
    # Constants are propagated: both factors are odd, and of two bits one decides the other.
    assert "random search under the same checker: 16 tries on average (2 solutions in 32" in shown
    assert "trial division: 6 divisions until 11" in shown
    assert f"running on {where}" in progress


def test_everywhere_the_same_run_is_made(hwgen):
    shown = [hwgen("solve", "factor", "899", "--on", where)[1] for where in ("model", "c")]
    told = [
        [line.split(" cycles")[0] for line in text.splitlines() if " in 1 run" in line]
        for text in shown
    ]
    assert told[0] == told[1] != []


def test_a_netlist_runs_backwards(hwgen, netlist):
    code, shown, _ = hwgen("solve", netlist, "--set", "sum=12", "--set", "greater=1")
    assert code == 0
    (line,) = [line for line in shown.splitlines() if line.startswith("a = ")]
    values = dict(part.split(" = ") for part in line.split(", "))
    a, b = int(values["a"]), int(values["b"])
    assert a + b == 12
    assert a > b


def test_words_can_be_clamped_at_run_time(hwgen):
    ports = [part for word in "aby" for part in ("--port", word)]
    code, shown, _ = hwgen("solve", "multiplier4x4", "--set", "y=84", "--set", "a=12", *ports)
    assert code == 0
    assert "a = 12, b = 7, y = 84" in shown
    assert "free once clamps" not in shown


def test_clamps_may_decide_everything(hwgen):
    code, shown, _ = hwgen("solve", "adder4", "--set", "sum=9", "--set", "carry=0", "--set", "a=4")
    assert code == 0
    assert "a = 4, b = 5, sum = 9, carry = 0" in shown
    assert "nothing had to be searched for" in shown


def test_what_nothing_depends_on_may_be_anything(hwgen, tmp_path):
    path = tmp_path / "unused.v"
    path.write_text("module m(input a, input b, output y); assign y = a; endmodule")
    code, shown, _ = hwgen("solve", path, "--set", "y=1")
    assert code == 0
    assert "a = 1" in shown
    assert "nothing had to be searched for" in shown
    # y and a are one node, so that only both can be ports.
    code, _, told = hwgen("solve", path, "--set", "y=1", "--port", "a")
    assert code == 2
    assert "make a port of that word, too" in told
    assert hwgen("solve", path, "--set", "y=1", "--port", "a", "--port", "y", "--port", "a")[0] == 0


def test_every_gate_can_be_asked_to_settle(hwgen):
    gibbs = ("--engine", "gibbs", "--strength", "0.6")
    cycles = []
    for more in ((), ("--settled",)):
        code, shown, _ = hwgen("solve", "factor", "35", *gibbs, *more)
        assert code == 0
        (line,) = [line for line in shown.splitlines() if " cycles in " in line]
        cycles.append(int(line.split(" ")[0].replace("_", "")))
        assert ("random search of the inputs alone" in shown) == bool(more)
    assert cycles[0] < cycles[1]


def test_a_graph_is_cut(hwgen, tmp_path):
    path = tmp_path / "square.gset"
    path.write_text(GRAPH)
    answer = tmp_path / "deep" / "answer.json"
    code, shown, _ = hwgen("solve", path, "--cycles", "200", "--save", answer)
    assert code == 0
    saved = json.loads(answer.read_text())
    sides = [saved["nodes"][name] for name in "1234"]
    assert sides in ([0, 1, 0, 1], [1, 0, 1, 0])
    assert (saved["max-cut"], saved["found"]) == (4, True)
    assert "cut 4" in shown
    assert "no state is better: all 16 were tried" in shown
    assert "random search: cut" in shown


def test_states_are_counted_and_drawn(hwgen, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "deep" / "and.png"
    code, shown, _ = hwgen("solve", "and", "--sample", "--cycles", "2000", "--plot", path)
    assert code == 0
    assert "states visited in 2000 cycles" in shown
    assert shown.count("valid") >= 4
    assert path.read_bytes().startswith(b"\x89PNG")
    first = path.read_bytes()
    hwgen("solve", "and", "--sample", "--cycles", "2000", "--plot", path)
    assert path.read_bytes() == first


def test_values_of_a_graph_are_counted(hwgen):
    code, shown, _ = hwgen("solve", "toroidal4x4", "--sample", "--cycles", "500")
    assert code == 0
    assert "best values in 500" in shown
    code, _, told = hwgen("solve", "toroidal4x4", "--sample", "--save", "x.json")
    assert code == 2
    assert "--sample goes with none of" in told


def test_a_build_folder_is_kept(hwgen, tmp_path):
    out = tmp_path / "b"
    code, shown, _ = hwgen("solve", "factor", "35", "-o", out, "--cycles", "500")
    assert code == 0
    assert f"build folder: {out}" in shown
    assert (out / "manifest.json").exists()
    assert list((out / "verilog").glob("*_axi_lite.v"))
    assert hwgen("run", out)[0] == 0


def test_not_found_is_no_proof(hwgen):
    arguments = ("solve", "factor", "62615533", "--cycles", "3", "--runs", "2")
    code, _, told = hwgen(*arguments)
    assert code == 1
    assert "not found within 2 runs of 3 cycles; this is no proof" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("factor", "97"), "97 is prime"),
        (
            ("factor", "143", "--bits", "3"),
            "143 is no product of factors of 3 and 3 bits; it is 13 x 11",
        ),
        (("factor", "143", "--bits", "4y"), "--bits must be like 5 or 5x4"),
        (("factor", "x"), "factor takes one number"),
        (("factor", "2"), "must lie in 4..2^40"),
        (("adder4", "xor"), "one problem at a time"),
        (("adder4", "--set", "sum=99"), "has 4 bits and takes 0..15, found 99"),
        (("adder4", "--set", "q=1"), "there is no word 'q'"),
        (("adder4", "--set", "sum"), "--set must be WORD=NUMBER"),
        (("multiplier4x4", "--set", "y=7", "--set", "a=2"), "contradict each other"),
        (("multiplier4x4", "--set", "y=97"), "there is no solution with y = 97"),
        (("adder4", "--noise", "3", "--engine", "gibbs"), "--noise goes with --engine accumulator"),
        (
            ("adder4", "--strength", "x", "--engine", "gibbs"),
            "--strength must be like 0.4 or 0.1:3",
        ),
        (("adder4", "--target", "3"), "--target goes with a graph"),
        (("toroidal4x4", "--set", "y=1"), "--set goes with circuits"),
        (("missing.v",), "missing.v: no such file; expected a netlist"),
    ],
)
def test_what_is_wrong_is_told(hwgen, arguments, told):
    code, _, error = hwgen("solve", *arguments)
    assert code == 2
    assert told in error
    assert "Traceback" not in error


def test_a_netlist_with_state_is_refused(hwgen, tmp_path):
    path = tmp_path / "latch.v"
    path.write_text(LATCH)
    code, _, error = hwgen("solve", path, "--set", "q=1")
    assert code == 2
    assert "latch.v:1" in error


def test_a_graph_with_a_wrong_line_is_refused(hwgen, tmp_path):
    path = tmp_path / "g.gset"
    path.write_text("3 2\n1 2 1\n1 7 1\n")
    code, _, error = hwgen("solve", path)
    assert code == 2
    assert "g.gset:3: nodes must be 1 to 3, found 7" in error
