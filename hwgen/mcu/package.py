"""The files beside an emitted model: runtime headers, and ports to the platforms that it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .columns import render_recurrent
from .dsp.bit_kernels import BITS, render_bits
from .dsp.gather_kernels import GATHERS, render_gather
from .dsp.intrinsics import render_simd
from .dsp.micro_kernels import DOTS, render_dot
from .dsp.pick_kernels import PICKS, render_pick
from .function import Function
from .gates import forms_of
from .planning.memory import Memories
from .stochastic import render_stochastic
from .target import Target
from .templates import TEMPLATES, read_kernel

__all__ = ["headers", "ports", "write_runtime", "write_text"]

RUNTIME, SIMD, MEMORY = "hwgen_runtime.h", "hwgen_simd.h", "hwgen_memory.h"
TILE, STREAM = "hwgen_tile.h", "hwgen_stream.h"
MASKS = ("hwgen_lfsr.h", "hwgen_masks.h")  # of the test of masks
POOL, RECURRENT = "hwgen_pool.h", "hwgen_recurrent.h"
STOCHASTIC, ISING = "hwgen_stochastic.h", "hwgen_ising.h"
# Prefix of the functions of a header, what writes it, and what it can hold.
MICRO_KERNELS = {
    "hwgen_bits.h": ("hwgen_bits_", render_bits, BITS),
    "hwgen_dot.h": ("hwgen_dot_", render_dot, DOTS),
    "hwgen_gather.h": ("hwgen_gather_", render_gather, GATHERS),
    "hwgen_pick.h": ("hwgen_pick_", render_pick, PICKS),
}
PORT_FILES = ("hwgen_port.h", "hwgen_port.c")


def headers(functions: Sequence[Function], target: Target, memories: Memories) -> list[str]:
    """Headers that the model includes."""
    names = [SIMD, RUNTIME]
    kernels = {function.header for function in functions if function.header}
    kernels |= {
        header
        for header, (prefix, *_) in MICRO_KERNELS.items()
        if any(function.micro_kernel.startswith(prefix) for function in functions)
    }
    if kernels:
        names += [MEMORY, *sorted(kernels)]
    if target.is_team:
        names.append(TILE)
    if memories.l3_bytes:
        names.append(STREAM)
    return names


def _micro_kernels(header: str, used: set[str]) -> str:
    """A header of micro-kernels, with all shapes of those that are used."""
    _, render, kernels = MICRO_KERNELS[header]
    return render([k for k in kernels if k.name.rpartition("_")[0] in used])


def ports(target: Target) -> list[str]:
    """Folders with the platform's side of a model: for tests on this machine, and the target's."""
    if not target.is_team:
        return []
    own = target.name if target.port_header else target.port
    return [f"ports/{name}" for name in dict.fromkeys(("host", own))]


def write_runtime(
    folder: Path,
    functions: Sequence[Function],
    target: Target,
    memories: Memories,
    has_masks: bool,
) -> None:
    """Write what a model and its test include, and what they are linked with."""
    for name in (*headers(functions, target, memories), *(MASKS if has_masks else ())):
        if name == SIMD:
            text = render_simd()
        elif name in MICRO_KERNELS:
            text = _micro_kernels(name, {function.micro_kernel for function in functions})
        elif name == RECURRENT:
            kernels = {k for function in functions for k in function.held}
            cells = [f.stage.kernel.op for f in functions if f.header == RECURRENT]
            text = render_recurrent(kernels, cells, forms_of(target))
        elif name == STOCHASTIC:
            text = render_stochastic(target)
        elif name == ISING:
            text = TEMPLATES.get_template("ising.h.j2").render(is_wide=target.is_host)
        elif name == POOL:
            text = TEMPLATES.get_template("pool.h.j2").render()
        else:
            text = read_kernel(f"runtime/{name}")
        write_text(folder / name, text)
    for port in ports(target):
        for name, text in _port_files(target, Path(port).name).items():
            write_text(folder / port / name, text)


def _port_files(target: Target, port: str) -> dict[str, str]:
    """Contents by name: the user's own port, or a bundled one."""
    if port != "host" and target.port_header:
        files = (target.port_header, *target.sources)
        texts = {file.name: file.read_text(encoding="utf-8") for file in files}
        return {"hwgen_port.h": texts.pop(target.port_header.name), **texts}
    texts = {}
    for name in PORT_FILES:
        try:
            texts[name] = read_kernel(f"targets/{port}/{name}")
        except FileNotFoundError:  # a port of a header only
            continue
    return texts


def write_text(path: Path, text: str) -> None:
    """Write a file whose bytes do not depend on the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
