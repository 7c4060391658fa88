"""The real cores: CV32E40P (CORE-V's instructions) and CV32E41P (XpulpV2's), in Verilator.

Their RTL comes from pip. A core is compiled once, with the machine around it, and kept in the
user's cache; a cluster is several objects of the one compiled model.

>>> program("cv32e40p")  # doctest: +SKIP
PosixPath('/home/me/.cache/hwgen/riscv/.../engine.so')
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from hwgen.errors import MissingTool
from hwgen.sim import tools
from hwgen.sim.cache import build_once, cache_folder, digest
from hwgen.sim.cplusplus import FLAGS, compilers, execute, shared_object

__all__ = ["CORES", "RtlCore", "is_built", "program"]

_HARNESS = ("core.sv", "cores.cpp", "engine.h", "machine.h", "state.h", "devices.h", "dma.h")

# Parts of the packages that are not built: no FPU, registers are flip-flops.
_UNUSED = ("_fp_wrapper", "_register_file_latch", "_top")

# -O3 and `fast` for speed; assertions do not concern the program that runs.
_OPTIONS = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-Wno-fatal")
_LEVEL = 3


@dataclass(frozen=True, slots=True)
class RtlCore:
    """A core whose RTL is on pip.

    Attributes
    ----------
    name
        As in the names of its modules and of the engine.
    package
        The distribution, and the version with which the instruction-set simulator was compared.
    """

    name: str
    package: str

    @property
    def folder(self) -> Path | None:
        """Where its SystemVerilog is, or None if the package is not installed."""
        spec = importlib.util.find_spec(f"pythondata_cpu_{self.name}")
        if spec is None or spec.origin is None:
            return None
        return Path(spec.origin).parent / "system_verilog" / "rtl"

    @property
    def sources(self) -> list[Path]:
        """Its SystemVerilog files; packages come first."""
        folder = self.folder
        assert folder is not None, "missing() comes first"
        packages = sorted((folder / "include").glob("*_pkg.sv"))
        modules = sorted(folder.glob(f"{self.name}_*.sv"))
        return packages + [path for path in modules if not path.stem.endswith(_UNUSED)]

    def missing(self) -> str | None:
        """None if it can be built, else what is not there and how to get it."""
        lacks = []
        if self.folder is None:
            lacks.append(f"the RTL of {self.name} not found; pip install {self.package}")
        if lack := tools.missing("verilator", "g++"):
            lacks.append(lack)
        return ", ".join(lacks) or None


CORES = {
    core.name: core
    for core in (
        RtlCore("cv32e40p", "pythondata-cpu-cv32e40p==1.0.1.post1909"),
        RtlCore("cv32e41p", "pythondata-cpu-cv32e41p==0.0.post1883"),
    )
}


def is_built(engine: str) -> bool:
    """Is a core's library in the cache? Building it takes some seconds."""
    core = CORES[engine]
    return core.missing() is None and (cache_folder() / "riscv" / _key(core)).is_dir()


def program(engine: str) -> Path:
    """The shared library of a core and its machine (engine.h), built if it is not in the cache.

    Parameters
    ----------
    engine
        ``"cv32e40p"`` or ``"cv32e41p"``.

    Raises
    ------
    MissingTool
        The RTL's package, Verilator or g++ is not installed.
    """
    core = CORES[engine]
    if lack := core.missing():
        raise MissingTool(f"running on the RTL of {core.name} needs more: {lack}")

    def build(folder: Path) -> None:
        work = folder / "cpp"
        work.mkdir()
        for name in _HARNESS:
            (work / name).write_bytes(_harness(name))
        _verilate(core, work)
        shared_object(work, folder / "engine.so", _LEVEL, trace=False)
        shutil.rmtree(work)

    return build_once("riscv", _key(core), build) / "engine.so"


@cache
def _key(core: RtlCore) -> str:
    """Of the build in the cache: everything that goes into it."""
    options = f"{core.name} {_OPTIONS} {_LEVEL} {FLAGS}"
    return digest(compilers(), options, *map(_harness, _HARNESS), *core.sources)


def _harness(name: str) -> bytes:
    return files("hwgen.sim.riscv").joinpath(name).read_bytes()


def _verilate(core: RtlCore, work: Path) -> None:
    """SystemVerilog to ``work/Vcore*.cpp``."""
    folder = core.folder
    assert folder is not None, "program() has checked it"
    command = [str(tools.tool("verilator").path), *_OPTIONS, "-Wno-lint", "-Wno-style"]
    command += [f"-DHWGEN_{core.name.upper()}", f"-I{folder / 'include'}"]
    command += ["--top-module", "hwgen_core", "--prefix", "Vcore", "--Mdir", str(work)]
    command += [*map(str, core.sources), str(work / "core.sv")]
    execute(command, f"Verilator on {core.name}", work)
