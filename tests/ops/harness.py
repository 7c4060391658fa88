"""The tests that every op passes, in each of its rooms.

The test file of an op declares how to draw instances, the corner cases, an independent reference
in plain Python loops and the layer that trains it; :class:`OpTests` does the rest.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hwgen.errors import HwgenError
from hwgen.ir import Graph, GraphBuilder, Op, Schedule, Type
from hwgen.ir.serialize import from_json, to_json
from hwgen.mcu.emit import emit as emit_c
from hwgen.mcu.planning import tiling
from hwgen.mcu.planning.tiling import random_tiling
from hwgen.mcu.target import find_target
from hwgen.mcu.toolchain.host import run_many_on_host
from hwgen.rtl.design import Design
from hwgen.rtl.emit import emit as emit_verilog
from hwgen.rtl.network import Network
from hwgen.sim import protocol_check, simulator
from hwgen.sim.riscv.models import run_many_on_core

__all__ = ["HARDWARE", "Case", "Hardware", "OpTests", "drawn", "emit_hardware", "samples"]

EXAMPLES = 30  # random instances of an op for what costs no compiler
MODELS = 12  # random torch models
COMPILED = 1  # drawn instance for C
HARDWARE = 1  # drawn instance for Verilog, apart from the corner cases
FRAMES = 6  # samples through hardware
SIMULATED = 8  # samples through a simulated core
RISCV = ("rv32imc", "cv32e40p", "gap8")
# Which of the designs an engine runs, and for how many cycles a frame at most: together all of
# them, and the slower an engine, the fewer and shorter ones.
SHARES = {
    "verilator": (slice(0, None, 2), 1_000_000),
    "icarus": (slice(1, None, 4), 1_000_000),
    "amaranth": (slice(1, None, 2), 100),
}


@dataclass(frozen=True)
class Case:
    """One instance of an op.

    Attributes
    ----------
    op
        The op.
    x
        Type of the graph's input, which is the op's first operand.
    branch
        For an op of two operands: the op that makes the second one out of the first.
    after
        For an op that is no hardware of its own: an op behind it.
    """

    op: Op
    x: Type
    branch: Op | None = None
    after: Op | None = None

    def graph(self) -> Graph:
        """The smallest graph with the op, which is called ``node``."""
        builder = GraphBuilder(f"one_{self.op.name}")
        x = builder.input(self.x)
        operands = [x] if self.branch is None else [x, builder.add(self.branch, x, name="branch")]
        y = builder.add(self.op, *operands, name="node", layer="layer")
        return builder.build(y if self.after is None else builder.add(self.after, y, name="after"))


def samples(x: Type, count: int, seed: int = 0) -> np.ndarray:
    """Inputs of type ``x``: its ends first, then mixtures of the ends, then anything."""
    rng = np.random.default_rng(seed)
    values = rng.integers(x.lo, x.hi, (count, *x.shape), endpoint=True)
    mixed = min(count, max(2, count // 4))
    values[:mixed] = rng.choice([x.lo, x.hi], (mixed, *x.shape))
    values[:1] = x.lo
    values[1:2] = x.hi
    return values


@cache
def drawn(tests: type[OpTests], count: int) -> tuple[Case, ...]:
    """The corner cases and then drawn ones, the same on every machine: for batches."""
    found: dict[Case, None] = dict.fromkeys(tests.corners)

    @settings(
        max_examples=8 * count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(tests.cases)
    def collect(case: Case) -> None:
        found.setdefault(case)

    collect()
    rest = list(found)[len(tests.corners) :]
    # Hypothesis draws simple cases first; take every so many of all, the last ones included.
    step = max(1, len(rest) // count)
    return tests.corners + tuple(rest[::-step][:count])


@dataclass(frozen=True)
class Hardware:
    """An instance with a schedule, emitted."""

    case: Case
    graph: Graph
    schedules: dict[str, Schedule]
    design: Design

    def check(self, engine: str, frames: int = FRAMES) -> None:
        """Data, protocol, resets and timing, in one simulator."""
        x = samples(self.case.x, frames)
        simulator_ = simulator(engine, core=lambda: Network(self.graph, self.schedules))
        missing = simulator_.missing()
        if missing:
            pytest.skip(missing)
        protocol_check(self.design, simulator_, x, self.graph.run(x), seed=len(self.schedules))


def cut_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let layers be cut at random, where they need not be cut at all."""
    rng = random.Random(0)

    def tile(work, memory, where="layer", chunk=None):
        return random_tiling(work, memory, rng)

    monkeypatch.setattr(tiling, "tile", tile)


