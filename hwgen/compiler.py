"""From a graph to a verified build folder."""

from __future__ import annotations

import operator
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .build import Build, write_manifest
from .destination import appearing, check_destination
from .errors import InvalidInput, MissingTool, Unsupported
from .ir.graph import Graph
from .ir.schedule import Schedule
from .ir.serialize import save_graph
from .loading import find_source, load
from .mcu.target import find_target
from .mcu.target_file import bundled_targets
from .passes import streaming as streaming_pass
from .passes.pipeline import run_passes
from .passes.schedule import best_cycles, parse_schedule, schedule
from .report.progress import Silent
from .verification import Check, c_runner, compare, golden_inputs, verilog_runner

__all__ = ["TARGETS", "compile"]

TARGETS = ("verilog", "c", "all")
VECTORS = 32  # golden samples of a build
SIMULATED_MACS = 50_000_000  # of the golden samples on the instruction-set simulator
SIMULATED_CYCLES = {"verilator": 20_000_000, "icarus": 40_000, "amaranth": 8_000}


def compile(
    source: Graph | str | Path,
    out: str | Path,
    *,
    target: str = "all",
    mcu: str | Path = "host",
    cycles: int | None = None,
    schedules: Mapping[str, Schedule | str] | None = None,
    pipeline: int | None = None,
    streaming: int | None = None,
    samples=None,
    simulator: str | None = None,
    verify: bool = True,
    force: bool = False,
    dump_ir: str | Path | None = None,
    reporter=None,
) -> Build:
    """Compile a network to Verilog and C and show both equal to the golden model.

    Parameters
    ----------
    source
        A graph, a module of ``hwgen.nn`` layers, or anything that :func:`hwgen.load` takes. Where it
        is a module or a checkpoint, PyTorch's own result is compared as well.
    out
        The build folder. It appears only when everything is verified; an earlier build of the same
        model is replaced.
    target
        ``verilog``, ``c`` or ``all``.
    mcu
        What the C is for: a target's name, or the path of a target file
        (:mod:`hwgen.mcu.target`).
    cycles
        Most clock cycles between frames: the smallest hardware that meets it is chosen.
    schedules
        Hardware forms fixed by layer name: :class:`hwgen.Schedule` or text such as
        ``folded:4x8`` (PE x SIMD), or ``events:64x4:streamed``.
    pipeline
        Most adders in a row between two registers of the spatial layers, 1 to 64; by default 4.
        Fewer mean a faster clock, more registers and a longer latency.
    streaming
        Steps of a sequence that one call or frame takes: the state of recurrent layers goes on from
        one to the next. None: every sample is a whole sequence.
    samples
        Integers of shape (batch, *input shape) to verify on; by default 32 that reach into corners,
        or fewer where a run takes many cycles.
    simulator
        Engine for the Verilog: by default the fastest one that is installed.
    verify
        False: emit without comparing (a build that is not verified says so in its manifest).
    force
        Replace whatever lies at ``out``.
    dump_ir
        A folder for the printed graph after every pass.

    Raises
    ------
    Mismatch
        A form differs from the golden model; nothing is written.
    InvalidInput, Unsupported
        Something in the input or the options cannot be met; nothing is written.
    """
    reporter = reporter or Silent()
    _check_target(target, mcu)
    out = Path(out)
    cycles, pipeline = _whole("cycles", cycles), _whole("pipeline", pipeline)
    streaming = _whole("streaming", streaming)
    if schedules is not None and not isinstance(schedules, Mapping):
        raise InvalidInput(
            f"schedules must map layer names to schedules, found {type(schedules).__name__}"
        )
    machine = find_target(mcu)
    if verify and target != "c":
        simulator = _usable_engine(simulator)
    checks: list[Check] = []
    skipped: dict[str, str] = {}
    with reporter.step("reading the network"):
        original = _read(source)
        check_destination(out, original.name, force)
        if samples is None:
            x = golden_inputs(original, original.golden_samples(VECTORS))
        else:
            x = original.check_input(samples)
        if not len(x):
            raise InvalidInput("samples must hold one sample or more, found none")
        expected = original.run(x)
        if verify:
            checks += _check_torch(source, original, x, expected)
        if streaming is not None:
            original, x, expected = _streamed(original, streaming, x, checks)
    with reporter.step("passes and schedules"):
        graph = run_passes(original, Path(dump_ir) if dump_ir is not None else None)
        compare(original, "graph after all passes", x, expected, graph.run(x), _rerun)
        fixed = {
            name: parse_schedule(pick) if isinstance(pick, str) else pick
            for name, pick in (schedules or {}).items()
        }
        picks = schedule(graph, cycles, fixed, pipeline) if target != "c" else {}
    if pipeline is not None and not any(pick.form == "spatial" for pick in picks.values()):
        reporter.note("--pipeline has no effect here: no layer is spatial")
    with appearing(out, graph.name, force) as folder:
        save_graph(graph, folder / "model")
        (folder / "vectors").mkdir()
        np.save(folder / "vectors" / "input.npy", x)
        np.save(folder / "vectors" / "expected.npy", expected)
        if target != "c":
            picks = _emit_verilog(graph, picks, fixed, cycles, pipeline, folder, reporter)
            if verify:
                checks.append(
                    _check_verilog(graph, picks, folder, x, expected, simulator, reporter)
                )
        if target != "verilog":
            checks += _emit_c(graph, folder, machine, x, expected, verify, skipped, reporter)
        write_manifest(
            folder,
            graph,
            picks,
            options={
                "target": target,
                "mcu": machine.name,
                "cycles": cycles,
                "pipeline": pipeline,
                "streaming": streaming,
                "schedules": {name: str(pick) for name, pick in fixed.items()},
            },
            checks=[{"form": c.form, "samples": c.samples, "differ": c.differ} for c in checks],
            skipped=skipped,
        )
    return Build.load(out)


