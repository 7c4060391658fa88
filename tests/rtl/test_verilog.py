"""The emitted Verilog: what it looks like, that tools accept it, and that benches see it break."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hwgen.errors import HwgenError
from hwgen.ir import Constant, Graph, GraphBuilder, Schedule, Type
from hwgen.ops.argmax import Argmax
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense
from hwgen.ops.requantize import Requantize
from hwgen.rtl import emit as emit_module
from hwgen.rtl.design import Design
from hwgen.rtl.emit import emit
from hwgen.sim import protocol_check, simulator, tools
from hwgen.sim.verilated import lint
from tests.rtl.bench import check_design
from tests.rtl.draw import random_network, random_schedules, samples

FOLDED = {
    "fc1": Schedule("folded", pe=2, simd=4),
    "act1": Schedule("stream", lanes=2),
    "fc2": Schedule("folded", pe=1, simd=3),
    "best": Schedule("stream", lanes=1),
}
SPATIAL = {
    "fc1": Schedule("spatial"),
    "act1": Schedule("stream", lanes=6),
    "fc2": Schedule("spatial"),
    "best": Schedule("stream", lanes=4),
}


def perceptron(best: bool = True) -> Graph:
    rng = np.random.default_rng(1)

    def dense(inputs: int, outputs: int) -> Dense:
        weights = Uniform(Constant(rng.integers(-8, 8, (outputs, inputs))), 4)
        return Dense(weights, Constant(rng.integers(-20, 20, outputs)))

    builder = GraphBuilder("small")
    x = builder.input(Type.of((8,), 0, 15))
    x = builder.add(dense(8, 6), x, name="fc1", layer="0")
    shift = Constant([3, 4, 3, 4, 4, 3])
    x = builder.add(Requantize(Constant(1), shift, 0, 15), x, name="act1", layer="1")
    x = builder.add(dense(6, 4), x, name="fc2", layer="2")
    return builder.build(builder.add(Argmax(), x, name="best") if best else x)


def network(seed: int) -> tuple[Graph, dict[str, Schedule]]:
    rng = np.random.default_rng(seed)
    graph = random_network(rng)
    return graph, random_schedules(rng, graph)


def text_of(design: Design) -> str:
    return "\n".join(f"// ==== {p.name}\n{p.read_text()}" for p in design.paths)


@pytest.mark.parametrize(("form", "schedules"), [("folded", FOLDED), ("spatial", SPATIAL)])
def test_snapshot(form, schedules, tmp_path, snapshot) -> None:
    text = text_of(emit(perceptron(), schedules, tmp_path))
    snapshot.check(re.sub(r"hwgen \d[\w.]*;", "hwgen (version);", text), f"{form}.v")


def test_equal_from_run_to_run(tmp_path) -> None:
    code = (
        "import sys; from pathlib import Path; from hwgen.rtl.emit import emit;"
        "from tests.rtl.test_verilog import network, perceptron, FOLDED;"
        "emit(perceptron(), FOLDED, Path(sys.argv[1]) / 'a');"
        "emit(*network(5), Path(sys.argv[1]) / 'b')"
    )
    digests = set()
    for seed in ("0", "4321"):
        folder = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            env={**tools.tool_environment(), "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            check=True,
        )
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*.*")):
            digest.update(path.name.encode() + path.read_bytes())
        digests.add(digest.hexdigest())
    assert len(digests) == 1


def test_ports_in_order_and_no_machine_names(tmp_path) -> None:
    for at, (graph, schedules) in enumerate([(perceptron(), FOLDED), network(3), network(8)]):
        design = emit(graph, schedules, tmp_path / str(at))
        for path in design.paths:
            text = path.read_text()
            assert "\\" not in text and not re.search(r"\b_\d+_\b|\$\d", text), path
            head = re.search(r"^module (\w+) \((.*?)\n\);", text, re.S | re.M)
            assert head and head.group(1) == path.stem
            ports = re.findall(r"(\w+)(?: = \S+?)?,?$", head.group(2), re.M)
            if path.stem.endswith("_matrix") or path.stem == design.top:
                continue
            assert [p for p in ("clk", "rst") if p in ports] == ports[: ports.index(ports[2])][:2]
            streams = [port.rpartition("_")[0] for port in ports[2:]]
            assert streams == sorted(streams), ports


@pytest.mark.parametrize("seed", range(4))
def test_tools_accept_it(seed, tmp_path) -> None:
    design = emit(*network(seed), tmp_path)
    if not tools.missing("verilator"):
        lint(design)
    sources = [str(path) for path in design.paths]
    if not tools.missing("iverilog"):
        output = tmp_path / "a.out"
        command = ["iverilog", "-g2001", "-Wall", "-Wno-timescale", "-o", str(output), *sources]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr
    script = [f"read_verilog {' '.join(sources)}", f"hierarchy -check -top {design.top}"]
    _yosys([*script, "proc", "check -assert"])


def _yosys(script: list[str]) -> None:
    code = (
        "import sys; from pyosys import libyosys as ys\n"
        "design = ys.Design()\n"
        "for command in sys.argv[1:]: ys.run_pass('tee -q ' + command, design)\n"
        "print('finished')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "finished" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 40))]
)
def test_tidy_changes_nothing(seed, tmp_path, monkeypatch) -> None:
    """Proven: what `tidy` writes is equivalent to what Yosys wrote, register by register."""
    pairs = []
    tidy = emit_module.tidy

    def record(text: str) -> str:
        pairs.append((text, tidy(text)))
        return pairs[-1][1]

    monkeypatch.setattr(emit_module, "tidy", record)
    emit(*(network(seed) if seed else (perceptron(), FOLDED)), tmp_path)
    proven = 0
    for before, after in pairs:
        if len(before) > 60_000 or re.search(r"^  \w+ \w+ \($", before, re.M):
            continue  # too large to prove here, or made of other modules
        name = re.match(r"module (\w+)", after).group(1)
        old, new = tmp_path / "old.v", tmp_path / "new.v"
        old.write_text(before)
        new.write_text(after)
        script = [f"read_verilog {old}", f"rename {name} gold"]
        script += [f"read_verilog {new}", f"rename {name} gate", "proc", "memory_map", "opt_clean"]
        script += ["equiv_make gold gate equiv", "hierarchy -top equiv"]
        _yosys([*script, "equiv_simple -undef", "equiv_induct -undef", "equiv_status -assert"])
        proven += 1
    assert proven


ROM = r"(weight_rom\[\d+\] = \d+'h)([0-9a-f]+)"

MUTATIONS = {
    "a weight in a ROM": (
        FOLDED,
        "small_fc1_dense.v",
        ROM,
        lambda m: m[1] + f"{int(m[2], 16) ^ 4:x}",
    ),
    "a bias": (
        FOLDED,
        "small_fc2_dense.v",
        r"(bias_rom\[\d+\] = \d+'h)([0-9a-f]+)",
        lambda m: m[1] + f"{int(m[2], 16) ^ 1:x}",
    ),
    "a weight in logic": (SPATIAL, "small_fc1_dense_matrix.v", r"\bx6}", lambda m: "x7}"),
    "an addition": (
        SPATIAL,
        "small_fc2_dense_matrix.v",
        r"(n\d+ = \S+ \S+) \+ ",
        lambda m: m[1] + " - ",
    ),
    "a shift": (
        SPATIAL,
        "small_act1_requantize.v",
        r"rounded0\[6:3\]",
        lambda m: "rounded0[7:4]",
    ),
    "a bound": (SPATIAL, "small_act1_requantize.v", r"4'hf", lambda m: "4'he"),
    "ready ignores the output": (SPATIAL, "small_act1_requantize.v", r" \| o_ready", lambda m: ""),
    "ready is always high": (
        SPATIAL,
        "small_act1_requantize.v",
        r"assign i_ready = .*;",
        lambda m: "assign i_ready = 1'h1;",
    ),
    "the array never waits": (
        FOLDED,
        "small_fc1_dense.v",
        r"assign enable = .*;",
        lambda m: "assign enable = 1'h1;",
    ),
    "the line buffer overflows": (
        FOLDED,
        "small_fc2_dense.v",
        r"assign i_ready = .*;",
        lambda m: "assign i_ready = 1'h1;",
    ),
    "a counter ignores reset": (
        FOLDED,
        "small_fc1_dense.v",
        r"      ahead <= \d'h0+;\n",
        lambda m: "      ahead <= ahead;\n",
    ),
    "of equals the last wins": (
        FOLDED,
        "small_best_argmax.v",
        r"\) > \$signed",
        lambda m: ") >= $signed",
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_benches_see_mutations(mutation, tmp_path) -> None:
    if missing := simulator("verilator").missing():
        pytest.skip(missing)
    schedules, file, pattern, change = MUTATIONS[mutation]
    # An index would hide small differences.
    graph = perceptron(best="argmax" in file)
    design = emit(graph, schedules, tmp_path)
    path = tmp_path / file
    text, count = re.subn(pattern, change, path.read_text(), count=1)
    assert count, path.read_text()
    path.write_text(text)
    x = samples(graph, 400)
    with pytest.raises(HwgenError):
        protocol_check(design, simulator("verilator"), x, graph.run(x))


def test_without_mutations_it_passes(tmp_path) -> None:
    for at, schedules in enumerate((FOLDED, SPATIAL)):
        design = emit(perceptron(), schedules, tmp_path / str(at))
        check_design(design, perceptron(), frames=400)


@pytest.mark.parametrize("engine", ["icarus", "verilator"])
def test_leaf_equals_its_twin(engine, tmp_path) -> None:
    """Constant matrices: the Verilog leaf here, Amaranth's statements in test_constant_matrix."""
    check_design(emit(perceptron(), SPATIAL, tmp_path), perceptron(), engine=engine)
