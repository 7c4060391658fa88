"""Powers of two of 4 bits, which are multiplied as such, and bases, whose weights are rebuilt."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Type
from hwgen.ir.code import WeightCode
from hwgen.mcu.emit import emit
from hwgen.mcu.rebuild import chosen_rebuild, power_words
from hwgen.mcu.registry import find_storage
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.mcu.weights import Packing, power_fields
from hwgen.ops.codes.basis import Basis
from hwgen.ops.codes.power_of_two import PowerOfTwo
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.sim.riscv.models import run_many_on_core
from tests.ops.harness import cut_anywhere

SLOWER = ("cv32e41p", "rv32imc")
POWERS = np.array([0, *(sign << k for k in range(7) for sign in (1, -1))])


def powers(rng, *shape: int) -> PowerOfTwo:
    """Every value there is, and others."""
    values = rng.choice(POWERS, shape)
    values.reshape(-1)[: len(POWERS)] = POWERS[: values.size]
    return PowerOfTwo(Constant(values), 4)


def basis(rng, outputs: int, inputs: int, run: int, group: int, shift: int, most: int = 128):
    """Weights of which some leave 8 bits, unless ``most``, the largest of the basis, is small."""
    c = rng.choice(POWERS, (outputs, -(-inputs // run), run))
    b = rng.integers(-most, most, (-(-outputs // group), run, run))
    return Basis(Constant(c), Constant(b), group, shift, (inputs,))


def codes() -> list[WeightCode]:
    """Whole blocks and parts of them, rows with and without a tail, all kinds of bases."""
    rng = np.random.default_rng(0)
    return [
        powers(rng, 16, 64),
        powers(rng, 13, 37),
        powers(rng, 2, 9),
        basis(rng, 16, 64, 4, 8, 7),
        basis(rng, 9, 50, 4, 4, 4),
        basis(rng, 10, 43, 4, 3, 2, most=1),
        basis(rng, 8, 45, 3, 8, 8),
        basis(rng, 7, 61, 2, 1, 6),
        basis(rng, 5, 33, 1, 4, 0),
        basis(rng, 4, 77, 5, 4, 12),
    ]


def graph(op, *shape: int, signed: bool) -> Graph:
    b = GraphBuilder("codes")
    x = b.input(Type.of(shape, *((-128, 127) if signed else (0, 255))))
    return b.build(b.add(op, x))


def layers() -> list[Graph]:
    """Fully connected ones, then convolutions by 4 pixels and by one."""
    rng = np.random.default_rng(1)
    made = []
    for i, code in enumerate(codes()):
        bias = Constant(np.arange(code.shape[0]) * 1000)
        made.append(graph(Dense(code, bias), code.shape[1], signed=i % 2 == 0))
    for kernel, depth, padding in (((3, 3), 3, (1, 1)), ((1, 1), 16, (0, 0)), ((2, 3), 8, (0, 1))):
        op = Conv2d(powers(rng, 6, *kernel, depth), Constant(np.arange(6)), padding=padding)
        made.append(graph(op, 5, 7, depth, signed=depth == 8))
    return made


def inputs(graph: Graph) -> np.ndarray:
    kind = graph.input_type
    x = np.random.default_rng(0).integers(kind.lo, kind.hi + 1, (4, *kind.shape))
    x[0], x[1] = kind.lo, kind.hi
    return x


def jobs(folder, target: str):
    return [(g, emit(g, folder / str(i), target), inputs(g)) for i, g in enumerate(layers())]


def check(made, results) -> None:
    for (graph, build, x), y in zip(made, results, strict=True):
        assert np.array_equal(y, graph.run(x)), build.folder


@pytest.mark.parametrize("target", ["host", pytest.param("gap8", marks=pytest.mark.slow)])
def test_on_this_machine(tmp_path, monkeypatch, target):
    cut_anywhere(monkeypatch)
    made = jobs(tmp_path, target)
    texts = [(build.folder / "codes.c").read_text() for _, build, _ in made]
    assert sum("8_p4_" in text for text in texts) == 6
    assert sum("hwgen_basis(" in text for text in texts) == 6  # a basis of one is too large
    check(made, run_many_on_host([(build, x) for _, build, x in made], sanitize=True))


@pytest.mark.parametrize(
    "target", ["cv32e40p", "gap8", *(pytest.param(t, marks=pytest.mark.slow) for t in SLOWER)]
)
def test_on_cores(tmp_path, monkeypatch, target):
    cut_anywhere(monkeypatch)
    made = jobs(tmp_path, target)
    cores = find_target(target).cores
    check(made, run_many_on_core([(build, x) for _, build, x in made], "iss", cores))


def test_fields_are_signs_and_shifts():
    fields = power_fields(POWERS) & 15
    assert sorted(fields) == [*range(15)]  # the least number shifted to 0 has no use
    assert [((-64 if f & 8 else 64) >> (f & 7)) for f in fields] == POWERS.tolist()


def test_every_power_lies_where_the_layout_says():
    values = np.random.default_rng(0).choice(POWERS, (3, 37))
    rows = power_words(values)
    assert rows.shape == (3, 24)
    for row, stored in zip(values, rows.tolist(), strict=True):
        for k in range(48):
            field = stored[k // 8 * 4 + k % 4] >> (4 * (k % 8 // 4)) & 15
            value = (-64 if field & 8 else 64) >> (field & 7)
            assert value == (row[k] if k < 37 else 0)


@pytest.mark.parametrize(("number", "which"), [(0, -1), (3, -1), (3, 0), (6, 0)])
def test_wrong_code_is_caught(tmp_path, number, which):
    """The sign of a power or of a coefficient, and a number of a basis."""
    model = layers()[number]
    build = emit(model, tmp_path, "rv32imc")
    source = build.folder / "codes.c"
    text = source.read_text()
    head, numbers = re.search(r"(_weights\[\d+\]\[\d+\] = \{\s*\{\s*)([\d,\s]+)", text).groups()
    values = [int(v) for v in numbers.split(",") if v.strip()]
    byte = [i for i, v in enumerate(values) if v & 7 != 7][which]  # no zero in the low bits
    values[byte] ^= 8
    source.write_text(text.replace(head + numbers, head + ", ".join(map(str, values)) + "\n"))
    x = inputs(model)
    (y,) = run_many_on_core([(build, x)], "iss", 1)
    assert not np.array_equal(y, model.run(x))


def test_codes_are_taken_where_they_are_fewer_bytes():
    rng = np.random.default_rng(0)
    machine = find_target("cv32e40p")

    def stored(code):
        return find_storage(code, machine)(code)

    power = Packing(4, is_power=True)
    assert stored(powers(rng, 4, 5)).packing == power
    assert stored(powers(rng, 4, 4)).packing == Packing(8)  # a word either way
    small = PowerOfTwo(Constant(rng.choice([-4, 0, 1], (4, 9))), 4)
    assert stored(small).packing == Packing(4, is_nested=True)
    large, wide = basis(rng, 4, 64, 4, 4, 7), basis(rng, 4, 20_000, 4, 4, 7)
    assert chosen_rebuild(stored(large), machine)
    assert not chosen_rebuild(stored(basis(rng, 4, 16, 8, 1, 7)), machine)  # larger than weights
    assert chosen_rebuild(stored(wide), machine)
    assert not chosen_rebuild(stored(wide), find_target("gap8"))  # no room in L1
