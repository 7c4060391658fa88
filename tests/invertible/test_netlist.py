"""Netlists: what a circuit tells is what the text says, in every direction."""

from __future__ import annotations

import random

import numpy as np
import pytest

from hwgen.errors import InvalidInput
from hwgen.invertible.arithmetic import multiplier
from hwgen.invertible.netlist import read_blif, read_verilog


def number(hamiltonian, state, word: str) -> int:
    """The value of a word in a state of spins."""
    return sum(int(state[node] > 0) << k for k, node in enumerate(hamiltonian.words[word]))


def rows(circuit, words) -> set[tuple[int, ...]]:
    """The values of words in all ground states, which are as many as the valid states."""
    hamiltonian = circuit.hamiltonian()
    energy, states = hamiltonian.ground_states()
    assert energy == hamiltonian.ground
    assert hamiltonian.is_valid(states).all()
    found = [tuple(number(hamiltonian, state, word) for word in words) for state in states]
    assert len(set(found)) == len(found)
    return set(found)


def check_both_ways(circuit, inputs: list[str], outputs: list[str], truth) -> None:
    """Circuit.evaluate and the ground states against ``truth(bits) -> bits``."""
    expected = set()
    for value in range(1 << len(inputs)):
        bits = [value >> k & 1 for k in range(len(inputs))]
        out = truth(bits)
        told = circuit.evaluate(dict(zip(inputs, bits, strict=True)))
        assert [told[name] for name in outputs] == out
        expected.add((*bits, *out))
    assert rows(circuit, inputs + outputs) == expected


@pytest.mark.parametrize("seed", range(4))
def test_random_gates_in_verilog(seed, written):
    draw = random.Random(seed)
    nets, lines, steps = ["a", "b", "c", "d"], [], []
    forms = {
        "{0} & {1}": lambda p, q, r: p & q,
        "{0} | ~{1}": lambda p, q, r: p | 1 - q,
        "~({0} ^ {1})": lambda p, q, r: 1 - (p ^ q),
        "{0} ? {1} : {2}": lambda p, q, r: q if p else r,
        "{0} ^ {1} ^ {2}": lambda p, q, r: p ^ q ^ r,
    }
    for k in range(6):
        form = draw.choice(list(forms))
        used = [draw.choice(nets) for _ in range(3)]
        lines.append(f"  wire n{k};\n  assign n{k} = {form.format(*used)};")
        steps.append((forms[form], used))
        nets.append(f"n{k}")
    text = "module m (input a, b, c, d, output y, z);\n" + "\n".join(lines)
    circuit = read_verilog(written(text + "\n  assign y = n4, z = n5;\nendmodule\n"))

    def truth(bits):
        known = dict(zip("abcd", bits, strict=True))
        for k, (form, used) in enumerate(steps):
            known[f"n{k}"] = form(*(known[net] for net in used))
        return [known["n4"], known["n5"]]

    check_both_ways(circuit, list("abcd"), ["y", "z"], truth)


@pytest.mark.parametrize("seed", range(4))
def test_random_tables_in_blif(seed, written):
    draw = random.Random(seed)
    nets, lines, tables = (
        ["a", "b", "c", "d"],
        [".model m", ".inputs a b \\", "c d", ".outputs y z"],
        [],
    )
    for name in ("p", "q", "y", "z"):
        used = draw.sample(nets, draw.randrange(1, 4))
        cubes = ["".join(draw.choice("01-") for _ in used) for _ in range(draw.randrange(1, 4))]
        value = draw.randrange(2)
        lines += [f".names {' '.join(used)} {name}  # a table", *(f"{c} {value}" for c in cubes)]
        tables.append((name, used, cubes, value))
        nets.append(name)
    circuit = read_blif(written("\n".join([*lines, ".end"]), "design.blif"))

    def truth(bits):
        known = dict(zip("abcd", bits, strict=True))
        for name, used, cubes, value in tables:
            hit = any(
                all(c in ("-", str(known[net])) for c, net in zip(cube, used, strict=True))
                for cube in cubes
            )
            known[name] = value if hit else 1 - value
        return [known["y"], known["z"]]

    check_both_ways(circuit, list("abcd"), ["y", "z"], truth)


def test_adder_and_comparator(written):
    circuit = read_verilog(
        written(
            """
            module top (input [7:0] a, b, output [8:0] sum, output less, equal);
              assign sum = a + b;
              assign less = a < b, equal = a == b;
            endmodule
            """
        )
    )
    draw = random.Random(0)
    for _ in range(200):
        a = draw.randrange(256)
        b = draw.choice([a, draw.randrange(256)])
        told = circuit.evaluate({"a": a, "b": b})
        assert (told["sum"], told["less"], told["equal"]) == (a + b, a < b, a == b)
    hamiltonian = circuit.hamiltonian()
    kinds = [relation.name for relation in hamiltonian.relations]
    # A carry for each bit but the first, of the sum and of the comparison, which needs no sum.
    assert (kinds.count("full_adder"), kinds.count("half_adder")) == (7, 1)
    assert kinds.count("majority") == 7
    assert len(hamiltonian) <= 66


