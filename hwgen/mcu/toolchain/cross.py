"""Compiles emitted C for a microcontroller: finds the compiler, and knows how to speak to it."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import InvalidInput, MissingTool, Unsupported
from ..build import CBuild
from ..target import Target, find_target, load_target
from .compiler import WARNINGS, run_compiler
from .elf import Sizes, section_sizes

__all__ = ["CrossCompiler", "compile_source", "find_cross_compiler", "measure"]

VARIABLE = "HWGEN_RISCV_CC"
DEBIAN = "riscv64-unknown-elf-gcc"
# Arms of the intrinsics and of the micro-kernels.
ISA_MACROS = {
    "plain": (),
    "xpulpv2": ("-DHWGEN_XPULPV2",),
    "xcv": ("-DHWGEN_XCV",),
    "greenwaves": ("-DHWGEN_GREENWAVES",),
}
OPTIONS = ("-ffreestanding", "-fomit-frame-pointer", "-ffunction-sections")


@dataclass(frozen=True, slots=True)
class CrossCompiler:
    """A compiler for 32-bit RISC-V.

    Attributes
    ----------
    command
        How it is called.
    is_zig
        Whether its options are those of ``zig cc``; else they are GCC's.
    complete
        Whether the command says itself which processor it compiles for.
    """

    command: tuple[str, ...]
    is_zig: bool
    complete: bool = False

    def compiling(self, target: Target) -> list[str]:
        """Options that choose the instruction set, and that keep every layer a function.

        So a layer's size, and a trap inside it, have its name.
        """
        if self.is_zig:
            processor = [f"--target={target.triple}", f"-mcpu={target.cpu}", "-fno-sanitize=all"]
            apart = ["-finline-hint-functions"]
        else:
            processor = [f"-march={_march(target)}", "-mabi=ilp32"]
            if "unaligned_scalar_mem" in target.features:
                processor.append("-mno-strict-align")
            apart = [
                f"-fno-inline-{which}functions{rest}"
                for which, rest in (("", ""), ("small-", ""), ("", "-called-once"))
            ]
        return [*([] if self.complete else processor), *apart]

    def environment(self, folder: Path) -> dict[str, str] | None:
        """Of its processes, which make something in ``folder``; None: as it is here.

        Zig keeps all that it ever compiled, and hangs where it cannot write that. So the objects
        of a run go where the run's files go, and Zig's own libraries into hwgen's cache.
        """
        if not self.is_zig:
            return None
        from ...sim.cache import cache_folder

        kept = {
            "ZIG_LOCAL_CACHE_DIR": folder.absolute() / "zig-cache",
            "ZIG_GLOBAL_CACHE_DIR": cache_folder("zig"),
        }
        return {**{name: str(path) for name, path in kept.items()}, **os.environ}

    def linking(self, target: Target) -> tuple[list[str], list[str]]:
        """Options before and after the object files of a program without a C library.

        What compilers call themselves, such as the division of 64-bit integers, is linked.
        """
        if self.is_zig:
            return [*self.compiling(target), "-nostartfiles"], []
        # Debian's GCC has its library for rv32im, and does not find it by any longer name.
        processor = [] if self.complete else ["-march=rv32im", "-mabi=ilp32"]
        return [*processor, "-nostartfiles", "-nodefaultlibs"], ["-lgcc"]


def _march(target: Target) -> str:
    """The base instruction set and its extensions as GCC spells them."""
    letters = [f for f in target.features if len(f) == 1]
    others = [f for f in target.features if f.startswith("z")]
    return "_".join(["rv32i" + "".join(letters), *others])


def find_cross_compiler(target: Target) -> CrossCompiler:
    """The compiler for ``target``.

    In this order: the target file's ``compiler.command``, ``$HWGEN_RISCV_CC``, the compiler that
    the pip package ``ziglang`` brings, Debian's ``riscv64-unknown-elf-gcc``.

    Raises
    ------
    Unsupported
        The target is this machine, which :mod:`hwgen.mcu.toolchain.host` compiles for.
    MissingTool
        There is none, or the one that was named does not exist.
    """
    if target.is_host:
        raise Unsupported(
            f"target {target.name!r} needs no cross compiler; use hwgen.mcu.toolchain.host"
        )
    for origin, said in (
        (f"compiler.command of target {target.name}", target.command),
        (VARIABLE, os.environ.get(VARIABLE, "")),
    ):
        if command := _split(said, origin):
            return _named(command, origin)
    if importlib.util.find_spec("ziglang") is not None:
        return CrossCompiler((sys.executable, "-m", "ziglang", "cc"), is_zig=True)
    if shutil.which(DEBIAN):
        return CrossCompiler((DEBIAN,), is_zig=False)
    raise MissingTool(
        f"compiling for {target.name} needs a cross compiler: 'pip install ziglang' "
        f"(or 'pip install hwgen[rv32]') brings one, so does 'apt install "
        f"gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf'; {VARIABLE} names any other"
    )


def _split(command: str, origin: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise InvalidInput(f"{origin} must be a command, not {command!r}: {error}") from None


def _named(command: list[str], origin: str) -> CrossCompiler:
    if shutil.which(command[0]) is None:
        raise MissingTool(
            f"{origin} must name a C compiler for 32-bit RISC-V, and {command[0]!r} was not found"
        )
    return CrossCompiler(
        tuple(command),
        is_zig=any("zig" in Path(word).name for word in command),
        complete=any(word.startswith(("-march=", "-mcpu=")) for word in command),
    )


def compile_source(
    target: Target,
    source: str,
    path: Path,
    folder: Path,
    isa: str | None = None,
    options: Sequence[str] = (),
) -> None:
    """Compile one file of C or assembly for ``target``.

    Parameters
    ----------
    source, path, folder
        The file, the object file to make of it, and the folder that they are relative to.
    isa
        Arm of the intrinsics; the target's own if None.
    options
        More options of the compiler, the level of optimisation among them.

    Raises
    ------
    Unsupported
        The target is this machine, which :mod:`hwgen.mcu.toolchain.host` compiles for.
    MissingTool
        The cross compiler is not installed.
    CompilerFailed
        It refused the source.
    """
    compiler = find_cross_compiler(target)
    command = [
        *(*compiler.command, *compiler.compiling(target), *WARNINGS, *OPTIONS, *target.flags),
        *(*ISA_MACROS[target.isa if isa is None else isa], *options),
        *("-c", "-o", str(path), source),
    ]
    what = f"the C compiler of target {target.name}"
    if target.command or target.flags:
        what += " (compiler.command and compiler.flags are the target file's)"
    elif os.environ.get(VARIABLE):
        what += f" ({VARIABLE}, which must compile for 32-bit RISC-V)"
    run_compiler(command, folder, compiler.environment(path.parent), what)


def measure(build: CBuild, target: str | None = None) -> Sizes:
    """Compile the model for size, and return the bytes of its sections.

    Parameters
    ----------
    target
        A target's name; the build's own if None.
    """
    machine = load_target(build.target, build.folder) if target is None else find_target(target)
    parts = []
    with tempfile.TemporaryDirectory(prefix="hwgen-") as folder:
        path = Path(folder) / "model.o"
        for source in build.sources:
            compile_source(machine, source, path, build.folder, options=("-Os",))
            parts.append(section_sizes(path.read_bytes()))
    return Sizes(*(sum(getattr(p, kind) for p in parts) for kind in Sizes.__slots__))