def spread(schedules: Sequence[Schedule], count: int, start: int) -> list[Schedule]:
    """``count`` of the schedules, far apart, beginning with another one for every ``start``."""
    ordered = sorted(schedules, key=lambda s: (s.form, s.multipliers, s.pe, s.lanes))
    step = max(1, len(ordered) // count)
    return [ordered[(start + k * step) % len(ordered)] for k in range(min(count, len(ordered)))]


def emit_hardware(tests: type[OpTests], folder: Path, count: int) -> list[Hardware]:
    """Every corner case in one schedule; the first one and ``count`` drawn ones in two.

    Forms that only some weights allow are tried wherever they can be.
    """
    found = []
    for at, case in enumerate(drawn(tests, count)):
        graph = case.graph()
        nodes = [node for node in graph.nodes if node.op.name != "input"]
        choices = [node.op.schedules(*graph.operands(node)) for node in nodes]
        several = 1 if 0 < at < len(tests.corners) else 2
        several_of = [spread(c, several, at) for c in choices]
        if len(choices) == 1:
            for form in ("serial", "scan", "events", "columns"):
                of_form = [s for s in choices[0] if s.form == form]
                if not any(s.form == form for s in several_of[0]):
                    several_of[0] += spread(of_form, 1, at)
        for picks in zip(*several_of, strict=False):
            schedules = {node.name: pick for node, pick in zip(nodes, picks, strict=True)}
            design = emit_verilog(graph, schedules, folder / str(len(found)))
            found.append(Hardware(case, graph, schedules, design))
    return found


class OpTests:
    """Subclass as ``Test<Op>`` in the op's own test file.

    Attributes
    ----------
    cases
        Draws instances.
    corners
        Instances that must be among the tested ones.
    """

    cases: ClassVar[st.SearchStrategy[Case]]
    corners: ClassVar[tuple[Case, ...]]

    def naive(self, op: Op, *operands: list) -> list:
        """The op's result on one sample, in plain Python: nested lists in, nested lists out."""
        raise NotImplementedError(f"{type(self).__name__} must define naive()")

    def naive_batch(self, op: Op, *operands: list) -> list:
        """The op's results on samples that come one after the other."""
        return [self.naive(op, *sample) for sample in zip(*operands, strict=True)]

    def extremes(self, case: Case) -> np.ndarray | None:
        """Inputs on which the op reaches both ends of its interval; None if it need not."""
        return None

    def model(self, rng: np.random.Generator):
        """A random, untrained ``hwgen.nn`` model whose graph holds the op."""
        raise NotImplementedError(f"{type(self).__name__} must define model()")

    def _check_all(self, check) -> None:
        for case in self.corners:
            check(case)
        settings(max_examples=EXAMPLES)(given(self.cases)(check))()

    def test_survives_a_file(self):
        def check(case: Case) -> None:
            graph = case.graph()
            document, constants = to_json(graph)
            again = from_json(document, constants)
            assert again == graph
            assert again.hash == graph.hash

        self._check_all(check)

    def test_run_equals_loops(self):
        def check(case: Case) -> None:
            graph = case.graph()
            values = graph.run_all(samples(case.x, 5))
            operands = [values[name].tolist() for name in graph["node"].inputs]
            expected = self.naive_batch(case.op, *operands)
            assert values["node"].tolist() == expected

        self._check_all(check)

    def test_interval_holds_every_result(self):
        def check(case: Case) -> None:
            graph = case.graph()
            kind, y = graph["node"].type, graph.run_all(samples(case.x, 64))["node"]
            assert y.shape[1:] == kind.shape
            assert y.min() >= kind.lo
            assert y.max() <= kind.hi
            reaching = self.extremes(case)
            if reaching is not None:
                y = graph.run_all(reaching)["node"]
                assert (y.min(), y.max()) == (kind.lo, kind.hi)

        self._check_all(check)

    def test_schedules_are_costed(self):
        def check(case: Case) -> None:
            graph = case.graph()
            node = graph["node"]
            operands = graph.operands(node)
            schedules = case.op.schedules(*operands)
            assert schedules
            assert len(set(schedules)) == len(schedules)
            for schedule in schedules:
                assert case.op.cost(*operands, schedule=schedule).cycles >= 1

        self._check_all(check)

    @pytest.mark.parametrize("engine", SHARES)
    def test_verilog_equals_run(self, hardware, engine):
        share, most_cycles = SHARES[engine]
        for built in hardware[share]:
            if built.design.interval > most_cycles:
                continue
            try:
                built.check(engine)
            except HwgenError as error:
                schedule = ", ".join(f"%{k}: {v}" for k, v in built.schedules.items())
                raise AssertionError(f"{error}\nin {schedule}\n{built.graph}") from error

    def test_declared_interval_is_the_cost(self, hardware):
        for built in hardware:
            graph, node = built.graph, built.graph["node"]
            cost = node.op.cost(*graph.operands(node), schedule=built.schedules["node"])
            if len(built.schedules) == 1:
                assert built.design.interval == cost.cycles, (built.schedules, graph)
            else:
                assert built.design.interval >= cost.cycles, (built.schedules, graph)

    def test_c_equals_run(self, tmp_path):
        jobs, expected = [], []
        for at, case in enumerate(drawn(type(self), COMPILED)):
            graph, x = case.graph(), samples(case.x, 50)
            jobs.append((emit_c(graph, tmp_path / str(at)), x))
            expected.append(graph.run(x))
        for want, got, (build, _) in zip(
            expected, run_many_on_host(jobs, sanitize=True), jobs, strict=True
        ):
            assert np.array_equal(got, want), build.folder

    @pytest.mark.parametrize("target", RISCV)
    def test_riscv_equals_run(self, tmp_path, target, monkeypatch):
        """On the instruction-set simulator: every arm, one core or a team, whole or in tiles."""
        pytest.importorskip("ziglang")
        cut_anywhere(monkeypatch)
        self._check_on_cores(tmp_path, target, "iss", SIMULATED)

    @pytest.mark.slow
    @pytest.mark.parametrize("target", ["cv32e40p", "gap8"])
    def test_core_equals_run(self, tmp_path, target, monkeypatch):
        """On the RTL of a core."""
        pytest.importorskip("ziglang")
        cut_anywhere(monkeypatch)
        self._check_on_cores(tmp_path, target, find_target(target).simulators[-1], 2)

    def _check_on_cores(self, folder: Path, target: str, engine: str, count: int) -> None:
        jobs, expected = [], []
        for at, case in enumerate(drawn(type(self), COMPILED)):
            graph, x = case.graph(), samples(case.x, count)
            jobs.append((emit_c(graph, folder / str(at), target), x))
            expected.append(graph.run(x))
        results = run_many_on_core(jobs, engine, find_target(target).cores)
        for want, got, (build, _) in zip(expected, results, jobs, strict=True):
            assert np.array_equal(got, want), build.folder

    @pytest.mark.filterwarnings(
        "ignore::hwgen.nn.masked.UnreadInputs"
    )  # small masks drop whole inputs
    def test_torch_equals_run(self):
        import torch

        from hwgen.frontend.module import lower
        from hwgen.nn import integers

        varied = 0
        for seed in range(MODELS):
            torch.manual_seed(seed)
            model = self.model(np.random.default_rng(seed))
            shape = model[0].shape
            # Within the input's range and beyond; the first batch sets the learned scales.
            real = torch.randn(32, *shape) * 2.0 ** torch.randint(-2, 3, (32, *[1] * len(shape)))
            model.train()
            model(real)
            model.eval()
            graph = lower(model, real)
            assert self.corners[0].op.name in [node.op.name for node in graph.nodes]
            channels_last = real.permute(0, 2, 3, 1) if len(shape) == 3 else real
            expected = graph.run(graph.quantize(channels_last.numpy()))
            assert np.array_equal(integers(model(real)), expected), f"seed {seed}: {graph}"
            varied += len(np.unique(expected)) > 1
        assert varied > MODELS / 2  # the comparison says something