ARITHMETIC = """
module top (
  input [3:0] a, b, input signed [2:0] p, q, input s,
  output [5:0] y, output less, output [3:0] quotient, rest, output signed [5:0] product,
  output [7:0] scaled, output [3:0] chosen, output [2:0] ones, output [2:0] table_, output bit_
);
  assign y = s ? a + b + 6'd3 : a - b;
  assign less = p < q;
  assign quotient = a / b, rest = a % b;
  assign product = p * q;
  assign scaled = 8'd13 * a;
  reg [3:0] chosen_;
  always @*
    case (b[1:0])
      0: chosen_ = a << b[3:2];
      1: chosen_ = ~a;
      2: chosen_ = a & b;
      default: chosen_ = 4'd0;
    endcase
  assign chosen = chosen_;
  function [2:0] count(input [3:0] v);
    integer k;
    begin
      count = 0;
      for (k = 0; k < 4; k = k + 1) count = count + v[k];
    end
  endfunction
  assign ones = count(a);
  reg [2:0] rom [0:15];
  integer j;
  initial for (j = 0; j < 16; j = j + 1) rom[j] = 3 * j + 1;
  assign table_ = rom[a];
  assign bit_ = a[b[1:0]];
endmodule
"""


def test_words_of_verilog(written):
    circuit = read_verilog(written(ARITHMETIC))
    draw = random.Random(1)
    for _ in range(100):
        a, b, s = draw.randrange(16), draw.randrange(1, 16), draw.randrange(2)
        p, q = draw.randrange(-4, 4), draw.randrange(-4, 4)
        told = circuit.evaluate({"a": a, "b": b, "p": p & 7, "q": q & 7, "s": s})
        assert told["y"] == (a + b + 3 if s else a - b) % 64
        assert told["less"] == (p < q)
        assert (told["quotient"], told["rest"]) == divmod(a, b)
        assert told["product"] == p * q % 64
        assert told["scaled"] == 13 * a
        assert told["chosen"] == [a << (b >> 2) & 15, 15 - a, a & b, 0][b & 3]
        assert told["ones"] == bin(a).count("1")
        assert told["table_"] == (3 * a + 1) % 8
        assert told["bit_"] == a >> (b & 3) & 1


BY_GATES = """
module top (input [2:0] a, b, output [5:0] y);
  wire [2:0] p0 = a & {3{b[0]}}, p1 = a & {3{b[1]}}, p2 = a & {3{b[2]}};
  wire [3:0] u, v;
  wire [3:0] c, d;
  assign c[0] = 0, d[0] = 0;
  wire [2:0] upper = {1'b0, p0[2:1]};
  genvar i;
  generate for (i = 0; i < 3; i = i + 1) begin
    assign u[i] = upper[i] ^ p1[i] ^ c[i];
    assign c[i+1] = (upper[i] & p1[i]) | (c[i] & (upper[i] ^ p1[i]));
    assign v[i] = u[i+1] ^ p2[i] ^ d[i];
    assign d[i+1] = (u[i+1] & p2[i]) | (u[i+1] & d[i]) | (p2[i] & d[i]);
  end endgenerate
  assign u[3] = c[3], v[3] = d[3];
  assign y = {v, u[0], p0[0]};
endmodule
"""


@pytest.mark.parametrize(
    ("n", "m", "text"),
    [
        (4, 4, "module top (input [3:0] a, b, output [7:0] y); assign y = a * b; endmodule"),
        (
            4,
            2,
            "module top (input [3:0] a, input [1:0] b, output [5:0] y); assign y = b * a; endmodule",
        ),
        (3, 3, BY_GATES),
    ],
    ids=["words", "oblong", "gates"],
)
def test_products_take_no_more_than_a_generated_multiplier(n, m, text, written):
    circuit = read_verilog(written(text))
    hamiltonian, best = circuit.hamiltonian(), multiplier(n, m).hamiltonian()
    assert (len(hamiltonian), len(hamiltonian.edges)) == (len(best), len(best.edges))
    assert hamiltonian.ground == best.ground
    for a in range(1 << n):
        for b in range(1 << m):
            assert circuit.evaluate({"a": a, "b": b})["y"] == a * b


