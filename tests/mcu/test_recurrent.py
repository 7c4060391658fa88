"""Recurrent cells in C: every arm and weight code, zeros that are skipped or not, memory."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from hwgen.errors import HwgenError, Unsupported
from hwgen.ir import Constant, Graph, Type
from hwgen.mcu.build import CBuild
from hwgen.mcu.columns import Columns, column_blocks, fours_a_block
from hwgen.mcu.dsp.column_kernels import COLUMN_KERNELS
from hwgen.mcu.emit import emit
from hwgen.mcu.gates import form_of
from hwgen.mcu.storage import CType
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.ops.codes.binary import Binary
from hwgen.ops.codes.ternary import Ternary
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.gru import Gru
from hwgen.ops.lib import gates
from hwgen.ops.lib.recurrent import Recurrent
from hwgen.ops.lstm import Lstm
from hwgen.sim.riscv.models import inferences, run_many_on_core, run_on_core
from tests.mcu.recurrent_cells import (
    KINDS,
    alone,
    cell,
    cells,
    check,
    jobs_of,
    samples,
    saturating,
    wide,
)

RISCV = ("rv32imc", "cv32e40p", "gap8")


def every_saturating() -> list[Graph]:
    return [graph for kind in KINDS for graph in saturating(kind)]


def test_on_this_machine(tmp_path):
    """Plain C under ASan and UBSan."""
    graphs = [*cells(0, 5), saturating(Lstm)[1], saturating(Gru)[0]]
    jobs, expected = jobs_of(graphs, tmp_path, "host")
    check(run_many_on_host(jobs, sanitize=True), expected, graphs)


def test_saturation_is_reached():
    for kind in KINDS:
        seen = []
        for graph in saturating(kind):
            op = graph["cell"].op
            state = op.initial_state(1)
            nothing = np.zeros((1, op.rows), dtype=np.int64)  # of inputs that are all zero
            for _ in range(8):
                state = op.finish(state.h @ op.recurrent_weights.decode().T, nothing, state)
            seen.append((int(state.c[0, 0]), int(state.h[0, 0])))
        assert {c for c, _ in seen} == {-2048, 2047}
        assert {h for _, h in seen} == {-128, 127}


@pytest.mark.parametrize("target", RISCV)
def test_on_a_simulated_core(tmp_path, target):
    """Every arm in the instruction-set simulator."""
    pytest.importorskip("ziglang")
    at = RISCV.index(target)
    graphs = [*cells(10 + 2 * at, 3), saturating(Lstm)[3 - at], saturating(Gru)[at]]
    jobs, expected = jobs_of(graphs, tmp_path, target, count=3)
    cores = find_target(target).cores
    check(run_many_on_core(jobs, "iss", cores), expected, graphs)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cv32e40p", "gap8"])
def test_on_the_rtl_of_a_core(tmp_path, target):
    pytest.importorskip("ziglang")
    graphs = [*cells(20), *every_saturating()]
    jobs, expected = jobs_of(graphs, tmp_path, target, count=2)
    engine = find_target(target).simulators[-1]
    check(run_many_on_core(jobs, engine, find_target(target).cores), expected, graphs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_many(tmp_path, seed):
    pytest.importorskip("ziglang")
    graphs = [*cells(seed), *every_saturating()]
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
@pytest.mark.parametrize("count, fours", [(4, 1), (3, 1), (3, 2), (3, 4)])
def test_packed_columns_hold_the_weights(kernel, count, fours):
    """Unpacked as the header says: fields of bytes, bytes of columns, columns of blocks."""
    rng = np.random.default_rng(kernel.bits)
    matrix = weights_of(kernel.bits, rng, (count * 6, 5))
    columns = Columns.of(matrix, CType(8, not kernel.unsigned))
    assert columns.kernel == kernel
    blocks = column_blocks(matrix, 6, fours)
    packed = columns.pack(blocks)
    for block, stored in zip(blocks, packed, strict=True):
        for r in range(block.shape[0]):
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fours", [1, 2, 4])
def test_rows_of_a_block(kind, fours):
    """Those of four units, gate by gate, then those of the next four."""
    units = 13
    blocks = column_blocks(np.arange(kind.gates * units) + 1, units, fours)
    assert blocks.shape == (-(-units // (4 * fours)), fours * kind.gates * 4)
    for at, row in np.ndenumerate(blocks.reshape(-1, kind.gates, 4)):
        four, gate, unit = at
        unit += 4 * four
        assert row == (gate * units + unit + 1 if unit < units else 0)


def test_no_block_larger_than_it_pays():
    """An LSTM's gates of 4 units are what kernels sum up at once; a GRU's are not."""
    for units in range(1, 70):
        forms = {k.bits: Columns(k, CType(8, False), CType(8, True), units) for k in COLUMN_KERNELS}
        for cores in (1, 8):
            for form in forms.values():
                assert fours_a_block(4, units, (form, form), cores) == 1
        if units % 16 == 0:
            assert fours_a_block(3, units, (forms[2], forms[1]), 1) == 4
            assert fours_a_block(3, units, (forms[8], forms[4]), 1) == 2
        if units <= 32:
            assert fours_a_block(3, units, (forms[2], forms[2]), 8) == 1


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
            kind = KINDS[(bits.bit_length() + (lo < 0)) % 2]
            codes = [
                (Binary, Ternary)[bits - 1](Constant(weights_of(bits, rng, shape)))
                if bits < 3
                else Uniform(Constant(weights_of(bits, rng, shape)), bits)
                for shape in ((kind.gates * 6, 7), (kind.gates * 6, 6))
            ]
            gain = 8 if bits < 8 else 1
            drawn = cell(rng, 6, x, gain=gain, kind=kind, every_step=True)
            graphs.append(
                alone(replace(drawn, input_weights=codes[0], recurrent_weights=codes[1]), x)
            )
    jobs, expected = jobs_of(graphs, tmp_path, target)
    texts = [(b.folder / "one_cell.c").read_text() for b, _ in jobs]
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


@pytest.mark.parametrize("target", ["host", "cv32e40p"])
@pytest.mark.parametrize("activation", gates.ACTIVATIONS)
def test_tables_hold_every_sigmoid(target, activation):
    """Of all z there are: at its own place or at an end."""
    form = form_of(find_target(target), activation)
    z = np.arange(-2048, 2048)
    want = gates.sigmoid(z, activation)
    if form.is_lookup:
        assert form.values[0] == 0
        of_z, of_twice = (
            np.clip(z, -form.most - 1, form.most),
            np.clip(z, -form.tanh_most - 1, form.tanh_most),
        )
        assert np.array_equal(form.values[(of_z >> form.shift) - form.first], 2 * want)
        twice = form.values[(2 * of_twice >> form.shift) - form.first]
        assert np.array_equal(twice - 256, gates.tanh(z, activation))
        assert (
            len(form.values) == (max(form.most, 2 * form.tanh_most) >> form.shift) - form.first + 1
        )
    elif form.ctype:
        half = form.values[np.where(z < 0, ~z, z) >> 4]
        assert np.array_equal(np.where(z < 0, -half, half) + 128, want)


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


def quiet(
    kind: type[Recurrent], units: int, features: int, zeros: float = 0.9
) -> tuple[Graph, np.ndarray]:
    """A cell of which that share of the states is 0 at every step, and as quiet an input."""
    rng = np.random.default_rng(0)
    loud = np.arange(units) < max(1, round(units * (1 - zeros)))
    rows = np.tile(loud, kind.gates)
    weights = [Ternary(Constant(rng.choice([-1, 0, 1], (len(rows), n)))) for n in (features, units)]
    gains, bias = (Constant(np.where(rows, v, 0)) for v in (20, 100))
    more = {"recurrent_bias": Constant(np.where(loud, 100, 0))} if kind is Gru else {}
    op = kind(*weights, gains, gains, bias, 0, stateful=True, **more)
    x = np.zeros((4, 1, features), dtype=np.int64)
    x[:, :, : max(1, round(features * (1 - zeros)))] = 50
    return alone(op, Type.of((1, features), -128, 127)), x


@pytest.mark.parametrize("kind", [Lstm, pytest.param(Gru, marks=pytest.mark.slow)])
def test_zeros_take_no_time(tmp_path, kind):
    """On the simulated core, against the same function with every column."""
    pytest.importorskip("ziglang")
    graph, x = quiet(kind, 96, 16)
    states = graph["cell"].op.states(x)
    assert 4 <= np.count_nonzero(states[-1]) <= 10
    cycles = []
    for change in (lambda build: build, dense):
        build = change(emit(graph, tmp_path / str(len(cycles)), "cv32e40p"))
        got, run = run_on_core(build, x)
        assert np.array_equal(got, graph.run(x))
        cycles.append(inferences(run)[-1].cycles)
    assert 2 * cycles[0] < cycles[1]


# ---- Memory -------------------------------------------------------------------------------------


def test_weights_that_do_not_fit_fast_memory_stay(tmp_path):
    """GAP8: a matrix beyond L1 is read where it lies."""
    pytest.importorskip("ziglang")
    graph = wide(112, 12)
    build = emit(graph, tmp_path, "gap8")
    text = (build.folder / "one_cell.c").read_text()
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
