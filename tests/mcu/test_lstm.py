"""The LSTM in C: every arm and weight code, state from run to run, zeros that are skipped or not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.errors import HwgenError, RuleViolation, Unsupported
from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.mcu.build import CBuild
from hwgen.mcu.columns import ROWS, Columns, column_blocks, plan_lines
from hwgen.mcu.dsp.column_kernels import COLUMN_KERNELS
from hwgen.mcu.emit import emit
from hwgen.mcu.storage import CType
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host, run_on_host
from hwgen.ops.clip import Clip
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.lib import gates
from hwgen.ops.lstm import Lstm
from hwgen.sim.riscv.models import inferences, run_many_on_core, run_on_core
from tests.mcu.poisoned import run_poisoned_on_host
from tests.mcu.stub import ADDRESSES, THREADS, needs_threads
from tests.mcu.test_gap8 import ARMS
from tests.mcu.test_gap8 import check as check_gap
from tests.ops.draw import draw_weights

CODES = (
    *("uniform", "binary", "ternary", "power_of_two", "basis"),
    *("lfsr_masked", "structured_sparse"),
)
INPUTS = ((-128, 127), (0, 255), (0, 1), (-2000, 2000), (0, 60_000))
RISCV = ("rv32imc", "cv32e40p", "gap8")
SAMPLES = 6


def cell(
    rng: np.random.Generator,
    units: int,
    x: Type,
    codes: tuple[str, str] = ("ternary", "ternary"),
    gain: int = 30,
    shift: int = 4,
    **options,
) -> Lstm:
    """A cell with random weights; ``gain`` decides how far it saturates."""
    rows, features = 4 * units, x.shape[1]

    def gains() -> Constant:
        return Constant(rng.integers(-gain, gain, rows, endpoint=True))

    weights = [
        draw_weights(rng, (rows, count), kind)
        for count, kind in zip((features, units), codes, strict=True)
    ]
    most = min(2000 << shift, (1 << 30) - 1)
    bias = Constant(rng.integers(-most, most, rows, endpoint=True))
    return Lstm(*weights, gains(), gains(), bias, shift, **options)


def alone(op: Lstm, x: Type, name: str = "one_lstm") -> Graph:
    """A graph of one cell."""
    builder = GraphBuilder(name)
    return builder.build(builder.add(op, builder.input(x), name="cell", layer="lstm"))


def draw(rng: np.random.Generator, code: str) -> Graph:
    """A random cell, one matrix of it with the given code, within what is legal."""
    while True:
        lo, hi = INPUTS[rng.integers(len(INPUTS))]
        x = Type.of((int(rng.integers(1, 9)), int(rng.integers(1, 10))), lo, hi)
        codes = [code, str(rng.choice(CODES[:5]))]
        if x.shape[1] == 1:
            codes[0], codes[1] = "uniform", code
        units = int(rng.integers(2, 41) if code == "structured_sparse" else rng.integers(1, 41))
        op = cell(
            rng,
            units,
            x,
            tuple(codes),
            int(rng.choice([0, 3, 30, 300, 32_767])),
            int(rng.integers(0, 12)),
            activation=str(rng.choice(["plan", "table"])),
            threshold=int(rng.choice([0, 1, 3, 40, 128])),
            every_step=bool(rng.integers(2)),
            stateful=bool(rng.integers(2)),
        )
        try:
            return alone(op, x)
        except RuleViolation as error:  # gains times products beyond 32 bits
            assert "2^31" in str(error)


def samples(rng: np.random.Generator, x: Type, count: int = SAMPLES) -> np.ndarray:
    """Inputs, many of them zero, some at their ends."""
    values = rng.integers(x.lo, x.hi, (count, *x.shape), endpoint=True)
    ends = rng.random(values.shape) < 0.1
    values[ends] = rng.choice([x.lo, x.hi], ends.sum())
    zeros = rng.random(values.shape) < 0.5
    return np.where(zeros & (x.lo <= 0), 0, values)


def cells(seed: int, count: int = len(CODES)) -> list[Graph]:
    """Random cells; of fewer than all codes, those from one that the seed chooses."""
    rng = np.random.default_rng(seed)
    return [draw(rng, CODES[(seed + k) % len(CODES)]) for k in range(count)]


def jobs_of(graphs: list[Graph], folder: Path, target: str, seed: int = 0, count: int = SAMPLES):
    """What runners take, and what they must return."""
    rng = np.random.default_rng(seed)
    jobs, expected = [], []
    for at, graph in enumerate(graphs):
        x = samples(rng, graph.input_type, count)
        jobs.append((emit(graph, folder / str(at), target), x))
        expected.append(graph.run(x))
    return jobs, expected


def check(results, expected, graphs) -> None:
    for got, want, graph in zip(results, expected, graphs, strict=True):
        assert np.array_equal(got, want), f"{graph['cell'].op}"[:2000]


def saturating() -> list[Graph]:
    """z, c and h at both of their ends, of both activations: gates that are open or closed."""
    graphs = []
    for activation in ("plan", "table"):
        for sign in (-1, 1):
            units = 5
            ones = Ternary(Constant(np.ones((4 * units, 3), dtype=np.int64)))
            back = Ternary(Constant(np.eye(4 * units, units, dtype=np.int64)))
            large = np.full(4 * units, 30_000)
            bias = np.repeat([2047, 2047, sign * 2047, 2047], units) << 4
            bias[::units] += 30_000 * np.sign(bias[::units])  # beyond what z can be
            op = Lstm(
                *(ones, back, Constant(large), Constant(np.zeros_like(large)), Constant(bias), 4),
                activation=activation,
                every_step=True,
            )
            graphs.append(alone(op, Type.of((8, 3), -1, 1)))
    return graphs


def test_on_this_machine(tmp_path):
    """Plain C under ASan and UBSan."""
    graphs = [*cells(0, 5), *saturating()[:2]]
    jobs, expected = jobs_of(graphs, tmp_path, "host")
    check(run_many_on_host(jobs, sanitize=True), expected, graphs)


def test_saturation_is_reached(tmp_path):
    seen = []
    for graph in saturating():
        op = graph["cell"].op
        state = op.initial_state(1)
        for step in np.zeros((8, 1, 3), dtype=np.int64):
            state = op.step(step, state)
        seen.append((int(state.c[0, 0]), int(state.h[0, 0])))
    assert {c for c, _ in seen} == {-2048, 2047}
    assert {h for _, h in seen} == {-128, 127}


@pytest.mark.parametrize("target", RISCV)
def test_on_a_simulated_core(tmp_path, target):
    """Every arm in the instruction-set simulator."""
    pytest.importorskip("ziglang")
    at = RISCV.index(target)
    graphs = [*cells(10 + 2 * at, 3), saturating()[at]]
    jobs, expected = jobs_of(graphs, tmp_path, target, count=3)
    cores = find_target(target).cores
    check(run_many_on_core(jobs, "iss", cores), expected, graphs)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cv32e40p", "gap8"])
def test_on_the_rtl_of_a_core(tmp_path, target):
    pytest.importorskip("ziglang")
    graphs = [*cells(20), *saturating()]
    jobs, expected = jobs_of(graphs, tmp_path, target, count=2)
    engine = find_target(target).simulators[-1]
    check(run_many_on_core(jobs, engine, find_target(target).cores), expected, graphs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_many(tmp_path, seed):
    pytest.importorskip("ziglang")
    graphs = [*cells(seed), *saturating()]
    target = RISCV[seed % 3]
    jobs, expected = jobs_of(graphs, tmp_path, target, seed)
    check(run_many_on_host(jobs, sanitize=True), expected, graphs)
    cores = find_target(target).cores
    check(run_many_on_core(jobs, "iss", cores), expected, graphs)
    check(run_many_on_core([(dense(build), x) for build, x in jobs], "iss"), expected, graphs)


# ---- Which micro-kernel, and how weights lie ----------------------------------------------------


def weights_of(bits: int, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    if bits == 1:
        return rng.choice([-1, 1], shape)
    most = (1 << (bits - 1)) - 1
    matrix = rng.integers(-most, most, shape, endpoint=True)
    matrix[0, 0] = most
    return matrix


@pytest.mark.parametrize("kernel", COLUMN_KERNELS, ids=lambda k: k.name)
def test_packed_columns_hold_the_weights(kernel):
    """Unpacked as the header says: fields of bytes, bytes of columns, columns of blocks."""
    rng = np.random.default_rng(kernel.bits)
    matrix = weights_of(kernel.bits, rng, (4 * 6, 5))
    columns = Columns.of(matrix, CType(8, not kernel.unsigned))
    assert columns.kernel == kernel
    blocks = column_blocks(matrix, 6)
    packed = columns.pack(blocks)
    for block, stored in zip(blocks, packed, strict=True):
        for r in range(ROWS):
            part, inside = divmod(r, kernel.rows)
            for k in range(5):
                at = (part * 5 + k) * kernel.column_bytes + inside // kernel.fields
                byte, f = int(stored[at]), inside % kernel.fields
                if kernel.bits == 1:
                    weight = -1 if byte >> f & 1 else 1
                else:
                    least = kernel.bias
                    field = ((byte + least & 0xFF) >> (kernel.bits * f)) & ((1 << kernel.bits) - 1)
                    weight = field - ((1 << (kernel.bits - 1)) - 1)
                    if kernel.bits == 8:
                        weight = byte - 256 * (byte > 127)
                missing = not block.any() and kernel.bits == 1
                assert missing or weight == block[r, k] or (kernel.bits == 1 and block[r, k] == 0)


@pytest.mark.parametrize("target", [pytest.param("host", marks=pytest.mark.slow), "cv32e40p"])
def test_every_micro_kernel(tmp_path, target):
    """All widths of weights with both types of data: of the input, and of the state."""
    if target != "host":
        pytest.importorskip("ziglang")
    rng = np.random.default_rng(5)
    graphs = []
    for bits in (1, 2, 4, 8):
        for lo, hi in ((-128, 127), (0, 255)):
            x = Type.of((3, 7), lo, hi)
            codes = [
                (Binary, Ternary)[bits - 1](Constant(weights_of(bits, rng, shape)))
                if bits < 3
                else Uniform(Constant(weights_of(bits, rng, shape)), bits)
                for shape in ((24, 7), (24, 6))
            ]
            drawn = cell(rng, 6, x, gain=8 if bits < 8 else 1, every_step=True)
            graphs.append(
                alone(replace(drawn, input_weights=codes[0], recurrent_weights=codes[1]), x)
            )
    jobs, expected = jobs_of(graphs, tmp_path, target)
    texts = [(b.folder / "one_lstm.c").read_text() for b, _ in jobs]
    called = {name for text in texts for name in re.findall(r"hwgen_columns_[su]8_\d", text)}
    assert called == {kernel.name for kernel in COLUMN_KERNELS}
    runner = run_many_on_host if target == "host" else run_many_on_core
    check(runner(jobs), expected, graphs)
    assert min(len(np.unique(y)) for y in expected) > 5


@pytest.mark.parametrize("kernel", COLUMN_KERNELS, ids=lambda k: k.name)
def test_inner_loop_never_waits_for_a_load(kernel):
    body = [re.findall(r"%\[(\w+)\]", line) for line in kernel.assembly.body]
    for line, operands, after in zip(kernel.assembly.body, body, body[1:], strict=False):
        if "P_LW" in line or "P_LHU" in line:
            assert operands[0] not in after[1:]


def test_the_plan_is_the_least_of_its_lines():
    """As two lanes compute it; without the floor it is not."""
    z = np.arange(-4096, 4096)
    a = np.abs(z)
    want = np.where(a < gates.LIMIT, gates.sigmoid(np.minimum(a, 2047), "plan") - 128, 128)
    for has_floors in (True, False):
        y = np.full_like(a, 128)
        for shift, offset, floor in plan_lines():
            y = np.minimum(y, np.maximum((a >> shift) + offset, floor * has_floors))
        assert np.array_equal(y, want) == has_floors


# ---- Zeros --------------------------------------------------------------------------------------


def dense(build: CBuild) -> CBuild:
    """The model that multiplies zeros too."""
    source = build.folder / build.sources[0]
    source.write_text("#define HWGEN_EVERY_COLUMN\n" + source.read_text())
    return build


@pytest.mark.parametrize("target", ["host", "cv32e40p"])
def test_skipping_changes_no_bit(tmp_path, target):
    if target != "host":
        pytest.importorskip("ziglang")
    graphs = cells(30, 2)
    jobs, expected = jobs_of(graphs, tmp_path, target, count=3)
    runner = run_many_on_host if target == "host" else run_many_on_core
    check(runner([(dense(build), x) for build, x in jobs]), expected, graphs)


def quiet(units: int, features: int, zeros: float = 0.9) -> tuple[Graph, np.ndarray]:
    """A cell of which that share of the states is 0 at every step, and as quiet an input."""
    rng = np.random.default_rng(0)
    loud = max(1, round(units * (1 - zeros)))
    closed = np.where(np.arange(units) < loud, 0, -2047)
    bias = np.concatenate([np.zeros(units), np.zeros(units), np.zeros(units), closed])
    weights = [Ternary(Constant(rng.choice([-1, 0, 1], (4 * units, n)))) for n in (features, units)]
    gains = Constant(np.where(np.tile(closed, 4) < 0, 0, 20))
    bias = Constant(bias.astype(np.int64) + np.tile(np.where(closed < 0, 0, 100), 4))
    op = Lstm(*weights, gains, gains, bias, 0, stateful=True)
    x = np.zeros((4, 1, features), dtype=np.int64)
    x[:, :, : max(1, round(features * (1 - zeros)))] = 50
    return alone(op, Type.of((1, features), -128, 127)), x


def test_zeros_take_no_time(tmp_path):
    """On the simulated core, against the same function with every column."""
    pytest.importorskip("ziglang")
    graph, x = quiet(96, 16)
    states = graph["cell"].op.states(x)
    assert 4 <= np.count_nonzero(states[-1]) <= 10
    cycles = []
    for change in (lambda build: build, dense):
        build = change(emit(graph, tmp_path / str(len(cycles)), "cv32e40p"))
        got, run = run_on_core(build, x)
        assert np.array_equal(got, graph.run(x))
        cycles.append(inferences(run)[-1].cycles)
    assert 2 * cycles[0] < cycles[1]


# ---- State --------------------------------------------------------------------------------------


def streams(seed: int = 40) -> tuple[Lstm, np.ndarray]:
    """A cell and a sequence of 12 steps."""
    rng = np.random.default_rng(seed)
    x = Type.of((12, 4), -128, 127)
    op = cell(rng, 9, x, ("uniform", "ternary"), gain=12, every_step=True)
    return op, samples(rng, x, 1)


@pytest.mark.parametrize("target", ["host", "cv32e40p", "gap8"])
def test_frames_are_parts_of_a_sequence(tmp_path, target):
    """One by one with a state, or in chunks: what the whole sequence gives."""
    op, x = streams()
    whole = alone(op, Type.of((12, 4), -128, 127)).run(x)[0]
    assert len(np.unique(whole)) > 20
    jobs = []
    for steps in (1, 3):
        graph = alone(replace(op, stateful=True), Type.of((steps, 4), -128, 127))
        jobs.append((emit(graph, tmp_path / str(steps), target), x.reshape(-1, steps, 4)))
    assert all(build.state_bytes == 12 * 3 for build, _ in jobs)  # h and c of whole blocks
    if target == "host":
        results = run_many_on_host(jobs, sanitize=True)
    else:
        pytest.importorskip("ziglang")
        results = run_many_on_core(jobs, "iss", find_target(target).cores)
    for result in results:
        assert np.array_equal(result.reshape(12, 9), whole)


def test_state_is_the_callers_alone(tmp_path):
    """Arena and fast memory are filled with garbage before every run."""
    op, x = streams(41)
    frames = x.reshape(-1, 2, 4)
    jobs, expected = [], []
    for target, stateful in (("host", False), ("gap8", True)):
        graph = alone(replace(op, stateful=stateful), Type.of((2, 4), -128, 127))
        jobs.append((emit(graph, tmp_path / target, target), frames))
        expected.append(graph.run(frames))
    got = run_poisoned_on_host(jobs, tmp_path)
    assert all(np.array_equal(y, want) for y, want in zip(got, expected, strict=True))
    assert not np.array_equal(*expected)


def test_batch_and_golden_vectors_follow_one_sequence(tmp_path):
    """The emitted programs: with one state, in order."""
    import subprocess

    op, x = streams(42)
    op = replace(op, input_gain=Constant(op.input_gain.array * 40))
    graph = alone(replace(op, stateful=True), Type.of((1, 4), -128, 127), "streamed")
    frames = x.reshape(-1, 1, 4)
    build = emit(graph, tmp_path, samples=frames)
    assert np.array_equal(run_on_host(build, frames), graph.run(frames))
    done = subprocess.run(["make", "-s", "test"], cwd=build.folder, capture_output=True, text=True)
    assert "0 of 12 samples differ" in done.stdout, done.stderr
    assert CBuild.load(build.folder).state_bytes == build.state_bytes > 0
    program = """