def test_a_choice_is_one_gate(written):
    text = "module m (input [1:0] a, b, input s, output [1:0] y); assign y = s ? b : a; endmodule"
    circuit = read_verilog(written(text))
    hamiltonian = circuit.hamiltonian()
    # Each bit: the output and an auxiliary spin.
    assert len(hamiltonian) == 5 + 2 * 2
    assert [relation.name for relation in hamiltonian.relations] == ["mux", "mux"]
    expected = {(a, b, s, b if s else a) for a in range(4) for b in range(4) for s in range(2)}
    assert rows(circuit, ["a", "b", "s", "y"]) == expected


@pytest.mark.parametrize(("width", "nodes"), [(2, 2 + 2), (3, 3 + 2), (4, 4 + 4), (8, 8 + 8)])
def test_parities_are_built_of_full_adders(width, nodes, written):
    text = f"module m (input [{width - 1}:0] a, output y, odd); assign y = ^a, odd = ~y; endmodule"
    circuit = read_verilog(written(text))
    # The complement of an output is a node of its own.
    assert len(circuit.hamiltonian()) == nodes + 1
    expected = {(a, n := bin(a).count("1") % 2, 1 - n) for a in range(1 << width)}
    assert rows(circuit, ["a", "y", "odd"]) == expected


def test_a_shared_part_of_a_parity_stays(written):
    text = "module m (input a, b, c, d, output y, z); wire t = a ^ b;\n"
    circuit = read_verilog(written(text + "assign y = ~(t ^ c), z = t & d; endmodule"))
    check_both_ways(
        circuit,
        list("abcd"),
        ["y", "z"],
        lambda bits: [1 - (bits[0] ^ bits[1] ^ bits[2]), (bits[0] ^ bits[1]) & bits[3]],
    )


def test_ports_become_words(written):
    circuit = read_verilog(
        written(
            """
            module m (input [0:2] up, input \\x[0] , unused, output [5:3] y, output \\b.q , one, inverse, same);
              assign y = up, \\b.q = ~\\x[0] , one = 1'b1, inverse = ~up[2], same = up[2];
            endmodule
            """
        )
    )
    told = circuit.evaluate({"up": 0b110, "x[0]": 1, "unused": 0})
    del told["unused"]
    assert told == {"up": 6, "x[0]": 1, "y": 6, "b.q": 0, "one": 1, "inverse": 1, "same": 0}
    names = ["up", "x[0]", "unused", "y", "b.q", "one", "inverse", "same"]
    assert len(rows(circuit, names)) == 2**5


def test_bits_of_blif_become_words(written):
    text = ".model m\n.inputs a[1] a[0] b[3] b[5]\n.outputs y[2] y[1]\n"
    text += ".names a[1] y[1]\n1 1\n.names a[0] y[2]\n0 1\n.end\n"
    circuit = read_blif(written(text, "bits.blif"))
    assert circuit.evaluate({"a[1]": 1, "a[0]": 1, "b[3]": 0, "b[5]": 0})["y"] == 0b01
    circuit = read_blif(written(text.replace("b[5]", "b[4]"), "bits.blif"))
    assert circuit.inputs == ("a", "b")
    assert circuit.evaluate({"a": 0b10, "b": 0})["y"] == 0b11


def test_several_files_and_a_chosen_top(written):
    leaf = written(
        "module leaf #(parameter W = 2) (input [W-1:0] a, output y); assign y = ^a; endmodule",
        "leaf.sv",
    )
    written("`define INVERT ~", "defines.vh")
    top = written(
        '`include "defines.vh"\nmodule top (input [3:0] a, output y); wire t;\n'
        "leaf #(4) one (.a(a), .y(t)); assign y = `INVERT t; endmodule\n"
        "module other (input a, output z); assign z = a; endmodule\n"
    )
    with pytest.raises(InvalidInput, match=r"one top module, found other, top; name one as top"):
        read_verilog([leaf, top])
    with pytest.raises(InvalidInput, match=r"has no module 'tip'; it has other, top, leaf"):
        read_verilog([leaf, top], top="tip")
    circuit = read_verilog([leaf, top], top="top")
    assert circuit.name == "top"
    for a in range(16):
        assert circuit.evaluate({"a": a})["y"] == 1 - bin(a).count("1") % 2
    assert set(read_verilog([leaf, top], top="leaf").words) == {"a", "y"}


def test_the_same_text_gives_the_same_circuit(written):
    path = written(ARITHMETIC)
    one, two = (read_verilog(path).hamiltonian() for _ in range(2))
    assert (one.names, one.words) == (two.names, two.words)
    assert np.array_equal(one.h, two.h)
    assert np.array_equal(one.edges, two.edges) and np.array_equal(one.weights, two.weights)