def _check_target(target: str, mcu: str | Path) -> None:
    if target not in TARGETS:
        known = ", ".join(TARGETS)
        meant = (
            f"; the C is for {target} with --mcu {target}" if target in bundled_targets() else ""
        )
        raise InvalidInput(f"target must be one of {known}, not {target!r}{meant}")
    if target == "verilog" and str(mcu) != "host":
        raise InvalidInput(f"mcu {str(mcu)!r} says what C is for, and needs target c or all")


def _whole(name: str, value) -> int | None:
    try:
        return None if value is None else operator.index(value)
    except TypeError:
        raise InvalidInput(f"{name} must be a whole number, not {value!r}") from None


def _rerun(part: Graph, x: np.ndarray) -> np.ndarray:
    return run_passes(part).run(x)


# -- the forms --------------------------------------------------------------------------------


def _read(source) -> Graph:
    if isinstance(source, Graph):
        return source
    if isinstance(source, str | Path):
        return load(source)
    from .frontend.module import lower

    return lower(source)


def _streamed(whole: Graph, steps: int, x: np.ndarray, checks: list[Check]):
    """The graph that takes ``steps`` steps a call, calls to verify it on, and their results."""
    graph = streaming_pass.streaming(whole, steps)
    streaming_pass.check_streaming(whole, graph, x)
    checks.append(Check("streamed graph", len(x)))
    calls = x.reshape(-1, steps, x.shape[-1])[: len(x)]
    return graph, calls, graph.run(calls)


def _check_torch(source, graph: Graph, x, expected) -> list[Check]:
    """PyTorch's eval forward on the same samples, where the source has one."""
    if isinstance(source, Graph):
        return []
    if isinstance(source, str | Path):
        source = find_source(source)
        if source.is_dir() or source.name.endswith(".ir.json"):
            return []
    from .frontend.evaluate import evaluate

    got = evaluate(source, graph, x)

    def rerun(part: Graph, x: np.ndarray) -> np.ndarray:
        raise Unsupported("PyTorch's forward gives its last value only")

    return [compare(graph, "PyTorch eval", x, expected, got, rerun)]


