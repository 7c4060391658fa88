"""Netlists that are refused: each with its line, what was found and what to do."""

from __future__ import annotations

import pytest

from hwgen.errors import HwgenError, InvalidInput, MissingTool, Unsupported
from hwgen.invertible.netlist import read_blif, read_verilog

BLACK_BOX = "(* blackbox *) module foo (input a, output y); endmodule\n"
REFUSED = {
    "register": (
        "module m (input c, d, output reg [2:0] q);\nalways @(posedge c)\nq <= {q[1:0], d};\nendmodule",
        Unsupported,
        r"design\.v:2: a register of 3 bits found; circuits with state cannot be solved: take the next",
    ),
    "latch": (
        "module m (input e, d, output reg q);\nalways @*\nif (e) q = d;\nendmodule",
        Unsupported,
        r"design\.v:2: a latch of 1 bit found",
    ),
    "memory": (
        "module m (input c, input [1:0] a, d, output [1:0] q);\nreg [1:0] store [0:3];\n"
        "always @(posedge c) store[a] <= d;\nassign q = store[a];\nendmodule",
        Unsupported,
        r"design\.v:2: memory 'store' found",
    ),
    "loop": (
        "module m (input a, output y);\nwire p, q;\nassign p = a & q;\nassign q = p | ~a;\nassign y = q;\nendmodule",
        InvalidInput,
        r"design\.v:2: a combinational loop through '[pq]'(, '[pqy]')*; cut it",
    ),
    "long loop": (
        "module m (input [15:0] a, output [15:0] y);\nassign y = a & {y[14:0], y[15]}; endmodule",
        InvalidInput,
        r"design\.v:1: a combinational loop through ('y\[\d+\]', ){8}8 more; cut it",
    ),
    "inout": (
        "module m (inout a, input b, output y);\nassign y = a & b;\nendmodule",
        Unsupported,
        r"design\.v:1: port 'a' must be an input or an output, found an inout port",
    ),
    "unknown module": (
        "module m (input a, output y); foo u (.a(a), .y(y)); endmodule",
        InvalidInput,
        r"design\.v: Yosys says: Module `foo' .* is not part of the design",
    ),
    "black box": (
        BLACK_BOX + "module m (input a, output y);\nfoo u (.a(a), .y(y)); endmodule",
        Unsupported,
        r"design\.v:3: module 'foo' \(instance 'u'\) has no contents",
    ),
    "x": (
        "module m (input a, e, output y);\nassign y = e ? a : 1'bx; endmodule",
        InvalidInput,
        r"design\.v:2: bits must be 0 or 1, found x",
    ),
    "z": (
        "module m (input a, e, output y);\nassign y = e ? a : 1'bz; endmodule",
        InvalidInput,
        r"design\.v:2: bits must be 0 or 1, found z",
    ),
    "x in a table": (
        "module m (input [3:0] a, output reg [1:0] y);\nalways @* case (a)\n0: y = 1; 1: y = 2; 2: y = 1; 3: y = 3;\n"
        "4: y = 2; 5: y = 1; 6: y = 0; 7: y = 1; 8: y = 2; 9: y = 3; default: y = 2'bx;\nendcase\nendmodule",
        InvalidInput,
        r"design\.v:4: bits must be 0 or 1, found x",
    ),
    "x in a memory": (
        "module m (input [1:0] a, output y);\nreg rom [0:3];\ninitial begin rom[0] = 1; rom[2] = 0; end\n"
        "assign y = rom[a];\nendmodule",
        InvalidInput,
        r"design\.v:2: every bit of memory 'rom' must be 0 or 1",
    ),
    "no driver": (
        "module m (input a, output [1:0] y);\nassign y[0] = a; endmodule",
        InvalidInput,
        r"design\.v:1: net 'y\[1\]' has no driver",
    ),
    "two drivers": (
        "module m (input a, b, output y);\nwire p;\nassign p = a;\nassign p = b;\nassign y = ~p; endmodule",
        InvalidInput,
        r"design\.v:2: port 'a' and port 'b' drive one net, which is 'p' too",
    ),
    "syntax": (
        "module m (input a, output y);\nassign y = ~a\nendmodule",
        InvalidInput,
        r"design\.v:3: Yosys says: syntax error, unexpected TOK_ENDMODULE",
    ),
    "no module": (
        "// nothing\n",
        InvalidInput,
        r"design\.v: must have a module with contents, found none",
    ),
    "no output": (
        "module m (input a);\nwire y = ~a; endmodule",
        InvalidInput,
        r"design\.v:1: the top module must have an output, found none",
    ),
    "assertion": (
        "module m (input a, output y);\nassign y = ~a; always @* $display(a); endmodule",
        Unsupported,
        r"design\.v:2: a cell \$print found, which is no gate",
    ),
    "binary": ("module\0", InvalidInput, r"design\.v: must be text, found a binary file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_verilog(kind, written):
    text, error, message = REFUSED[kind]
    with pytest.raises(HwgenError, match=message) as caught:
        read_verilog(written(text))
    assert type(caught.value) is error


HEAD = ".model m\n.inputs a b\n.outputs y\n"
REFUSED_BLIF = {
    "latch": (HEAD + ".latch a y 0\n", Unsupported, r":4: \.latch found; circuits with state"),
    "subcircuit": (
        HEAD + ".subckt and a=a b=b y=y\n",
        Unsupported,
        r":4: \.subckt found; .* flatten",
    ),
    "gate": (HEAD + ".gate and2 a=a b=b y=y\n", Unsupported, r":4: \.gate found; tables"),
    "two models": (HEAD + ".names a y\n1 1\n.model n\n", Unsupported, r":6: must be one \.model"),
    "no model": (".inputs a\n", InvalidInput, r":1: must be \.model first, found '\.inputs'"),
    "empty": ("# nothing\n", InvalidInput, r"must have a line \.model"),
    "short row": (
        HEAD + ".names a b y\n1 1\n",
        InvalidInput,
        r":5: a row must have 2 of 0, 1 and -",
    ),
    "strange row": (HEAD + ".names a b y\n1x 1\n", InvalidInput, r":5: a row must have .* '1x 1'"),
    "strange output": (
        HEAD + ".names a b y\n11 -\n",
        InvalidInput,
        r":5: an output must be 0 or 1",
    ),
    "both outputs": (
        HEAD + ".names a b y\n11 1\n00 0\n",
        InvalidInput,
        r":6: all rows of 'y' must end in 1",
    ),
    "stray row": (HEAD + "11 1\n", InvalidInput, r":4: a row must stand under \.names"),
    "unknown word": (
        HEAD + ".area 5\n",
        InvalidInput,
        r":4: must be \.inputs, \.outputs, \.names or",
    ),
    "two drivers": (
        HEAD + ".names a y\n1 1\n.names b y\n1 1\n",
        InvalidInput,
        r":6: net 'y' must have one",
    ),
    "no driver": (HEAD + ".names a \\\nq y\n11 1\n", InvalidInput, r":4: net 'q' has no driver"),
    "loop": (
        HEAD + ".names a q y\n11 1\n.names b y q\n10 1\n",
        InvalidInput,
        r":[46]: a combinational loop",
    ),
}


@pytest.mark.parametrize("kind", REFUSED_BLIF)
def test_refused_blif(kind, written):
    text, error, message = REFUSED_BLIF[kind]
    with pytest.raises(
        HwgenError, match=r"design\.blif" + (message if message[0] == ":" else ".*" + message)
    ) as caught:
        read_blif(written(text, "design.blif"))
    assert type(caught.value) is error


def test_files_that_cannot_be_read(written, tmp_path, monkeypatch):
    with pytest.raises(InvalidInput, match=r"none\.v: cannot be read: No such file"):
        read_verilog(tmp_path / "none.v")
    with pytest.raises(InvalidInput, match=r"cannot be read: Is a directory"):
        read_blif(tmp_path)
    with pytest.raises(InvalidInput, match="rename it"):
        read_verilog(written("module m (input a, output y); assign y = a; endmodule", "a*.v"))
    with pytest.raises(InvalidInput, match="one file or more"):
        read_verilog([])
    path = written(BLACK_BOX)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingTool, match="reading a netlist needs Yosys: pip install pyosys"):
        read_verilog(path)