#include <string.h>
#include "streamed.h"
int main(void)
{
    static streamed_state_t one, two;
    const streamed_in_t in[2][STREAMED_INPUT_SIZE] = {{90, -3, 0, 7}, {-50, 1, 127, 0}};
    streamed_out_t alone[2][STREAMED_OUTPUT_SIZE], beside[STREAMED_OUTPUT_SIZE];
    static _Alignas(STREAMED_ARENA_ALIGN) unsigned char arena[STREAMED_ARENA_BYTES];
    streamed_reset(&one);
    for (int i = 0; i < 2; i++) {
        if (streamed_run(in[i], alone[i], arena, &one) != 0) { return 1; }
    }
    streamed_reset(&one);
    streamed_reset(&two);
    for (int i = 0; i < 2; i++) { /* two sequences, interleaved */
        streamed_run(in[i], beside, arena, &one);
        if (memcmp(beside, alone[i], sizeof beside) != 0) { return 2; }
        streamed_run(in[1 - i], beside, arena, &two);
        if (i == 0 && memcmp(beside, alone[0], sizeof beside) == 0) { return 3; }
    }
    return streamed_run(in[0], beside, NULL, &one) == 1 ? 0 : 4;
}
"""
    (build.folder / "user.c").write_text(program)
    command = ["cc", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-o", "user"]
    subprocess.run([*command, "user.c", "streamed.c"], cwd=build.folder, check=True)
    assert subprocess.run(["./user"], cwd=build.folder).returncode == 0


@pytest.mark.parametrize("arm", ["greenwaves", pytest.param("plain", marks=pytest.mark.slow)])
def test_state_on_the_stand_in_for_the_sdk(tmp_path, arm):
    """GAP8's main program: samples in order, late transfers, 8 cores."""
    op, x = streams(44)
    graph = alone(replace(op, stateful=True), Type.of((3, 4), -128, 127))
    frames = x.reshape(-1, 3, 4)
    assert len(np.unique(graph.run(frames))) > 20
    made = emit(graph, tmp_path, "gap8", frames)
    if arm == "plain":
        needs_threads()
        check_gap(made, (*THREADS, *ARMS[arm]), (8, "thread"))
    else:
        check_gap(made, (*ADDRESSES, *ARMS[arm]), (8, "late"), (3, "crossed"))


