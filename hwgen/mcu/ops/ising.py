"""C of networks of spins: fields are kept, and change where a spin turns over."""

from __future__ import annotations

import numpy as np

from ...ir.types import Int
from ...ops.ising import Ising
from ...ops.lib.ising_frame import HEAD
from ...ops.lib.xorshift import SEED_BITS
from ..collapse import collapsed, padded
from ..function import Function
from ..registry import renders
from ..spins import Member, Spins, struct_bytes
from ..stages import Stage
from ..storage import INT32, CType, storage
from ..templates import TEMPLATES

__all__: list[str] = []

UINT8, UINT16, UINT32 = (CType(bits, False) for bits in (8, 16, 32))


@renders(Ising)
def ising(stage: Stage, function: Function) -> dict[str, object]:
    op: Ising = stage.kernel.op
    spins = Spins(op, function.target)
    function.header = "hwgen_ising.h"
    function.has_clones = function.target.is_host
    function.cut(groups=1, axes=(), kernel=(1, 1), cycles_per_output=op.cycles)
    replica, work = _structs(spins, function.name)
    function.scratch_bytes = struct_bytes(work)[0]
    name, is_tile = stage.name, function.extent.is_tile
    fields, energy = spins.down
    values = {
        "op": op,
        "name": function.name,
        "spins": spins,
        "size": spins.size,
        "lane": spins.lane,
        "suffix": f"s{spins.lane.bits}",
        "is_wide": function.target.is_host,
        "replica": replica,
        "shared": work,
        "scratch_bytes": function.scratch_bytes,
        "has_energy": _has_energy(op),
        "is_shared": spins.cores > 1,
        "is_accumulator": op.engine == "accumulator",
        "words": spins.random_words,
        "flip_words": -(-len(op.spins) // 32),
        "only_count": None if op.colours is None else int(spins.colours[1][0]),
        "pairs": -(-(op.replicas - 1) // 2) if op.swap_every else 0,
        "seed_mask": (1 << SEED_BITS) - 1,
        "port_bytes": op.frame.port_bytes,
        "head": HEAD,
        "start_fields": function.constant(f"{name}_fields", fields, spins.lane),
        "start_energy": energy,
        "seeds": function.constant(f"{name}_seeds", op.seeds.array, UINT32),
        "ports": function.constant(f"{name}_ports", spins.lanes[list(op.ports)])
        if op.ports
        else None,
        "lanes": None
        if op.colours is None and op.products is None
        else function.constant(f"{name}_lanes", spins.lanes),
        "take": f"const struct {function.name}_constants *constants, " if is_tile else "",
        "lend": "constants, " if is_tile else "",
        "work": INT32,
    }
    near = _neighbours(spins, function, name)
    values |= near
    # Whether turning a spin over reads what lies in fast memory.
    values["turn_reads"] = any(str(value).startswith("constants->") for value in near.values())
    values |= _table(spins, function, name)
    values |= _checker(spins, function, name)
    values |= _products(spins, function, name)
    text = TEMPLATES.get_template("ising_parts.j2").render(values)
    function.parts.append(text.strip())
    function.notes.append(
        f"{len(op.spins)} spins, {op.replicas} replica{'s' * (op.replicas > 1)}, {op.cycles} cycles"
    )
    return values


def _has_energy(op: Ising) -> bool:
    return op.checks == "energy" or bool(op.swap_every)


def _structs(spins: Spins, name: str) -> tuple[list[Member], list[Member]]:
    """Members of a replica, and of all memory."""
    op, size = spins.op, (spins.size,)
    cores = spins.cores
    replica = []
    if _has_energy(op):
        replica.append(Member(INT32, "energy"))
    replica.append(Member(spins.lane, "field", size))
    if op.products is not None:
        comment = "to the field, by products"
        replica.append(Member(spins.lane, "added", size, comment=comment))
    if op.engine == "accumulator":
        replica.append(Member(spins.lane, "counter", size))
    if op.checks == "relations":
        comment = "a relation that does not hold, if there is one"
        replica.append(Member(UINT16, "failing", comment=comment))
    replica.append(Member(UINT8, "spin", size, comment="0 or 1"))
    if op.checks:
        replica.append(Member(UINT8, "is_valid"))
    whole, align = struct_bytes(replica)
    shared = [
        Member(UINT32, "random", (op.replicas, spins.random_words)),
        Member(f"struct {name}_replica", "replica", (op.replicas,), whole, align),
        Member(UINT8, "is_free", size, comment="0 for spins that are clamped"),
        Member(UINT8, "answer", size),
    ]
    if op.engine == "accumulator":
        shared.insert(1, Member(UINT32, "flips", (cores, -(-spins.updated // 32))))
    if op.classes is not None:
        sizes = (1 if len(_rows(op)) == 1 else op.replicas, spins.updated)
        shared += [Member(spins.lane, "noise", sizes), Member(spins.lane, "limit", sizes)]
    if op.derived is not None and collapsed(op)[0]:
        shared.append(Member(UINT8, "bits", (cores, spins.size)))
    if cores > 1 and op.stops and op.checks:
        shared.append(Member(UINT8, "is_over"))
    if op.swap_every:
        shared.insert(1, Member(UINT32, "draws", (-(-(op.replicas - 1) // 2),)))
        shared.append(Member(UINT8, "at", (op.replicas,), comment="which memory a replica has"))
    return replica, shared


def _neighbours(spins: Spins, function: Function, name: str) -> dict[str, object]:
    if spins.op.edges is None:
        return {"rows": None, "neighbours": None}
    if spins.is_dense:
        return {
            "rows": function.constant(f"{name}_rows", spins.rows, spins.lane),
            "neighbours": None,
        }
    lanes, weights, starts = spins.neighbours
    same = int(weights.flat[0]) if (weights == weights.flat[0]).all() else None
    return {
        "rows": None,
        "degree": None if lanes.ndim == 1 else lanes.shape[1],
        "starts": None if starts is None else function.constant(f"{name}_starts", starts),
        "neighbours": _words(function, f"{name}_neighbours", lanes),
        "weights": str(same) if same is not None else _words(function, f"{name}_weights", weights),
        "is_same": same is not None,
    }


def _words(function: Function, name: str, values: np.ndarray) -> str:
    """An array that may be too large for what the spins leave of fast memory."""
    room = (function.target.l1_usable - function.scratch_bytes) * 3 // 4
    return function.words(name, values, _least(values), room)


def _least(values: np.ndarray) -> CType:
    return storage(Int.fit(int(values.min()), int(values.max())))


def _rows(op: Ising) -> np.ndarray:
    """Rows of the table that are read."""
    return np.unique(op.levels.array[op.starts.array < op.cycles])


def _table(spins: Spins, function: Function, name: str) -> dict[str, object]:
    """When which rows of the table are read."""
    op = spins.op
    used = op.starts.array < op.cycles
    starts, levels = op.starts.array[used], op.levels.array[used]
    rows = _rows(op)
    levels = np.searchsorted(rows, levels)
    is_one = len(rows) == 1
    values = {
        "counts": None,
        "segments": len(starts),
        "is_one": is_one,
        "starts_of": function.constant(f"{name}_segments", starts) if len(starts) > 1 else None,
        "levels": None if is_one else function.constant(f"{name}_levels", levels),
        "table": _words(function, f"{name}_table", op.table.array[rows]),
        "threshold": _least(op.table.array[rows]),
        "classes": None,
    }
    if op.classes is not None:
        classes = np.zeros(spins.updated, np.int64)
        classes[spins.lanes[op.spins]] = op.classes.array[op.spins]
        values["classes"] = function.constant(f"{name}_classes", classes)
    if op.colours is not None and op.colour_count > 1:
        first, counts = spins.colours
        values["firsts"] = function.constant(f"{name}_first", first)
        values["counts"] = function.constant(f"{name}_count", counts)
    if op.swap_every:
        values["swap_table"] = _words(function, f"{name}_swaps", op.swap_table.array)
        values["depth"] = op.swap_table.shape[1]
    return values


def _checker(spins: Spins, function: Function, name: str) -> dict[str, object]:
    op = spins.op
    values: dict[str, object] = dict.fromkeys(
        ("relations", "completed", "derived", "deciding", "keeps_clamped")
    )
    if op.checks == "energy":
        most = spins.most_energy
        values["target"] = min(max(op.target, -most - 1), most)
    if op.checks != "relations":
        return values
    nodes, tables = op.relation_nodes.array, op.relation_tables.array
    if op.derived is not None:
        whole = op.derived.array, op.derived_tables.array
        values["keeps_clamped"] = bool(set(op.ports) & set(op.derived.array[:, 0].tolist()))
        values["completed"] = _derived(spins, function, f"{name}_completed", *whole)
        derived, relations = collapsed(op)
        if derived:
            nodes, tables = padded(derived.values())
            nodes = np.concatenate([np.array(list(derived))[:, None], nodes], axis=1)
            values["derived"] = _derived(spins, function, f"{name}_derived", nodes, tables)
        nodes, tables = padded(relations)
    values["relations"] = _tables(spins, function, f"{name}_relations", nodes, tables)
    words = spins.deciding_words
    if words is not None:
        values["deciding"] = function.constant(f"{name}_deciding", words, UINT32)
    return values


def _derived(
    spins: Spins, function: Function, name: str, rows: np.ndarray, tables: np.ndarray
) -> dict[str, object]:
    """Tables of nodes, which stand before their inputs."""
    results = function.constant(f"{name}_nodes", spins.lanes[rows[:, 0]])
    return _tables(spins, function, name, rows[:, 1:], tables) | {"results": results}


def _tables(
    spins: Spins, function: Function, name: str, nodes: np.ndarray, tables: np.ndarray
) -> dict[str, object]:
    lanes, words = spins.looked_up(nodes, tables)
    terms = lanes.shape[1]
    ctype = CType(max(8, min(32, 1 << terms)), False)
    return {
        "count": len(lanes),
        "terms": terms,
        "nodes": function.constant(name, lanes),
        "tables": function.constant(f"{name}_tables", words if terms == 6 else words[:, 0], ctype),
    }


def _products(spins: Spins, function: Function, name: str) -> dict[str, object]:
    if spins.op.products is None:
        return {"products": None}
    factors = spins.factors
    values: dict[str, object] = {}
    if spins.op.engine == "accumulator":
        words = np.zeros(-(-len(spins.op.spins) // 32), np.int64)
        np.bitwise_or.at(words, factors.lanes // 32, 1 << factors.lanes % 32)
        values["factor_words"] = function.constant(f"{name}_factor_words", words, UINT32)
    return values | {
        "factor_count": len(factors.lanes),
        "factors": function.constant(f"{name}_factors", factors.lanes),
        "product_starts": function.constant(f"{name}_product_starts", factors.starts),
        "products": function.constant(f"{name}_products", factors.products),
        "others": function.constant(f"{name}_others", factors.others),
    }
