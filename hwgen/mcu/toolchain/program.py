"""Links emitted C into programs for the simulated machine, whose cores run them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ...errors import Unsupported
from ..build import CBuild, Port
from ..target import ENGINE_ISA, Target, load_target
from ..templates import TEMPLATES, read_kernel
from .compiler import CompilerFailed, run_compiler
from .cross import compile_source, find_cross_compiler
from .elf import addresses, function_sizes

__all__ = [
    "BEGIN",
    "END",
    "STACK_OVERFLOW",
    "Source",
    "code_bytes",
    "engine_isa",
    "link",
    "link_many",
    "link_sources",
    "sample_bytes",
]

# Where the simulated machine's memories begin; sim/riscv/machine.h says the same.
L1, L2, L3 = 0x1000_0000, 0x1C00_0000, 0x8000_0000
PORT = "targets/bare"
# Of hwgen_port.h: profile points around an inference, and the result of a stack overflow.
BEGIN, END = 0xFFFF_FFFF, 0xFFFF_FFFE
STACK_OVERFLOW = 100
LEVEL = "-O3"
ALL = 0xFFFF_FFFF  # samples: as many as there are
MANY_L2 = 64 << 20  # a program of many models is no product: its memory has room
MANY_L3 = 1 << 30


def engine_isa(target: Target, engine: str) -> str:
    """The arm of the intrinsics that code for ``target`` is compiled with for an engine.

    Raises
    ------
    Unsupported
        The engine does not run the target's code.
    """
    if engine not in target.simulators:
        where = f"code for target {target.name} runs on {', '.join(target.simulators) or 'host'}"
        raise Unsupported(
            f"{where}, not on {engine!r}; 'hwgen compile ... --mcu TARGET' writes it for another "
            f"target, and 'hwgen targets' shows what runs where"
        )
    return target.isa if target.isa == "plain" else ENGINE_ISA[engine] or target.isa


def link(
    build: CBuild,
    folder: Path,
    isa: str | None = None,
    profile: bool = False,
    options: tuple[str, ...] = (LEVEL,),
) -> Path:
    """A program that runs one model over the samples of a simulator's host.

    Parameters
    ----------
    folder
        Where all that is made goes; it must exist.
    isa
        Arm of the intrinsics; the target's own if None.
    profile
        Whether the model's own profile points are compiled in, beside the two of every inference.
    options
        More options of the compiler, the level of optimisation among them.

    Returns
    -------
    Path of the ELF file, for a team of up to ``target.cores`` cores.

    Raises
    ------
    Unsupported
        The model was emitted for the host, or does not fit the target's memories.
    MissingTool, CompilerFailed
        As of :func:`hwgen.mcu.toolchain.cross.compile_object`.
    """
    target = load_target(build.target, build.folder)
    if profile:
        options = (*options, "-DHWGEN_PROFILE")
    try:
        return _link([(build, ALL)], target, folder, isa, options)
    except CompilerFailed as error:
        full = [m for m in ("L1", "L2", "L3") if f"{m} is full" in str(error)]
        if not full:
            raise
    larger = replace(target, l1=target.l1 and MANY_L2, l2=MANY_L2, l3=target.l3 and MANY_L3)
    program = _link([(build, ALL)], larger, folder, isa, options)
    raise Unsupported(_refusal(build, target, full[0], addresses(program.read_bytes())))


def _refusal(build: CBuild, target: Target, memory: str, ends: dict[str, int]) -> str:
    """What a memory lacks, given where everything ends if there is enough of it."""
    stacks = f"{target.cores} stack{'s' * (target.cores > 1)} of {target.stack}"
    everything = target.stack * target.cores
    has, need, of = {
        "L1": (target.l1, ends["__l1_end"] - L1 + everything, f"tiles and {stacks}"),
        "L2": (target.l2, ends["__bss_end"] - L2, "code, constants, arena, input and output"),
        "L3": (target.l3, ends.get("__l3_end", L3) - L3, "weights"),
    }[memory]
    if memory == "L2" and not target.l1:
        need, of = need + everything, f"{of}, and {stacks}"
    need = -(-need // 4) * 4
    return (
        f"model {build.model} needs {need} bytes of {memory} ({of}), and target {target.name} has "
        f"{has}; what would fit: {memory} larger by {need - has} bytes"
    )


def link_many(
    jobs: Sequence[tuple[CBuild, int]],
    folder: Path,
    isa: str | None = None,
    options: tuple[str, ...] = (LEVEL,),
) -> Path:
    """A program that runs many small models, one after the other: for tests.

    Models may have the same name; all must be for one target. The host's samples and outputs all
    have the sizes of :func:`sample_bytes`: those of smaller models are followed by unused bytes.

    Parameters
    ----------
    jobs
        Builds, each with its number of samples.
    folder, isa, options
        As of :func:`link`.
    """
    targets = {load_target(build.target, build.folder) for build, _ in jobs}
    if len(targets) != 1:
        names = ", ".join(sorted(target.name for target in targets))
        raise Unsupported(f"models of one program must be for one target, not for {names}")
    return _link(jobs, replace(targets.pop(), l2=MANY_L2), folder, isa, options)


def code_bytes(build: CBuild, engine: str, options: tuple[str, ...] = (LEVEL,)) -> dict[str, int]:
    """Bytes of machine code of every function of the model, as an engine runs it."""
    target = load_target(build.target, build.folder)
    isa = engine_isa(target, engine)
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="hwgen-") as name:
        folder = Path(name)
        (folder / "hwgen_port.h").write_text(read_kernel(f"{PORT}/hwgen_port.h"), encoding="utf-8")
        port = (f"-I{folder}",)
        path = folder / "model.o"
        for source in build.sources:
            compile_source(target, source, path, build.folder, isa, (*options, *port))
            sizes |= function_sizes(path.read_bytes())
    return sizes


def sample_bytes(builds: Sequence[CBuild]) -> tuple[int, int]:
    """Bytes of a sample and of an output as a program of these models passes them.

    Multiples of 8, so that arrays of any integers have that size.
    """
    return (
        max(_rounded(build.input) for build in builds),
        max(_rounded(build.output) for build in builds),
    )


def _rounded(port: Port) -> int:
    return -(-port.size * port.ctype.bytes // 8) * 8


class Source(NamedTuple):
    """A file of C or assembly: its name, the folder it is relative to, options of its own."""

    name: str
    folder: Path
    options: tuple[str, ...] = ()


def link_sources(
    sources: Iterable[Source],
    target: Target,
    folder: Path,
    isa: str | None = None,
    options: Sequence[str] = (LEVEL,),
) -> Path:
    """A program for the simulated machine from C with a ``main`` of its own.

    Parameters
    ----------
    sources
        What is compiled beside the machine's own start-up and port, whose header is included
        before everything else in them.
    folder, isa, options
        As of :func:`link`.
    """
    folder = folder.absolute()
    for name in ("hwgen_port.h", "hwgen_port.c", "crt0.S"):
        _write(folder / name, read_kernel(f"{PORT}/{name}"))
    script = {"target": target, "l1": L1, "l2": L2, "l3": L3}
    _write(folder / "link.ld", TEMPLATES.get_template(f"{PORT}/link.ld.j2").render(script))
    # A model's folder may hold other platforms' hwgen_port.h; they have the same guard.
    included = (f"-I{folder}", "-include", str(folder / "hwgen_port.h"))
    work = [Source("crt0.S", folder), Source("hwgen_port.c", folder), *sources]

    def compile_one(i: int) -> str:
        source = work[i]
        path = folder / f"{i}.o"
        more = () if source.name.endswith(".S") else (*options, *included, *source.options)
        compile_source(target, source.name, path, source.folder, isa, more)
        return str(path)

    with ThreadPoolExecutor(max_workers=2) as pool:
        objects = list(pool.map(compile_one, range(len(work))))
    program = folder / "program.elf"
    compiler = find_cross_compiler(target)
    before, after = compiler.linking(target)
    command = [*compiler.command, *before, "-Wl,--gc-sections", "-T", "link.ld"]
    command += ["-o", str(program), *objects, *after]
    run_compiler(command, folder, compiler.environment(folder))
    return program


def _link(
    jobs: Sequence[tuple[CBuild, int]],
    target: Target,
    folder: Path,
    isa: str | None,
    options: Sequence[str],
) -> Path:
    """A runner for these models, and the models."""
    models = [_describe(build, count, i, len(jobs)) for i, (build, count) in enumerate(jobs)]
    inputs, outputs = sample_bytes([build for build, _ in jobs])
    context = {
        "models": models,
        "input_bytes": inputs,
        "output_bytes": outputs,
        "arena_bytes": max(build.arena_bytes for build, _ in jobs),
        "arena_align": max(build.arena_align for build, _ in jobs),
        "tile_bytes": max(build.l1_bytes for build, _ in jobs),
    }
    sources = []
    for name in ("runner.c", "l3.S") if any(m["l3_bytes"] for m in models) else ("runner.c",):
        _write(folder / name, TEMPLATES.get_template(f"{PORT}/{name}.j2").render(context))
        sources.append(Source(name, folder.absolute()))
    for (build, _), model in zip(jobs, models, strict=True):
        renamed = tuple(build.renamed(model["name"])) if len(jobs) > 1 else ()
        sources += [Source(source, build.folder, renamed) for source in build.sources]
    return link_sources(sources, target, folder, isa, options)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _describe(build: CBuild, count: int, i: int, jobs: int) -> dict[str, object]:
    """What the runner needs of a model."""
    kept = ("model", "input", "output", "arena_bytes", "l1_bytes", "l3_bytes", "state_bytes")
    return {
        **{name: getattr(build, name) for name in kept},
        "name": build.model if jobs == 1 else f"model_{i}",
        "l3": f"model_{i}_l3",
        "l3_file": (build.folder / f"{build.model}_l3.bin").absolute(),
        "count": count,
    }