def test_models_without_state_have_none(tmp_path):
    op, _ = streams()
    build = emit(alone(op, Type.of((12, 4), -128, 127)), tmp_path)
    assert build.state_bytes == 0
    assert "state_bytes" not in (build.folder / "build.json").read_text()
    for name in ("one_lstm.h", "one_lstm_batch.c", "README.md"):
        assert "state" not in (build.folder / name).read_text()


def test_two_cells_have_a_state_each(tmp_path):
    """An epilogue between them, names that C or the template uses."""
    rng = np.random.default_rng(43)
    x = Type.of((2, 3), -128, 127)
    first = cell(rng, 5, x, gain=40, every_step=True, stateful=True)
    builder = GraphBuilder("two")
    h = builder.add(first, builder.input(x), name="h")
    h = builder.add(Clip(-50, 40), h, name="a")
    inner = Type.of((2, 5), -50, 40)
    second = cell(rng, 6, inner, ("binary", "uniform"), gain=40, every_step=True, stateful=True)
    graph = builder.build(builder.add(second, h, name="state"))
    frames = samples(rng, x, 8)
    want = graph.run(frames)
    assert len(np.unique(want)) > 5
    for target in ("host", "gap8"):
        build = emit(graph, tmp_path / target, target)
        assert np.array_equal(run_on_host(build, frames, sanitize=True), want)


