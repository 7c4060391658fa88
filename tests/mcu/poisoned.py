"""Runs emitted models where every byte that they should not rely on is garbage.

Fast memory, arena and output are filled before every inference; the caller's input and output begin
at any byte; what lies behind each of them must be as it was afterwards. The models of a
program run sample by sample in turn, so that nothing may survive in them.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hwgen.mcu.build import CBuild
from hwgen.mcu.target import load_target
from hwgen.mcu.templates import TEMPLATES
from hwgen.mcu.toolchain.compiler import WARNINGS, find_host_compiler, run_compiler
from hwgen.mcu.toolchain.host import SANITIZED, from_bytes, host_options, to_bytes
from hwgen.mcu.toolchain.program import MANY_L2, Source, engine_isa, link_sources
from hwgen.sim.riscv.engine import run_program
from hwgen.sim.riscv.machine import CoreRun
from hwgen.sim.riscv.models import machine_for

__all__ = ["Job", "Program", "run_poisoned_on_host"]

Job = tuple[CBuild, np.ndarray]
RUNNER = Path(__file__).with_name("poisoned.c.j2")
TAIL = 32  # bytes behind everything that must stay as they are

FAULTS = {
    10: "no sample",
    11: "returned an error",
    12: "wrote to its input",
    13: "wrote behind the arena",
    14: "wrote behind its fast memory",
    15: "wrote beside its output",
    16: "no output",
}


def _models(jobs: Sequence[Job], rng: random.Random) -> list[dict[str, object]]:
    """What the runner needs; bytes may begin anywhere, wider elements at multiples of theirs."""
    models = []
    external = 0
    for i, (build, _) in enumerate(jobs):
        widths = build.input.ctype.bytes, build.output.ctype.bytes
        at = [rng.randrange(8 // width) * width for width in widths]
        models.append(
            {
                "input": build.input,
                "output": build.output,
                **{
                    name: getattr(build, name)
                    for name in ("arena_bytes", "l1_bytes", "l3_bytes", "state_bytes")
                },
                "name": f"model_{i}",
                "l3": f"model_{i}_l3",
                "l3_at": external,
                "l3_file": (build.folder / f"{build.model}_l3.bin").absolute(),
                "in_bytes": build.input.size * widths[0],
                "out_bytes": build.output.size * widths[1],
                "in_at": at[0],
                "out_at": at[1],
            }
        )
        external += build.l3_bytes
    return models


def _runner(jobs: Sequence[Job], models, host: bool) -> str:
    names = ("arena_bytes", "l1_bytes", "in_bytes", "out_bytes")
    return TEMPLATES.from_string(RUNNER.read_text()).render(
        models=models,
        all={name: max(m[name] for m in models) for name in names},
        host=host,
        tail=TAIL,
        external=sum(m["l3_bytes"] for m in models),
        samples=len(jobs[0][1]),
    )


def _fault(code: int, jobs: Sequence[Job]) -> str | None:
    if code % 100 not in FAULTS or code // 100 >= len(jobs):
        return None
    return f"model {code // 100} {FAULTS[code % 100]}: {jobs[code // 100][0].folder}"


class Program:
    """Models of one target in one program, for its simulators; all with as many samples.

    Parameters
    ----------
    seed
        Of where inputs and outputs begin.
    """

    def __init__(
        self, jobs: Sequence[Job], folder: Path, engine: str = "iss", seed: int = 0
    ) -> None:
        first = jobs[0][0]
        self.jobs, self.engine = jobs, engine
        self.target = load_target(first.target, first.folder)
        self.isa = engine_isa(self.target, engine)
        models = _models(jobs, random.Random(seed))
        self.in_bytes = max(m["in_bytes"] for m in models)
        self.out_bytes = max(m["out_bytes"] for m in models)
        (folder / "poisoned.c").write_text(_runner(jobs, models, host=False))
        sources = [Source("poisoned.c", folder.absolute())]
        if any(m["l3_bytes"] for m in models):
            text = TEMPLATES.get_template("targets/bare/l3.S.j2").render(models=models)
            (folder / "l3.S").write_text(text)
            sources.append(Source("l3.S", folder.absolute()))
        for (build, _), model in zip(jobs, models, strict=True):
            renamed = tuple(build.renamed(model["name"]))
            sources += [Source(source, build.folder, renamed) for source in build.sources]
        # Code and all the models' data beside each other are no part of what is tested.
        roomy = replace(
            self.target, l2=MANY_L2, l3=MANY_L2 if self.target.l3 else 0, l1=self._l1(jobs)
        )
        self.elf = link_sources(sources, roomy, folder, self.isa)
        self.roomy = roomy

    def _l1(self, jobs: Sequence[Job]) -> int:
        """The tails take L1 that the target need not have."""
        return self.target.l1 and self.target.l1 + 2 * TAIL

    def run(self, cores: int) -> tuple[list[np.ndarray], CoreRun]:
        """Outputs of every model, and the run."""
        machine = machine_for(self.roomy, self.isa, cores)
        count = len(self.jobs[0][1])
        rows = [
            np.frombuffer(to_bytes(build.input, x), np.uint8).reshape(count, -1)
            for build, x in self.jobs
        ]
        rows = [np.pad(row, ((0, 0), (0, self.in_bytes - row.shape[1]))) for row in rows]
        samples = np.stack(rows, axis=1).tobytes()
        total = count * len(self.jobs)
        run = run_program(
            self.elf,
            machine,
            self.engine,
            samples,
            total,
            self.in_bytes,
            self.out_bytes,
            limit=2_000_000_000,
        )
        assert run.exit_code == 0, _fault(run.exit_code, self.jobs) or run.exit_code
        data = np.frombuffer(run.outputs, np.uint8).reshape(count, len(self.jobs), -1)
        return [
            from_bytes(
                build.output,
                data[:, i, : build.output.size * build.output.ctype.bytes].tobytes(),
                count,
            )
            for i, (build, _) in enumerate(self.jobs)
        ], run


def run_poisoned_on_host(
    jobs: Sequence[Job], folder: Path, seed: int = 0, options: Sequence[str] = SANITIZED
) -> list[np.ndarray]:
    """Outputs of every model on this machine, under ASan and UBSan."""
    models = _models(jobs, random.Random(seed))
    (folder / "poisoned_host.c").write_text(_runner(jobs, models, host=True))
    compiler = find_host_compiler()
    objects = []
    for i, (build, _) in enumerate(jobs):
        for source in build.sources:
            objects.append(str(folder / f"host_{i}.o"))
            more = [*WARNINGS, *options, *host_options(build), *build.renamed(f"model_{i}")]
            run_compiler([*compiler, *more, "-c", "-o", objects[-1], source], build.folder)
    program = folder / "poisoned_host"
    run_compiler([*compiler, *options, "-o", str(program), "poisoned_host.c", *objects], folder)
    count = len(jobs[0][1])
    rows = [
        np.frombuffer(to_bytes(build.input, x), np.uint8).reshape(count, -1) for build, x in jobs
    ]
    files = [Path(model["l3_file"]).read_bytes() for model in models if model["l3_bytes"]]
    data = b"".join(files) + np.concatenate(rows, axis=1).tobytes()
    done = subprocess.run([str(program)], input=data, capture_output=True, timeout=600)
    said = done.stderr.decode(errors="replace")[:3000]
    assert done.returncode == 0, f"{_fault(done.returncode, jobs) or done.returncode}\n{said}"
    widths = [build.output.size * build.output.ctype.bytes for build, _ in jobs]
    output = np.frombuffer(done.stdout, np.uint8).reshape(count, sum(widths))
    parts = np.split(output, np.cumsum(widths)[:-1], axis=1)
    return [
        from_bytes(build.output, part.tobytes(), count)
        for (build, _), part in zip(jobs, parts, strict=True)
    ]
