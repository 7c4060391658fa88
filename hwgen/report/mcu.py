"""Tables of emitted C: what it will take of memory and time, and what it took on a core."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mcu.build import CBuild
from ..mcu.target import load_target
from ..mcu.toolchain.program import code_bytes
from .table import print_table

if TYPE_CHECKING:
    from ..sim.riscv import CoreRun

__all__ = ["IDEAL", "plan_table", "plan_text", "run_table"]

IDEAL = "instruction fetch is ideal (no misses, no contention)"


def plan_table(c: CBuild) -> None:
    """What is known before anything is compiled: memory, tiles, transfers, estimated cycles."""
    tiled = any(layer.tile for layer in c.layers)
    columns = ["layer", "MACs", "result bytes", "constant bytes"]
    if tiled:
        columns += ["tile", "tiles", "L1 bytes", "L2 bytes", "L3 bytes", "DMA bytes", "est. cycles"]
    rows = []
    for layer in c.layers:
        row = [_name(c, layer), layer.macs, layer.result_bytes, layer.constant_bytes]
        if tiled:
            tile = "x".join(map(str, layer.tile))
            on_chip = layer.constant_bytes - layer.l3_bytes
            row += [tile, layer.tiles, layer.l1_bytes, on_chip, layer.l3_bytes]
            row += [layer.dma_bytes, layer.cycles]
        rows.append(row)
    print_table(f"{c.model} in C for {c.target}", columns, rows)
    print("\n".join(plan_text(c)))


def plan_text(c: CBuild) -> list[str]:
    """Totals, with what the target has and the bound that no layout of the arena goes below."""
    target = load_target(c.target, c.folder)
    bound = "optimal" if c.arena_bytes == c.arena_bound else f"no layout is below {c.arena_bound}"
    l2 = c.constant_bytes - c.l3_bytes + c.arena_bytes
    lines = [f"arena {c.arena_bytes} bytes ({bound}), constants {c.constant_bytes} bytes"]
    if target.l2_usable:
        lines.append(f"L2 {l2} of {target.l2_usable} bytes, beside {target.reserve} for code")
    if target.l1:
        stacks = target.cores * target.stack
        lines.append(f"L1 {c.l1_bytes} of {target.l1_usable} bytes, beside {stacks} for stacks")
    if c.l3_bytes:
        lines.append(f"L3 {c.l3_bytes} of {target.l3} bytes: weights that are streamed into L2")
    return lines


def run_table(c: CBuild, run: CoreRun, engine: str) -> None:
    """Cycles, instructions, MACs a cycle and code bytes of every layer and of one inference."""
    from ..sim.riscv.models import inferences, layer_times

    cores, code = len(run.instructions), code_bytes(c, engine)
    rows = []
    for layer, time in zip(c.layers, layer_times(run, len(c.layers)), strict=True):
        size = sum(n for name, n in code.items() if name.startswith(layer.function))
        rows.append(_row(_name(c, layer), layer.macs, time.cycles, time.instructions, size))
    total = inferences(run)[-1]
    macs = sum(layer.macs for layer in c.layers)
    everything = sum(code.values())
    rows.append(_row("one inference", macs, total.cycles, total.instructions, everything))
    team = "1 core" if cores == 1 else f"{cores} cores"
    print_table(
        f"{c.model} on {engine}, {team}",
        ("layer", "MACs", "cycles", "instructions of core 0", "MAC/cycle", "code bytes"),
        rows,
    )
    notes = [IDEAL]
    if cores > 1:
        notes.append(f"{sum(run.conflicts)} cycles lost to bank conflicts by all cores")
    if run.dma_bytes:
        notes.append(f"{run.dma_bytes} bytes by DMA in {run.dma_cycles} cycles")
    if run.l3_bytes:
        notes.append(f"{run.l3_bytes} bytes from L3 in {run.l3_cycles} cycles")
    print("; ".join(notes))


def _row(name: str, macs: int, cycles: int, instructions: int, size: int) -> tuple[object, ...]:
    rate = f"{macs / cycles:.3f}" if macs and cycles else "-"
    return name, macs, cycles, instructions, rate, size or "-"


def _name(c: CBuild, layer) -> str:
    return layer.function.removeprefix(f"{c.model}_")
