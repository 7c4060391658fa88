"""Tables of emitted C: what it will take of memory and time, and what it took on a core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..mcu.build import CBuild
from ..mcu.target import load_target
from ..mcu.toolchain.program import code_bytes
from .table import counted, digits, print_table

if TYPE_CHECKING:
    from ..sim.riscv import CoreRun

__all__ = ["IDEAL", "layer_code", "plan_table", "plan_text", "run_table"]

IDEAL = "instruction fetch is ideal (no misses, no contention)"


def plan_table(c: CBuild) -> None:
    """What is known before anything is compiled: memory, tiles, transfers, estimated cycles."""
    tiled = any(layer.tile for layer in c.layers)
    columns = ["layer", "MACs", "result bytes", "constant bytes"]
    if tiled:
        columns += ["tile", "tiles", "L1 bytes", "L2 bytes", "L3 bytes", "DMA bytes", "est. cycles"]
        columns += ["est. MAC/cycle"]
    rows: list[list[object]] = []
    for layer in c.layers:
        row = [_name(c, layer), layer.macs, layer.result_bytes, layer.constant_bytes]
        if tiled:
            tile = "x".join(map(str, layer.tile))
            on_chip = layer.constant_bytes - layer.l3_bytes
            row += [tile, layer.tiles, layer.l1_bytes, on_chip, layer.l3_bytes]
            row += [layer.dma_bytes, layer.cycles, _rate(layer.macs, layer.cycles)]
        rows.append(row)
    macs, constants = (sum(row[k] for row in rows) for k in (1, 3))
    total: list[object] = ["total", macs, "", constants]
    if tiled:
        tiles, on_chip, external, moved, cycles = (
            sum(r[k] for r in rows) for k in (5, 7, 8, 9, 10)
        )
        total += ["", tiles, "", on_chip, external, moved, cycles, _rate(macs, cycles)]
    rows.append(total)
    print_table(f"{c.model} in C for {c.target}", columns, rows)
    print("\n".join(plan_text(c)))


def plan_text(c: CBuild) -> list[str]:
    """Totals, with what the target has and the bound that no layout of the arena goes below."""
    target = load_target(c.target, c.folder)
    least = digits(c.arena_bound)
    bound = "optimal" if c.arena_bytes == c.arena_bound else f"no layout is below {least}"
    constants = digits(c.constant_bytes)
    lines = [f"arena {digits(c.arena_bytes)} bytes ({bound}), constants {constants} bytes"]
    stacks = f"{target.cores} stack{'s' * (target.cores > 1)} of {digits(target.stack)}"
    if target.l2_usable:
        beside = [] if target.l1 else [stacks]
        if target.reserve:
            beside.append(f"{digits(target.reserve)} in reserve")
        l2 = digits(c.constant_bytes - c.l3_bytes + c.arena_bytes)
        memory = "L2" if target.l1 else "memory"
        lines.append(
            f"{memory}: constants and arena {l2} of {digits(target.l2_usable)} bytes, {_beside(beside)}"
        )
    if target.l1:
        beside = [stacks]
        if target.l1_reserve:
            beside.append(f"{digits(target.l1_reserve)} in reserve")
        lines.append(
            f"L1: tiles {digits(c.l1_bytes)} of {digits(target.l1_usable)} bytes, {_beside(beside)}"
        )
    if c.l3_bytes:
        lines.append(
            f"L3: weights {digits(c.l3_bytes)} of {digits(target.l3)} bytes, read into L2 when needed"
        )
    if any(layer.cycles for layer in c.layers):
        lines.append(f"estimated cycles are those of {counted(target.cores, 'core')}; {IDEAL}")
    return lines


def _beside(parts: list[str]) -> str:
    return f"beside {' and '.join(parts)}" if parts else "with the code"


def run_table(c: CBuild, run: CoreRun, engine: str) -> None:
    """Cycles, instructions, MACs a cycle and code bytes of every layer and of one inference."""
    from ..sim.riscv.models import inferences, layer_times

    cores, code = len(run.instructions), code_bytes(c, engine)
    shares = layer_code(c, code)
    rows = []
    for layer, time in zip(c.layers, layer_times(run, len(c.layers)), strict=True):
        size = shares[layer.function]
        rows.append(_row(_name(c, layer), layer.macs, time.cycles, time.instructions, size))
    done = inferences(run)
    macs = sum(layer.macs for layer in c.layers)
    everything = sum(code.values())
    last = done[-1]
    rows.append(_row("one inference", macs, last.cycles, last.instructions, everything))
    print_table(
        f"{c.model} on {engine}, {counted(cores, 'core')}",
        ("layer", "MACs", "cycles", "instructions of core 0", "MAC/cycle", "code bytes"),
        rows,
    )
    print(f"cycles of the {'last' if len(done) > 1 else 'only'} sample; {IDEAL}")
    notes = []
    if cores > 1:
        notes.append(f"{digits(sum(run.conflicts))} core cycles lost to bank conflicts")
    if run.dma_bytes:
        notes.append(f"{digits(run.dma_bytes)} bytes by DMA in {digits(run.dma_cycles)} cycles")
    if run.l3_bytes:
        notes.append(f"{digits(run.l3_bytes)} bytes from L3 in {digits(run.l3_cycles)} cycles")
    if notes:
        print(f"in all of {counted(len(done), 'sample')}: {', '.join(notes)}")


def layer_code(c: CBuild, code: Mapping[str, int]) -> dict[str, int]:
    """Bytes of machine code by layer: its function and the helpers that are named after it.

    Parameters
    ----------
    code
        Bytes of every function, as compilers name them: ``net_fc1``, ``net_fc1_tiles.isra.0``.
    """
    sizes = {layer.function: 0 for layer in c.layers}
    for name, size in code.items():
        name = name.partition(".")[0]
        owners = [f for f in sizes if name == f or name.startswith(f"{f}_")]
        if owners:
            sizes[max(owners, key=len)] += size
    return sizes


def _row(name: str, macs: int, cycles: int, instructions: int, size: int) -> tuple[object, ...]:
    return name, macs, cycles, instructions, _rate(macs, cycles), size or "-"


def _rate(macs: int, cycles: int) -> str:
    return f"{macs / cycles:.3f}" if macs and cycles else "-"


def _name(c: CBuild, layer) -> str:
    return layer.function.removeprefix(f"{c.model}_")
