"""Links emitted C into programs for the simulated machine, whose cores run them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import Unsupported
from .build import CBuild, Port
from .compiler import CompilerFailed, run_compiler
from .cross import compile_source, find_cross_compiler
from .target import ENGINE_ISA, Target, load_target
from .templates import TEMPLATES, read_kernel

__all__ = ["BEGIN", "END", "STACK_OVERFLOW", "engine_isa", "link", "link_many", "sample_bytes"]

# Where the simulated machine's memories begin; sim/riscv/machine.h says the same.
L1, L2, L3 = 0x1000_0000, 0x1C00_0000, 0x8000_0000
PORT = "targets/bare"
# Of hwgen_port.h: profile points around an inference, and the result of a stack overflow.
BEGIN, END = 0xFFFF_FFFF, 0xFFFF_FFFE
STACK_OVERFLOW = 100
LEVEL = "-O2"
ALL = 0xFFFF_FFFF  # samples: as many as there are
MANY_L2 = 64 << 20  # a program of many models is no product: its memory has room


def engine_isa(target: Target, engine: str) -> str:
    """The arm of the intrinsics that code for ``target`` is compiled with for an engine.

    Raises
    ------
    Unsupported
        The engine does not run the target's code.
    """
    if engine not in target.simulators:
        known = ", ".join(target.simulators) or "no simulator"
        raise Unsupported(
            f"code for target {target.name} runs on {known}, not on {engine!r}; "
            f"emit it for another target"
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
        As of :func:`hwgen.mcu.cross.compile_object`.
    """
    target = load_target(build.target, build.folder)
    if profile:
        options = (*options, "-DHWGEN_PROFILE")
    try:
        return _link([(build, ALL)], target, folder, target.l2, isa, options)
    except CompilerFailed as error:
        for memory, size in (("L1", target.l1), ("L2", target.l2), ("L3", target.l3)):
            if f"{memory} is full" in str(error):
                raise Unsupported(
                    f"model {build.model} does not fit {memory} of target {target.name}, "
                    f"{size} bytes with {target.cores} stacks of {target.stack}"
                ) from None
        raise


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
    return _link(jobs, targets.pop(), folder, MANY_L2, isa, options)


def sample_bytes(builds: Sequence[CBuild]) -> tuple[int, int]:
    """Bytes of a sample and of an output as a program of these models passes them.

    Multiples of 8, so that arrays of any integers have that size.
    """
    inputs, outputs = _sample_bytes([b.input for b in builds], [b.output for b in builds])
    return inputs, outputs


def _link(
    jobs: Sequence[tuple[CBuild, int]],
    target: Target,
    folder: Path,
    l2_bytes: int,
    isa: str | None,
    options: Sequence[str],
) -> Path:
    compiler = find_cross_compiler(target)
    folder = folder.absolute()
    models = [_describe(build, count, i, len(jobs)) for i, (build, count) in enumerate(jobs)]
    sources = _write_sources(models, target, folder, l2_bytes)
    # A folder's own hwgen_port.h is its product's; the machine's comes first, with that guard.
    options = (*options, f"-I{folder}", "-include", str(folder / "hwgen_port.h"))
    work = [(source, folder, ()) for source in sources]
    for (build, _), model in zip(jobs, models, strict=True):
        renamed = [f"-D{build.entry}={model['entry']}"] if len(jobs) > 1 else []
        work += [(source, build.folder, renamed) for source in build.sources]

    def compile_one(i: int) -> str:
        source, where, renamed = work[i]
        path = folder / f"{i}.o"
        more = renamed if source.endswith(".S") else [*options, *renamed]
        compile_source(target, source, path, where, isa, more)
        return str(path)

    with ThreadPoolExecutor(max_workers=2) as pool:
        objects = list(pool.map(compile_one, range(len(work))))
    program = folder / "program.elf"
    before, after = compiler.linking(target)
    command = [*compiler.command, *before, "-Wl,--gc-sections", "-T", "link.ld"]
    run_compiler([*command, "-o", str(program), *objects, *after], folder)
    return program


def _describe(build: CBuild, count: int, i: int, jobs: int) -> dict[str, object]:
    """What the runner needs of a model."""
    kept = ("model", "input", "output", "arena_bytes", "arena_align", "l1_bytes")
    return {
        **{name: getattr(build, name) for name in kept},
        "l3_bytes": getattr(build, "l3_bytes", 0),
        "entry": build.entry if jobs == 1 else f"model_{i}_run",
        "l3": f"model_{i}_l3",
        "l3_file": (build.folder / f"{build.model}_l3.bin").absolute(),
        "count": count,
    }


def _write_sources(
    models: list[dict[str, object]], target: Target, folder: Path, l2_bytes: int
) -> list[str]:
    """Write the machine's side of a program into ``folder``; the names of what is to compile."""

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text, encoding="utf-8", newline="\n")

    for name in ("hwgen_port.h", "hwgen_port.c", "crt0.S"):
        write(name, read_kernel(f"{PORT}/{name}"))
    inputs, outputs = _sample_bytes([m["input"] for m in models], [m["output"] for m in models])
    context = {
        "models": models,
        "target": target.name,
        "l1": L1,
        "l2": L2,
        "l3": L3,
        "l1_bytes": target.l1,
        "l2_bytes": l2_bytes,
        "l3_bytes": target.l3,
        "stack": target.stack,
        "cores": target.cores,
        "input_bytes": inputs,
        "output_bytes": outputs,
        "arena_bytes": max(m["arena_bytes"] for m in models),
        "arena_align": max(m["arena_align"] for m in models),
        "tile_bytes": max(m["l1_bytes"] for m in models),
    }
    sources = ["crt0.S", "hwgen_port.c", "runner.c"]
    write("link.ld", TEMPLATES.get_template(f"{PORT}/link.ld.j2").render(context))
    write("runner.c", TEMPLATES.get_template(f"{PORT}/runner.c.j2").render(context))
    if any(m["l3_bytes"] for m in models):
        write("l3.S", TEMPLATES.get_template(f"{PORT}/l3.S.j2").render(context))
        sources.append("l3.S")
    return sources


def _sample_bytes(*sides: list[Port]) -> tuple[int, ...]:
    return tuple(max(-(-p.size * p.ctype.bytes // 8) * 8 for p in ports) for ports in sides)