# ---- Memory -------------------------------------------------------------------------------------


def wide(units: int, features: int) -> Graph:
    """A cell with weights of 8 bits."""
    rng = np.random.default_rng(50)
    x = Type.of((2, features), -128, 127)
    weights = [
        Uniform(Constant(rng.integers(-127, 127, (4 * units, n), endpoint=True)), 8)
        for n in (features, units)
    ]
    op = cell(rng, units, x, gain=1)
    return alone(replace(op, input_weights=weights[0], recurrent_weights=weights[1]), x)


def test_weights_that_do_not_fit_fast_memory_stay(tmp_path):
    """GAP8: a matrix beyond L1 is read where it lies."""
    pytest.importorskip("ziglang")
    graph = wide(112, 12)
    build = emit(graph, tmp_path, "gap8")
    text = (build.folder / "one_lstm.c").read_text()
    assert re.search(r"^static const _Alignas\(4\) uint8_t cell_recurrent_weights", text, re.M)
    assert "constants->cell_input_weights[block]" in text
    x = samples(np.random.default_rng(0), graph.input_type, 2)
    got, _ = run_on_core(build, x, "iss", 8)
    assert np.array_equal(got, graph.run(x))


def test_what_fits_nowhere_is_refused(tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text('extends = "gap8"\n[memory]\nl1 = 24_576\nl2 = 28_672\nl3 = 0\nreserve = 0\n')
    with pytest.raises(Unsupported, match=r"L2|bytes") as caught:
        emit(wide(80, 20), tmp_path, str(file))
    assert isinstance(caught.value, HwgenError)
    flat = tmp_path / "flat.toml"
    flat.write_text('extends = "cv32e40p"\n[memory]\nl2 = 49_152\n')
    with pytest.raises(Unsupported, match=r"the model needs .* bytes of memory"):
        emit(wide(60, 20), tmp_path, str(flat))


# ---- Mutations ----------------------------------------------------------------------------------

MUTATIONS = {
    "a line of PLAN": ("hwgen_recurrent.h", r"\(a >> 3\) \+ 32", "(a >> 3) + 33"),
    "where a line of PLAN begins": ("hwgen_recurrent.h", "a < 608", "a < 600"),
    "the end of PLAN": ("hwgen_recurrent.h", "a < 1280", "a < 1200"),
    "gates": (
        "hwgen_recurrent.h",
        r"in = 128 \+ hwgen_plan\(z\[u\]\);(\s+)(.*?forget) = 128 \+ hwgen_plan\(z\[4 \+ u\]\)",
        r"in = 128 + hwgen_plan(z[4 + u]);\1\2 = 128 + hwgen_plan(z[u])",
    ),
    "the state's saturation": ("hwgen_recurrent.h", r"(9\)), 127\)", r"\1, 126)"),
    "the threshold": ("one_lstm.c", r"(, )3\);", r"\g<1>4);"),
    "the shift": ("one_lstm.c", r"(bias\[r\], )4", r"\g<1>3"),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_changed_model_is_seen(tmp_path, what):
    """Each of these changes a bit somewhere in 40 sequences."""
    rng = np.random.default_rng(60)
    x = Type.of((6, 4), -128, 127)
    op = cell(rng, 20, x, gain=60, threshold=3, every_step=True)
    op = replace(op, bias=Constant(rng.integers(-30_000, 30_000, 80)))
    graph = alone(op, x)
    frames = samples(rng, x, 40)
    build = emit(graph, tmp_path)
    assert np.array_equal(run_on_host(build, frames), graph.run(frames))
    name, pattern, instead = MUTATIONS[what]
    file = build.folder / name
    text = file.read_text()
    mutated = re.sub(pattern, instead, text, count=1)
    assert mutated != text
    file.write_text(mutated)
    assert not np.array_equal(run_on_host(build, frames), graph.run(frames))


def test_a_changed_lane_is_seen(tmp_path):
    """The arms of DSP cores have a PLAN of their own."""
    pytest.importorskip("ziglang")
    rng = np.random.default_rng(61)
    x = Type.of((6, 4), -128, 127)
    op = replace(cell(rng, 20, x, gain=60), bias=Constant(rng.integers(-30_000, 30_000, 80)))
    graph = alone(replace(op, every_step=True), x)
    frames = samples(rng, x, 10)
    jobs = []
    changes = {
        "": "",
        "HWGEN_BOTH(88)": "HWGEN_BOTH(87)",
        "HWGEN_BOTH(107)": "HWGEN_BOTH(0)",
        "hwgen_low_halves(forget, in)": "hwgen_low_halves(in, forget)",
    }
    for at, (old, new) in enumerate(changes.items()):
        build = emit(graph, tmp_path / str(at), "cv32e40p")
        file = build.folder / "hwgen_recurrent.h"
        text = file.read_text()
        assert not old or old in text
        file.write_text(text.replace(old, new) if old else text)
        jobs.append((build, frames))
    same = [np.array_equal(y, graph.run(frames)) for y in run_many_on_core(jobs)]
    assert same == [True, False, False, False]
