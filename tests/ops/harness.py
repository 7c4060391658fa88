"""The tests that every op passes, in each of its rooms.

The test file of an op declares how to draw instances, the corner cases, an independent reference
in plain Python loops and the layer that trains it; :class:`OpTests` does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hwgen.ir import Graph, GraphBuilder, Op, Type
from hwgen.ir.serialize import from_json, to_json

__all__ = ["Case", "OpTests", "drawn", "samples"]

EXAMPLES = 40  # random instances of an op for what costs no compiler
MODELS = 12  # random torch models


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
    """

    op: Op
    x: Type
    branch: Op | None = None

    def graph(self) -> Graph:
        """The smallest graph with the op: input, branch, op."""
        builder = GraphBuilder(f"one_{self.op.name}")
        x = builder.input(self.x)
        operands = [x] if self.branch is None else [x, builder.add(self.branch, x, name="branch")]
        return builder.build(builder.add(self.op, *operands, name="node", layer="layer"))


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
            expected = [self.naive(case.op, *sample) for sample in zip(*operands, strict=True)]
            assert values["node"].tolist() == expected

        self._check_all(check)

    def test_interval_holds_every_result(self):
        def check(case: Case) -> None:
            graph = case.graph()
            kind, y = graph.output_type, graph.run(samples(case.x, 64))
            assert y.shape[1:] == kind.shape
            assert y.min() >= kind.lo
            assert y.max() <= kind.hi
            reaching = self.extremes(case)
            if reaching is not None:
                y = graph.run(reaching)
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
