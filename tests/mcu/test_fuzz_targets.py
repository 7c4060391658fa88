"""Random networks on random targets: wherever memory is tight and garbage, the bits are the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.errors import Unsupported
from hwgen.ir import Graph
from hwgen.mcu.build import CBuild
from hwgen.mcu.emit import emit
from hwgen.mcu.target import Target, find_target
from tests.mcu.graphs import draw, network, samples
from tests.mcu.planned import check_memory, cut_anywhere, decisions
from tests.mcu.poisoned import Job, Program, run_poisoned_on_host
from tests.mcu.rich import heavy, rich, target

SAMPLES = 7
CORES = (1, 2, 3, 5, 8)


def emitted(graph: Graph, folder: Path, machine: Target) -> CBuild | None:
    """The model, its memory checked; None if it is refused, with numbers."""
    with decisions() as found:
        try:
            build = emit(graph, folder, machine)
        except Unsupported as refusal:
            assert "would fit" in str(refusal), refusal
            assert any(letter.isdigit() for letter in str(refusal)), refusal
            return None
    check_memory(*found[-1], build)
    return build


def with_little_l2(
    graph: Graph, folder: Path, machine: Target, rng: np.random.Generator
) -> CBuild | None:
    """The model where L2 does not hold all weights; None if it needs more than was drawn."""
    ample = emitted(graph, folder, replace(machine, l2=machine.reserve + (4 << 20)))
    if ample is None:
        return None
    share = rng.random() ** 1.5
    bytes = 4096 + ample.arena_bytes + int(ample.constant_bytes * share)
    tight = replace(machine, reserve=machine.l1, l2=machine.l1 + bytes // 4 * 4, l3=8 << 20)
    return emitted(graph, folder, tight)


def check_dma(jobs: list[Job], run) -> None:
    """The simulated engines moved what the planner declared."""
    layers = [layer for build, _ in jobs for layer in build.layers]
    assert run.dma_bytes == SAMPLES * sum(layer.dma_bytes for layer in layers)
    assert run.l3_bytes == SAMPLES * sum(layer.l3_bytes for layer in layers)


def check_batch(seed: int, folder: Path, count: int, engine: str = "iss", streams: bool = False):
    """Networks for one target, on this machine and on every number of cores."""
    rng = np.random.default_rng((seed, streams))
    machine = target(rng, tiled=True if streams else None)
    graphs: list[Graph] = []
    jobs: list[Job] = []
    for i in range(4 * count):
        make = (heavy if streams else rich) if rng.integers(4) else network
        graph, place = draw(make, rng, f"model_{i}"), folder / str(i)
        with cut_anywhere(100 * seed + i, share=0.6 * (seed % 2)):
            build = (
                with_little_l2(graph, place, machine, rng)
                if streams
                else emitted(graph, place, machine)
            )
        if build is not None:
            graphs.append(graph)
            jobs.append((build, samples(graph, rng, SAMPLES)))
        if len(jobs) == count:
            break
    wanted = [graph.run(x) for graph, (_, x) in zip(graphs, jobs, strict=True)]
    results = [("host", run_poisoned_on_host(jobs, folder, seed))]
    program = Program(jobs, folder, engine, seed)
    for cores in sorted({n for n in CORES if n <= machine.cores} | {machine.cores}):
        got, run = program.run(cores)
        results.append((cores, got))
        if machine.is_tiled:
            check_dma(jobs, run)
    for where, got in results:
        for y, want, (build, _) in zip(got, wanted, jobs, strict=True):
            assert np.array_equal(y, want), (where, build.folder)


@pytest.mark.parametrize("streams", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_bits_are_the_same(streams, tmp_path):
    pytest.importorskip("ziglang")
    check_batch(0, tmp_path, 3, streams=streams)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("seed", range(1, 31))
def test_bits_are_the_same_on_many_targets(seed, streams, tmp_path):
    check_batch(seed, tmp_path, 6, streams=streams)


def check_advice(seed: int, folder: Path) -> int:
    """What a refusal says would fit does, as far as that layer goes; how much it advised."""
    rng = np.random.default_rng(seed)
    gap8 = find_target("gap8")
    graph = draw((rich, rich, heavy, network)[seed % 4], rng, "advised")
    said = 0
    for usable in (1024, 1500, 2200, 3500, 6000):
        machine = replace(gap8, name="small_l1", l1=gap8.l1 - gap8.l1_usable + usable)
        try:
            emit(graph, folder, machine)
            continue
        except Unsupported as refusal:
            where, _, text = str(refusal).partition(": its smallest tile")
        (l1,), cores = re.findall(r"L1 larger by (\d+)", text), re.findall(r"most (\d+) core", text)
        changed = [replace(machine, l1=machine.l1 + int(l1))]
        changed += [replace(machine, cores=n) for n in map(int, cores)]
        for machine in changed:
            said += 1
            try:
                emit(graph, folder, machine)
            except Unsupported as refusal:
                assert not str(refusal).startswith(f"{where}:"), (text, str(refusal))
    return said


@pytest.mark.slow
def test_what_would_fit_does(tmp_path):
    assert sum(check_advice(seed, tmp_path) for seed in range(12)) > 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_would_fit_does_often(tmp_path):
    assert sum(check_advice(seed, tmp_path) for seed in range(12, 200)) > 100


WRONG = {
    "12": "((unsigned char *)(uintptr_t)in)[0] ^= 1;",
    "13": "((unsigned char *)arena)[CHECKED_ARENA_BYTES] ^= 1;",
    "15": "((unsigned char *)out)[sizeof *out * CHECKED_OUTPUT_SIZE] ^= 1;",
}


@pytest.mark.parametrize("fault", WRONG)
def test_writes_beside_what_is_lent_are_seen(fault, small, tmp_path):
    pytest.importorskip("ziglang")
    build = emit(small, tmp_path, "rv32imc")
    path = build.folder / build.sources[0]
    wrong = WRONG[fault].replace("CHECKED", build.model.upper())
    head, end = path.read_text().rsplit("    return 0;\n", 1)
    path.write_text(f"{head}    {wrong}\n    return 0;\n{end}")
    job = (build, samples(small, np.random.default_rng(0), SAMPLES))
    with pytest.raises(AssertionError, match="model 0 wrote"):
        Program([job], tmp_path).run(1)


EMIT = """
import sys
from pathlib import Path
import numpy as np
from hwgen.errors import Unsupported
from hwgen.mcu.emit import emit
from tests.mcu.graphs import draw
from tests.mcu.rich import heavy, rich, target
rng = np.random.default_rng(int(sys.argv[2]))
machines = ["host", "rv32imc", "cv32e40p", "cv32e41p", "gap8", target(rng, tiled=True)]
for make in (rich, heavy):
    graph = draw(make, rng, make.__name__)
    for i, machine in enumerate(machines):
        try:
            emit(graph, Path(sys.argv[1]) / f"{make.__name__}_{i}", machine)
        except Unsupported as error:
            (Path(sys.argv[1]) / f"{make.__name__}_{i}.txt").write_text(str(error))
"""


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 9))]
)
def test_equal_in_every_process(seed, tmp_path):
    found = []
    for number in ("1", "77"):
        folder = tmp_path / number
        folder.mkdir()
        command = [sys.executable, "-c", EMIT, str(folder), str(seed)]
        environment = {**os.environ, "PYTHONHASHSEED": number}
        subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        found.append({path.relative_to(folder): path.read_bytes() for path in files})
    assert len(found[0]) > 60
    assert found[0] == found[1]
