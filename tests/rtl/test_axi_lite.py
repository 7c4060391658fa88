"""Registers on an AXI4-Lite bus: a host in Icarus gets what the model gives, and the bus is kept to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hwgen.ir import Graph, GraphBuilder, Schedule, Type
from hwgen.ops.clip import Clip
from hwgen.ops.ising import Ising
from hwgen.rtl.axi_lite import IDENTITY, RegisterMap, register_map, render_axi_lite
from hwgen.rtl.design import Design, StreamShape
from hwgen.rtl.emit import emit
from hwgen.rtl.lib.registers import Field, Registers
from hwgen.rtl.network import Network
from hwgen.rtl.top import render_top
from hwgen.sim import tools
from hwgen.sim.cocotb_engine import CHILD
from hwgen.sim.verilated import lint
from tests.ops.test_ising import network
from tests.rtl.test_verilog import _yosys as yosys

ROOT = Path(__file__).parents[2]
HOST = "tests.rtl.axi_lite_host"
EVERYTHING = ("runs_under_stalls", "busy", "errors", "strobes", "reset_in_mid_run", "handshakes")


@dataclass(frozen=True)
class Example:
    """A design with registers, what a host shall write, and the answers.

    Attributes
    ----------
    runs, answers
        Values by register.
    """

    design: Design
    map: RegisterMap
    runs: list[dict[str, int]]
    answers: list[dict[str, int]]

    def simulate(self, tests: Sequence[str], folder: Path) -> dict[str, list[dict[str, int]]]:
        """The answers that each of the cocotb tests wrote down; AssertionError if one failed."""
        job = {
            "map": {entry.name: (entry.address, entry.words) for entry in self.map.entries},
            "bits": {field.name: field.bits for field in self.map.fields.inputs},
            "address_bits": self.map.address_bits,
            "identity": IDENTITY,
            "model": self.map.model,
            "outputs": [field.name for field in self.map.fields.outputs],
            "runs": self.runs,
            "folder": str(folder),
        }
        (folder / "job.json").write_text(json.dumps(job))
        common = {"simulator": "icarus", "hdl_toplevel": self.design.register_top}
        common |= {"build_dir": str(folder)}
        sources = [str(path) for path in self.design.paths]
        said = self._cocotb(
            folder, "build", common | {"sources": sources, "build_args": ["-g2001"]}
        )
        options = {"test_module": HOST, "test_dir": str(folder)}
        options |= {"test_filter": f"[.]({'|'.join(tests)})$"}
        options |= {"results_xml": str(folder / "results.xml")}
        said += self._cocotb(folder, "test", common | options)
        answers = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.answers")}
        missing = set(tests) - set(answers)
        assert not missing, f"{sorted(missing)} failed:\n{said[-6000:]}"
        return answers

    def wanted(self, tests: Sequence[str]) -> dict[str, list[dict[str, int]]]:
        """What they write down where the design is right."""
        some = {"errors": self.answers[:1], "strobes": self.answers[-1:], "handshakes": []}
        return {test: some.get(test, self.answers) for test in tests}

    @staticmethod
    def _cocotb(folder: Path, action: str, options: dict) -> str:
        file = folder / f"{action}.json"
        file.write_text(json.dumps(options))
        environment = tools.tool_environment() | {
            "HWGEN_AXI_LITE_JOB": str(folder / "job.json"),
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            [sys.executable, str(CHILD), action, str(file)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.stdout + done.stderr


def graph_of(op: Ising) -> tuple[Graph, dict[str, Schedule]]:
    builder = GraphBuilder("net")
    x = builder.input(Type.of((op.frame.input_bytes,), 0, 255))
    graph = builder.build(builder.add(op, x, name="spins", layer="spins"))
    return graph, {"spins": op.schedules(*graph.operands(graph["spins"]))[0]}


def number(bits: np.ndarray) -> int:
    """Bits as a number, the lowest first."""
    return sum(int(bit) << k for k, bit in enumerate(bits))


def ising(folder: Path, op: Ising, seed: int, count: int = 3) -> Example:
    """A network of spins; seeds and clamps are random, the answers those of the op."""
    rng = np.random.default_rng(seed)
    ports = len(op.ports)
    seeds = rng.integers(0, 1 << 31, count)
    seeds[0] = (1 << 31) - 1
    clamps = rng.integers(-1, 1, (count, ports), endpoint=True)
    clamps[-1] = 0
    answer = op.solve(op.frame.pack_inputs(seeds, clamps))
    runs = [
        {"seed": int(s), "clamp_enable": number(c != 0), "clamp_value": number(c > 0)}
        for s, c in zip(seeds, clamps, strict=True)
    ]
    if not ports:
        runs = [{"seed": run["seed"]} for run in runs]
    answers = [
        {
            "found": int(answer.found[k]),
            "cycle": int(answer.cycle[k]),
            "hits": int(answer.hits[k]),
            "spins": number(answer.spins[k] > 0),
        }
        for k in range(count)
    ]
    graph, schedules = graph_of(op)
    map = register_map(Network(graph, schedules), int(graph.hash[:8], 16))
    return Example(emit(graph, schedules, folder), map, runs, answers)


def long_runs(folder: Path) -> Example:
    """Runs of 300 cycles, two words of clamps; with a valid state and without."""
    rng = np.random.default_rng(39)
    op = network(rng, nodes=40, ports=37, cycles=300, stops=False, density=0.1)
    return ising(folder, op, seed=4)


def replicas(folder: Path) -> Example:
    """Runs that end with the first state of an energy."""
    rng = np.random.default_rng(37)
    choices = {"engine": "gibbs", "checks": "energy", "replicas": 3, "swaps": True}
    op = network(rng, nodes=9, ports=4, cycles=60, **choices)
    return ising(folder, op, seed=2, count=4)


def no_ports(folder: Path) -> Example:
    op = network(np.random.default_rng(3), nodes=1, ports=0, cycles=1, checks="energy")
    return ising(folder, op, seed=3)


# Takes a frame 20 cycles after it was offered, and answers 150 cycles later.
SLOW = """
module slow_core (
    input  wire clk, input wire rst,
    input  wire [{i}:0] i_payload, input  wire i_valid, output wire i_ready,
    output reg  [{o}:0] o_payload, output reg  o_valid, input  wire o_ready
);
    reg [7:0] count = 8'd0;
    assign i_ready = count == 8'd20;
    always @(posedge clk) begin
        if (i_valid | count > 8'd20) count <= count == 8'd170 ? 8'd0 : count + 8'd1;
        if (i_valid & i_ready) o_payload <= ~{{i_payload, 8'd0}};
        if (o_valid & o_ready) o_valid <= 1'b0;
        if (count == 8'd170) o_valid <= 1'b1;
        if (rst) begin
            count <= 8'd0;
            o_valid <= 1'b0;
        end
    end
endmodule
"""


def slow(folder: Path) -> Example:
    """A network that lets the registers wait, with fields of every kind of width."""
    inputs = (
        Field("one", 1, ""),
        Field("none", 0, ""),
        Field("many", 65, ""),
        Field("two", 64, ""),
    )
    # The same bits inverted and a byte up: what no register holds is 0, and so 1 in the answer.
    outputs = (Field("first", 8, ""), Field("flag", 16, ""), Field("rest", 136, ""))
    shapes = [
        StreamShape(sum(field.octets for field in fields), 8, False, 1)
        for fields in (inputs, outputs)
    ]
    rng = np.random.default_rng(5)
    runs, answers = [], []
    for _ in range(3):
        run = {f.name: number(rng.integers(0, 2, f.bits)) for f in inputs if f.bits}
        frame = run["one"] | run["many"] << 8 | run["two"] << 80
        answer = ~(frame << 8) & (1 << 160) - 1
        runs.append(run)
        answers.append({"first": answer & 0xFF, "flag": answer >> 8 & 0xFFFF, "rest": answer >> 24})
    map = RegisterMap(Registers(inputs, outputs), 0x1234_5678)
    folder.mkdir(exist_ok=True)
    header = "// For a test."
    texts = {
        "slow": render_top("slow", "slow_core", *shapes, header),
        "slow_core": SLOW.format(i=shapes[0].data_bits - 1, o=shapes[1].data_bits - 1),
        "slow_axi_lite": render_axi_lite("slow_axi_lite", "slow", map, header),
    }
    for name, text in texts.items():
        (folder / f"{name}.v").write_text(text)
    sources = tuple(f"{name}.v" for name in texts)
    design = Design(folder, "slow", sources, *shapes, 171, 171, register_top="slow_axi_lite")
    return Example(design, map, runs, answers)


@pytest.fixture
def icarus() -> None:
    if missing := tools.missing("iverilog", "vvp"):
        pytest.skip(missing)


@pytest.mark.parametrize(
    ("make", "tests"),
    [
        (long_runs, EVERYTHING),
        (slow, EVERYTHING),
        (replicas, ("runs",)),
        (no_ports, ("runs",)),
    ],
)
def test_host_gets_the_answers(make: Callable, tests: Sequence[str], tmp_path, icarus) -> None:
    example = make(tmp_path / "verilog")
    assert example.simulate(tests, tmp_path) == example.wanted(tests)


MUTATIONS = {
    "a start while busy is fine": ("busy ? SLVERR : OKAY", "busy ? OKAY : OKAY"),
    "a start while busy starts": ("start & ~busy", "start"),
    "a start leaves done": ("offering <= 1'b1;\n            done <= 1'b0;", "offering <= 1'b1;"),
    "done cannot be cleared": ("if (clear)", "if (1'b0)"),
    "the frame changes while it waits": (" & ~offering;", ";"),
    "a write forgets a response": (" & ~s_axi_bvalid", ""),
    "a read forgets a response": (" & ~s_axi_rvalid", ""),
    "a response to a write is not held": ("if (s_axi_bready)", "if (1'b1)"),
    "a response to a read is not held": ("if (s_axi_rready)", "if (1'b1)"),
    "a write does not wait for its data": ("s_axi_awvalid & s_axi_wvalid", "s_axi_awvalid"),
    "a write does not wait for its address": ("s_axi_awvalid & s_axi_wvalid", "s_axi_wvalid"),
    "a start without a strobe": (" & s_axi_wstrb[0];", ";"),
    "strobes in another order": ("{8{s_axi_wstrb[2]}}", "{8{s_axi_wstrb[1]}}"),
    "an answer that is none yet": ("answered & ~busy;", "1'b1;"),
    "an answer that is lost": (".m_axis_tready(offering)", ".m_axis_tready(1'b1)"),
    "an answer that is never taken": (".m_axis_tready(offering)", ".m_axis_tready(1'b0)"),
    "bits that no register holds": (", 7'd0, one}", ", 7'd1, one}"),
    "another order of the frame": ("{two, 7'd0, many", "{7'd0, two, many"),
    "an answer off by a bit": ("answer[23:8]", "answer[24:9]"),
    "no error of a write": ("default: s_axi_bresp <= SLVERR", "default: s_axi_bresp <= OKAY"),
    "no error of a read": ("s_axi_rresp <= SLVERR", "s_axi_rresp <= OKAY"),
    "an error reads as the last word": (
        "default: begin\n                    s_axi_rdata <= 32'd0;",
        "default: begin",
    ),
    "an interrupt while busy": ("irq = done", "irq = busy"),
    "reset leaves a run": ("offering <= 1'b0;\n            running <= 1'b0;", "offering <= 1'b0;"),
    "reset leaves an offer": (
        "(~aresetn) begin\n            offering <= 1'b0;",
        "(~aresetn) begin",
    ),
    "reset leaves done": ("running <= 1'b0;\n            done <= 1'b0;", "running <= 1'b0;"),
    "reset leaves the inputs": ("            two <= 64'd0;\n", ""),
    "reset leaves a response to a write": (
        "writing <= 1'b0;\n            s_axi_bvalid <= 1'b0;",
        "writing <= 1'b0;",
    ),
    "reset leaves a response to a read": (
        "reading <= 1'b0;\n            s_axi_rvalid <= 1'b0;",
        "reading <= 1'b0;",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_benches_see_mutations(mutation: str, tmp_path, icarus) -> None:
    old, new = MUTATIONS[mutation]
    example = slow(tmp_path / "verilog")
    path = example.design.paths[-1]
    text = path.read_text()
    assert text.count(old) == 1, f"nothing to mutate: {old!r}"
    path.write_text(text.replace(old, new))
    with pytest.raises(AssertionError):
        assert example.simulate(EVERYTHING, tmp_path) == example.wanted(EVERYTHING)


@pytest.mark.parametrize("make", [long_runs, slow, no_ports])
def test_tools_accept_it(make: Callable, tmp_path) -> None:
    design = make(tmp_path).design
    assert design.register_top
    if not tools.missing("verilator"):
        lint(design)
    sources = [str(path) for path in design.paths]
    if not tools.missing("iverilog"):
        command = ["iverilog", "-g2001", "-Wall", "-Wno-timescale", "-s", design.register_top]
        command += ["-o", str(tmp_path / "a.out"), *sources]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr
    script = [f"read_verilog {' '.join(sources)}", f"hierarchy -check -top {design.register_top}"]
    yosys([*script, "proc", "check -assert"])


def test_map(tmp_path) -> None:
    example = long_runs(tmp_path)
    text = example.design.paths[-1].read_text()
    map = re.findall(r"^//   (0x\S+) +(\w+) +(rw?) +", text, re.M)
    assert map == [
        ("0x00", "control", "rw"),
        ("0x04", "identity", "r"),
        ("0x08", "model", "r"),
        ("0x10", "seed", "rw"),
        ("0x14..0x18", "clamp_enable", "rw"),
        ("0x1c..0x20", "clamp_value", "rw"),
        ("0x24", "found", "r"),
        ("0x28", "cycle", "r"),
        ("0x2c", "hits", "r"),
        ("0x30..0x34", "spins", "r"),
    ]
    assert example.map.address_bits == 6
    assert "31 bits: seed" in text and "1 bit: whether" in text


def test_only_where_a_single_layer_says_so(tmp_path) -> None:
    op = network(np.random.default_rng(1))
    graph, schedules = graph_of(op)
    alone = emit(graph, schedules, tmp_path / "alone")
    assert (alone.top, alone.register_top) == ("net", "net_axi_lite")
    assert alone.sources[-1] == "net_axi_lite.v" and alone.sources.count("net_axi_lite.v") == 1
    assert Design.load(alone.folder) == alone

    builder = GraphBuilder("net")
    x = builder.input(Type.of((op.frame.input_bytes,), 0, 255))
    x = builder.add(op, x, name="spins")
    graph = builder.build(builder.add(Clip(0, 1), x, name="clip"))
    schedules |= {"clip": Schedule("stream", lanes=op.frame.output_bytes)}
    behind = emit(graph, schedules, tmp_path / "behind")
    builder = GraphBuilder("net")
    x = builder.input(Type.of((6,), 0, 255))
    graph = builder.build(builder.add(Clip(0, 1), x, name="clip"))
    none = emit(graph, {"clip": Schedule("stream", lanes=6)}, tmp_path / "none")
    for design in (behind, none):
        assert design.register_top is None
        assert not list(design.folder.glob("*axi_lite*"))
        assert "register_top" not in json.loads((design.folder / "design.json").read_text())
        assert Design.load(design.folder) == design