def _emit_verilog(
    graph: Graph,
    picks: dict[str, Schedule],
    fixed: Mapping[str, Schedule],
    cycles: int | None,
    pipeline: int | None,
    folder: Path,
    reporter,
) -> dict[str, Schedule]:
    """Write the Verilog; where layers in a row are slower than each alone, tighten the goal."""
    from .rtl.emit import emit
    from .rtl.network import Network

    with reporter.step("Verilog"):
        goal = cycles
        while True:
            network = Network(graph, picks)
            interval = network.interval
            if cycles is None or interval <= cycles:
                break
            least, limit = best_cycles(graph)
            goal = goal - max(1, interval - cycles)
            if goal < least:
                raise InvalidInput(
                    f"--cycles {cycles} cannot be met: the schedules found take {interval} cycles a "
                    f"frame; {limit.where} needs {least} at best; try --cycles {interval}"
                )
            picks = schedule(graph, goal, fixed, pipeline)
        emit(graph, picks, folder / "verilog", network)
    return picks


def _check_verilog(graph, picks, folder, x, expected, name, reporter) -> Check:
    from .rtl.design import Design
    from .rtl.network import Network
    from .sim import check_timing
    from .sim import simulator as find_engine

    design = Design.load(folder / "verilog")

    def engine(part: Graph):
        return find_engine(name, core=lambda: Network(part, picks))

    most = max(2, SIMULATED_CYCLES.get(name, 40_000) // max(1, design.interval))
    count = min(len(x), most)
    with (
        reporter.step(f"simulating {count} samples in {name}") as progress,
        tempfile.TemporaryDirectory(prefix="hwgen-") as scratch,
    ):
        result = engine(graph).run(design, x[:count], progress=progress)
        rerun = verilog_runner(picks, Path(scratch), engine)
        check = compare(
            graph, f"Verilog ({name})", x[:count], expected[:count], result.outputs, rerun
        )
        check_timing(design, result, f"{design.top} in {name}")
    return check


def _usable_engine(name: str | None) -> str:
    """``name`` if its tools are here; None: the fastest engine that is."""
    from . import sim

    if name == "amaranth":
        return name  # part of hwgen's own requirements
    if name is None:
        external = ("verilator", "icarus")
        usable = (e for e in external if sim.simulator(e).missing() is None)
        return next(usable, "amaranth")
    if lack := sim.simulator(name).missing():
        raise MissingTool(f"simulation in {name}: {lack}")
    return name


def _emit_c(graph, folder, machine, x, expected, verify, skipped, reporter) -> list[Check]:
    """Write the C and compare it; ``skipped`` gets the forms that lack a tool, and why."""
    from .mcu.emit import emit
    from .mcu.toolchain.compiler import find_host_compiler
    from .mcu.toolchain.host import run_on_host

    with reporter.step(f"C for {machine.name}"):
        build = emit(graph, folder, machine, samples=x[:8])
    reporter.plan(build)
    if not verify:
        return []
    checks = []
    with tempfile.TemporaryDirectory(prefix="hwgen-") as name:
        scratch = Path(name)
        try:
            find_host_compiler()
            with reporter.step(f"running {len(x)} samples in C on this machine"):
                got = run_on_host(build, x, sanitize=True)
                rerun = c_runner(scratch, machine)
                checks.append(compare(graph, "C (host)", x, expected, got, rerun))
        except MissingTool as error:
            reporter.note(f"not run on this machine: {error}")
            skipped["C (host)"] = str(error)
        if machine.simulators:
            checks += _check_on_iss(graph, build, machine, x, expected, scratch, skipped, reporter)
    return checks


def _check_on_iss(graph, build, machine, x, expected, scratch, skipped, reporter) -> list[Check]:
    """The same on the instruction-set simulator, if what it needs is here."""
    from .mcu.toolchain.cross import find_cross_compiler
    from .sim.riscv.models import run_on_core

    macs = sum(layer.macs for layer in build.layers)
    count = max(1, min(len(x), SIMULATED_MACS // max(1, macs)))

    def rerun(part: Graph, x: np.ndarray) -> np.ndarray:
        from .mcu.emit import emit

        return run_on_core(emit(part, scratch / f"{part.output}_iss", machine), x)[0]

    form = f"C ({machine.name}, iss)"
    try:
        find_cross_compiler(machine)
        with reporter.step(f"running {count} samples on the instruction-set simulator"):
            got, _ = run_on_core(build, x[:count])
    except MissingTool as error:
        reporter.note(f"not run on the instruction-set simulator: {error}")
        skipped[form] = str(error)
        return []
    return [compare(graph, form, x[:count], expected[:count], got, rerun)]
