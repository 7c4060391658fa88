"""Dense layers under a mask: serial lanes, scanning lanes, and folded arrays."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hwgen.errors import HwgenError, InvalidInput
from hwgen.ir import Constant, Graph, Int, Schedule, Type
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.lfsr_masked import LfsrMasked
from hwgen.ops.codes.power_of_two import PowerOfTwo
from hwgen.ops.codes.structured_sparse import StructuredSparse
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense
from hwgen.ops.lib import lfsr
from hwgen.passes.schedule import parse_schedule
from hwgen.passes.schedule import schedule as pick
from hwgen.report.table import layer_table
from hwgen.rtl.emit import emit
from hwgen.rtl.network import Network
from hwgen.sim import protocol_check, simulator
from hwgen.sim.verilated import lint
from tests.ops import draw as d
from tests.rtl.bench import check_design, check_network
from tests.rtl.draw import samples
from tests.rtl.test_layers import one


def kept_weights(rng: np.random.Generator, count: int, bits: int):
    """Weights of ``bits`` bits: signs, ternary, powers of two, and uniform ones."""
    if bits == 1:
        return Binary(Constant(rng.choice([-1, 1], count)))
    if bits == 2:
        return Ternary(Constant(rng.choice([-1, 0, 1, 1], count)))
    if bits == 3:
        return PowerOfTwo(Constant(rng.choice([-4, -2, -1, 0, 1, 2, 4], count)), 3)
    kind = Int(bits, signed=True)
    return Uniform(Constant(rng.integers(kind.lo, kind.hi, count, endpoint=True)), bits)


def masked(inputs: int, outputs: int, bits: int, density: float = 0.1, leap: int = 0) -> LfsrMasked:
    width = lfsr.default_width(inputs, outputs)
    taps, leap = lfsr.TAPS[width], leap or lfsr.default_leap(width)
    seeds, limit = lfsr.golden_seeds(outputs, width, taps), lfsr.threshold(density, width)
    kept = int(lfsr.mask(inputs, seeds, width, taps, leap, limit).sum())
    rng = np.random.default_rng(inputs + bits)
    weights = kept_weights(rng, kept, bits)
    return LfsrMasked(weights, (inputs,), width, taps, leap, limit, Constant(seeds))


def layer(code, bits: int = 8) -> Graph:
    outputs, inputs = code.shape
    bias = np.random.default_rng(1).integers(-500, 500, outputs)
    return one(
        Dense(code, Constant(bias)), Type.of((inputs,), -(1 << bits - 1), (1 << bits - 1) - 1)
    )


def density(inputs: int) -> float:
    return 0.5 if inputs < 64 else 0.25 if inputs == 64 else 0.1


@pytest.mark.parametrize("form", ["serial:3", "scan:3x16"])
@pytest.mark.parametrize(("inputs", "bits"), [(5, 1), (5, 8), (64, 2)])
def test_small_layers(inputs, bits, form) -> None:
    graph = layer(masked(inputs, 6, bits, density(inputs)), bits=4)
    check_network(graph, {"node": parse_schedule(form)})


def check_verilog(graph: Graph, form: str, folder, frames: int = 6) -> None:
    schedule = parse_schedule(form)
    design = emit(graph, {"node": schedule}, folder)
    check_design(design, graph, frames)
    node = graph["node"]
    cost = node.op.cost(*graph.operands(node), schedule=schedule)
    assert design.interval == cost.cycles


def test_a_scanning_lane_takes_a_tenth_of_the_clocks(tmp_path) -> None:
    """n = 1023 at density 0.1: at most 110 clocks an output, where a serial lane takes 1023."""
    if missing := simulator("verilator").missing():
        pytest.skip(missing)
    code = masked(1023, 24, bits=4)
    assert set(code.counts()) == {102}
    graph = layer(code)
    check_verilog(graph, "scan:2x16", tmp_path)
    turns = 24 // 2
    interval = Network(graph, {"node": parse_schedule("scan:2x16")}).interval
    assert interval <= turns * 110
    assert Network(graph, {"node": parse_schedule("serial:2")}).interval == turns * 1023


@pytest.mark.slow
@pytest.mark.parametrize("form", ["serial:2", "scan:1x4", "scan:2x8", "scan:6x16"])
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("inputs", [5, 64, 784, 1023])
def test_layers_of_every_size(inputs, bits, form, tmp_path) -> None:
    if missing := simulator("verilator").missing():
        pytest.skip(missing)
    code = masked(inputs, 6, bits, density(inputs), leap=1 if bits % 3 == 0 else 0)
    check_verilog(layer(code), form, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("density", [0.08, 0.15, 0.3, 0.9])
@pytest.mark.parametrize("inputs", [97, 300])
def test_the_queue_is_full_or_empty(inputs, density) -> None:
    """Scanners that wait for the multiplier, and the other way round."""
    code = masked(inputs, 4, 3, density, leap=1)
    for form in ("scan:1x16", "scan:2x4"):
        check_network(layer(code, bits=2), {"node": parse_schedule(form)})


def test_every_state_keeps() -> None:
    """A threshold above all states: nothing is masked, the comparison is a constant."""
    code = masked(9, 4, 4, density=1.0)
    assert code.threshold == 1 << code.width
    for form in ("serial:2", "scan:4x4"):
        check_network(layer(code, bits=2), {"node": parse_schedule(form)})


def test_one_weight_a_lane() -> None:
    """One input, so that memories are constants and a beat is a frame."""
    code = masked(1, 2, 4, density=1.0)
    for form in ("serial:1", "serial:2", "scan:1x4", "scan:2x16"):
        check_network(layer(code, bits=3), {"node": parse_schedule(form)})


@pytest.mark.parametrize("form", ["serial:3", "scan:2x8"])
def test_tools_accept_it(form, tmp_path) -> None:
    if missing := simulator("verilator").missing():
        pytest.skip(missing)
    graph = layer(masked(20, 6, 3, 0.4), bits=4)
    design = emit(graph, {"node": parse_schedule(form)}, tmp_path)
    lint(design)
    check_design(design, graph, frames=40)
    for path in design.paths:
        text = path.read_text()
        assert "\\" not in text and not re.search(r"\bport_|signature|\$\d|\b_\d+_\b", text), path


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_stored_zeros_cost_no_multiplier(bits, tmp_path) -> None:
    """A folded array adds, subtracts and shifts where the kept weights let it."""
    rng = np.random.default_rng(bits)
    positions = np.sort(rng.random((6, 3, 4)).argsort(axis=2)[..., :2], axis=2)
    sparse = StructuredSparse(kept_weights(rng, 36, bits), (12,), 4, 1, Constant(positions))
    for at, code in enumerate((masked(12, 6, bits, 0.4), sparse)):
        graph, schedules = layer(code, bits=4), {"node": Schedule("folded", pe=2, simd=3)}
        design = emit(graph, schedules, tmp_path / str(at))
        text = (design.folder / "unit_node_dense.v").read_text()
        assert (" * " in text) == (bits == 4)
        if bits == 1:
            check_network(graph, schedules)


MUTATIONS = {
    "a tap": ("scan:2x8", "*lane0_lfsr.v", r"register\[5:3\]", "register[4:2]"),
    "a tap of the serial lane": ("serial:2", "*lfsr1.v", r"register\[5:3\]", "register[4:2]"),
    "a seed": ("scan:2x8", "*_dense.v", r"(seed_rom\[1\] = \d+'h)(\w+)", ""),
    "a seed of the serial lane": ("serial:2", "*_dense.v", r"(seed_rom\[1\] = \d+'h)(\w+)", ""),
    "the first seed": ("serial:2", "*lfsr0.v", r"(register <= \d+'h)(\w+)", ""),
    "a kept weight": ("scan:2x8", "*lane1.v", r"(weight_rom\[3\] = \d+'h)(\w+)", ""),
    "a count": ("scan:2x8", "*_dense.v", r"(count_rom\[1\] = \d+'h)(\w+)", ""),
    "the queue is never full": (
        "scan:2x8",
        "*lane0.v",
        r"(assign room = ).*;",
        "assign room = 1'h1;",
    ),
    "a frame is freed too early": (
        "scan:2x8",
        "*_dense.v",
        r"assign i_ready = .*;",
        "assign i_ready = 1'h1;",
    ),
    "the lanes never wait": (
        "scan:2x8",
        "*_dense.v",
        r"assign enable = .*;",
        "assign enable = 1'h1;",
    ),
}


FAST = ("a tap of the serial lane", "a seed")


@pytest.mark.parametrize(
    "mutation",
    [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in MUTATIONS],
)
def test_benches_see_mutations(mutation, tmp_path) -> None:
    if missing := simulator("verilator").missing():
        pytest.skip(missing)
    form, file, pattern, text = MUTATIONS[mutation]
    code = masked(200, 6, 4, 0.7 if "queue" in mutation else 0.3, leap=1)
    graph = layer(code)
    design = emit(graph, {"node": parse_schedule(form)}, tmp_path)
    (path,) = tmp_path.glob(file)
    change = text or (lambda m: f"{m[1]}{int(m[2], 16) ^ 1:x}")
    mutated, count = re.subn(pattern, change, path.read_text(), count=1)
    assert count, path.read_text()
    path.write_text(mutated)
    x = samples(graph, 40)
    with pytest.raises(HwgenError):
        protocol_check(design, simulator("verilator"), x, graph.run(x))


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 40))]
)
def test_drawn_layers(seed) -> None:
    """Any kept code, density and leap."""
    rng = np.random.default_rng(seed)
    outputs, inputs = int(rng.integers(1, 7)), int(rng.integers(1, 40))
    graph = layer(d.draw_weights(rng, (outputs, inputs), "lfsr_masked"), bits=3)
    node = graph["node"]
    choices = node.op.schedules(*graph.operands(node))
    choices = [s for s in choices if s.form in ("serial", "scan")]
    check_network(graph, {"node": choices[rng.integers(len(choices))]}, seed=seed)


def test_what_is_stored_is_said(tmp_path, capsys) -> None:
    code = masked(64, 8, 1, 0.25)
    graph, kept = layer(code), int(code.counts().sum())
    says = f"stores {kept} bits against 512 without a mask ({kept / 512:.3f})"
    layer_table(graph, {}, "layers")
    assert says in capsys.readouterr().out
    also = {
        "folded:1x8": "The zeros are stored, too: 1024 bits.",
        "serial:2": "56 bits of seeds in the place of the mask.",
        "scan:2x8": "Each of 2 lanes has two frames of inputs of its own",
    }
    for form, more in also.items():
        design = emit(graph, {"node": parse_schedule(form)}, tmp_path / form)
        head = (design.folder / "unit_node_dense.v").read_text().partition("module")[0]
        assert says in head and more in head


def test_memories_hold_kept_weights_only(tmp_path) -> None:
    code = masked(64, 8, 5, 0.25)
    for form in ("serial:2", "scan:2x8"):
        design = emit(layer(code), {"node": parse_schedule(form)}, tmp_path / form)
        text = "".join(path.read_text() for path in design.paths)
        found = re.findall(r"reg \[(\d+):0\] weight\d?_rom \[(\d+):0\];", text)
        assert len(found) == 2
        assert sum((int(w) + 1) * (int(depth) + 1) for w, depth in found) == code.storage_bits


def test_schedules_are_written_and_picked() -> None:
    graph = layer(masked(64, 8, 4, 0.25))
    node = graph["node"]
    for s in node.op.schedules(*graph.operands(node)):
        text = str(s).replace(" ", ":")
        assert parse_schedule(text) == s
    uniform = one(Dense(Uniform(Constant([[1, 2]]), 3), Constant([0])), Type.of((2,), 0, 3))
    for form in ("serial:1", "scan:1x4"):
        assert pick(graph, choices={"node": parse_schedule(form)})["node"] == parse_schedule(form)
        with pytest.raises(InvalidInput, match="does not fit"):
            pick(uniform, choices={"node": parse_schedule(form)})
    with pytest.raises(InvalidInput, match=r"or scan with such a PE and BITS in \{4, 8, 16\}"):
        pick(graph, choices={"node": parse_schedule("scan:3x8")})
    # With few lanes, only a scanning one is fast enough.
    large = layer(masked(1023, 64, 8))
    chosen = pick(large, cycles=64 * 110)["node"]
    assert chosen.form == "scan" and chosen.pe == 1
