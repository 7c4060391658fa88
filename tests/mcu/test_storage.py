"""Which C types hold and compute what: at, and one beyond, the ends of every type."""

from __future__ import annotations

import numpy as np
import pytest

from hwgen.ir import Constant, Graph, GraphBuilder, Int, Type
from hwgen.mcu.emit import emit
from hwgen.mcu.linear import accumulator
from hwgen.mcu.storage import INT32, INT64, storage, work
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.mcu.weights import pack
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.dense import Dense


@pytest.mark.parametrize(
    ("element", "name"),
    [
        *[("u1", "uint8_t"), ("u8", "uint8_t"), ("u9", "uint16_t"), ("u16", "uint16_t")],
        *[("u17", "int32_t"), ("u31", "int32_t"), ("u32", "uint32_t"), ("u33", "int64_t")],
        *[("s2", "int8_t"), ("s8", "int8_t"), ("s9", "int16_t"), ("s17", "int32_t")],
        *[("s32", "int32_t"), ("s33", "int64_t"), ("s63", "int64_t"), ("u62", "int64_t")],
    ],
)
def test_storage(element, name):
    kind = Int.parse(element)
    ctype = storage(kind)
    assert str(ctype) == name
    info = np.iinfo(ctype.dtype)
    assert info.min <= kind.lo <= kind.hi <= info.max


def test_work():
    assert work(-(2**31), 2**31 - 1) == INT32
    assert work(2**31) == work(-(2**31) - 1) == INT64


def test_accumulator_holds_products_and_every_order_of_sums():
    def of(weights, bias, lo, hi):
        return accumulator(np.array([weights]), Constant([bias]), lo, hi)

    assert of([1, -1], 2**31 - 1 - 7, 0, 7) == INT32
    assert of([1, -1], 2**31 - 7, 0, 7) == INT64  # 2^31 before the -1 comes
    assert of([-1], 2**31, 2**31, 2**31) == INT64  # the sum is 0, its parts are not


def test_pack():
    assert pack(np.array([[1, -2, 7], [-8, 0, -1]]), 4).tolist() == [[0xE1, 0x7], [0x08, 0xF]]
    assert pack(np.array([[1, -2, -1, 0, 1]]), 2).tolist() == [[0b00111001, 1]]
    assert pack(np.array([[1, 0, 0, 0, 0, 0, 0, 1, 1]]), 1).tolist() == [[0x81, 1]]


def boundary(bias: int, name: str) -> Graph:
    """Two outputs of u16 inputs; the bias decides whether every partial sum fits 32 bits."""
    b = GraphBuilder(name)
    x = b.input(Type.of((2,), 0, 65535))
    weights = Uniform(Constant([[-32768, 16384], [32767, -16384]]), 16)
    return b.build(b.add(Dense(weights, Constant([bias, -bias])), x))


def test_sums_at_the_end_of_a_type(tmp_path):
    """UBSan sees no overflow at the last bias that still fits 32 bits, nor at the first that does not."""
    biases = (0, 2**31 - 1 - 16384 * 65535, 2**31 - 16384 * 65535, 2**31 - 1, 2**31)
    graphs = [boundary(bias, f"bias_{i}") for i, bias in enumerate(biases)]
    x = np.array([[0, 0], [65535, 0], [0, 65535], [65535, 65535]])
    builds = [emit(graph, tmp_path / graph.name) for graph in graphs]
    types = [(b.folder / f"{b.model}.c").read_text().count("int64_t acc") for b in builds]
    assert types == [0, 0, 1, 1, 1]
    results = run_many_on_host([(build, x) for build in builds], sanitize=True)
    for graph, y in zip(graphs, results, strict=True):
        assert np.array_equal(y, graph.run(x))
