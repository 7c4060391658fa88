"""C of fully connected layers on stochastic streams: a block of steps at once, a bit a step."""

from __future__ import annotations

import numpy as np

from ...ir.types import Int
from ...ops.stochastic_dense import StochasticDense
from ..function import Function
from ..registry import renders
from ..sequences import sequences
from ..stages import Stage
from ..stochastic import draws, room_for
from ..storage import INT32, CType, storage

__all__: list[str] = []

INT16 = CType(16, True)


@renders(StochasticDense)
def stochastic_dense(stage: Stage, function: Function) -> dict[str, object]:
    op: StochasticDense = stage.kernel.op
    (x,) = stage.inputs
    steps, inputs = x.type.shape
    outputs, m, bits = op.weights.shape[0], op.components, op.number_bits
    is_signed = op.coding == "sign_magnitude"
    # Signs of inputs are those of bipolar products; else an input that has any is two, of which the
    # second one is its negative part: with the same numbers and the opposite weight.
    has_signs = x.type.lo < 0
    each = 2 if has_signs and is_signed else 1
    operand = (
        np.arange(each * inputs + 1) // each
    )  # which operand of the op it is; the bias is last
    is_negative = (np.arange(each * inputs + 1) % each).astype(bool)
    together = 16 if function.target.is_host else 8  # products of an output
    each_group = max(1, together // m)  # operands
    padded = -(-len(operand) // each_group) * each_group
    low = -(-bits // 2)
    high = bits - low
    thresholds = op.thresholds[:, operand]
    entries = (1 << high) + 2
    codes = np.zeros((outputs, padded), dtype=np.int64)
    codes[:, : len(operand)] = thresholds
    offset = np.zeros(outputs, dtype=np.int64)
    if is_signed:
        inverse = (op.operands < 0)[:, operand] ^ is_negative
        codes[:, : len(operand)] += inverse * (entries << low)
        offset = m * inverse.sum(axis=1)
    # Outputs within a group of operands, as they are read.
    grouped = codes.reshape(outputs, -1, each_group).swapaxes(0, 1)
    grouped = grouped.reshape(len(grouped), -1)
    least = storage(Int.fit(0, int(grouped.max())))
    planes = max(together.bit_length(), (m * len(operand)).bit_length())
    halves = -(-planes // 16)
    name = stage.name
    found = sequences(op, bits, steps)
    sources = np.arange(op.seeds.array.size).reshape(-1, m)[operand].ravel()
    sources = np.concatenate([sources, np.zeros(padded * m - len(sources), dtype=np.int64)])
    function.header = "hwgen_stochastic.h"
    function.has_clones = function.target.is_host
    function.macs = steps * outputs * (inputs + 1) * m
    function.notes.append(
        f"{together} products at once of the {m * len(operand)} of an output, a block of steps each"
    )
    function.cut(
        groups=1,
        axes=(),
        split="pixels",
        pixel_granule=32,
        cycles_per_output=m * (inputs + 1) // 2 + 20,
    )
    table = entries * (1 + is_signed) + (1 << low)
    sizes = {
        "n": padded,
        "g": padded if has_signs and not is_signed else 0,
        "pairs": 2 * inputs if each == 2 else 0,
        "tables": together * table,
        "counts": (outputs + 1) * planes,
        "turned": 16 * halves * (outputs + 1),
    }
    places, end = {}, 0
    for key, size in sizes.items():
        places[key] = end if size else None
        end += size
    function.scratch_bytes_a_core = room_for(end, function.target)
    # Whether sums of 16 bits are stored four at a time.
    by_fours = (
        function.target.is_host
        and not stage.epilogue
        and stage.output.ctype == INT16
        and planes <= 14
    )
    return {
        "by_fours": by_fours,
        "steps": steps,
        "inputs": inputs,
        "outputs": outputs,
        "components": m,
        "bits": bits,
        "low": low,
        "low_count": 1 << low,
        "high": high,
        "table": table,
        "is_signed": is_signed,
        "doubled": each == 2,
        "bytes": x.ctype.bits == 8,
        "places": places,
        "size": end,
        "operands": len(operand),
        "padded": padded,
        "each_group": each_group,
        "groups": padded // each_group,
        "rounds": max(1, m // together),
        "together": together,
        "levels": together.bit_length() - 1,
        "planes": planes,
        "halves": halves,
        "draw": draws(function, name, found, sources),
        "codes": function.words(f"{name}_thresholds", grouped, least),
        "offset": function.constant(f"{name}_offset", offset, INT16 if by_fours else None)
        if is_signed
        else None,
        "work": INT32,
    }
