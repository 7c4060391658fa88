"""Emitted models on simulated cores: outputs, profile points, and what cannot run."""

from __future__ import annotations

import dataclasses
import re
import shutil

import numpy as np
import pytest

from hwgen.errors import InvalidInput, Unsupported
from hwgen.mcu.build import CBuild, Port
from hwgen.mcu.emit import emit
from hwgen.mcu.storage import CType
from hwgen.mcu.toolchain import cross
from hwgen.mcu.toolchain.elf import function_sizes
from hwgen.mcu.toolchain.host import RunFailed
from hwgen.mcu.toolchain.program import link
from hwgen.sim.riscv import CoreTrap
from hwgen.sim.riscv.models import inferences, run_many_on_core, run_on_core
from tests.mcu.conftest import small  # noqa: F401
from tests.mcu.test_cross import needs_cross_compiler

pytestmark = needs_cross_compiler

# A model in the shape of emitted ones: outputs are sums of what external memory holds there.
MODEL = """
#include <stddef.h>
#include <stdint.h>
#include "hwgen_port.h"

#define ROOM {room}
int toy_run(const int8_t *in, int32_t *out, void *arena, void *l1, uint32_t l3);

struct call {{ const int8_t *x; int32_t *y; }};

static void toy_sum(void *argument)
{{
    const struct call *const call = argument;
    volatile unsigned char room[ROOM];
    for (int i = 0; i < ROOM; i++) room[i] = 0;
    for (int i = hwgen_core(); i < 8; i += hwgen_cores()) {{
        call->y[i] = call->x[i] + room[i];
    }}
    hwgen_barrier();
    if (hwgen_core() == 0) {{
        hwgen_mark(1);
        for (int i = 1; i < 8; i++) call->y[i] += call->y[i - 1];
    }}
}}

int toy_run(const int8_t *in, int32_t *out, void *arena, void *l1, uint32_t l3)
{{
    int32_t *const y = (int32_t *)((unsigned char *)l1 + 16);
    struct call call = {{l1, y}};
    if (arena == NULL || (uintptr_t)arena % 32 != 0) return 1;
    if (in[0] == 99) return 5;
    hwgen_mark(0);
    hwgen_dma_wait(hwgen_dma_in(l1, in, 8, 1, 8));
    hwgen_fork(toy_sum, &call);
    hwgen_l3_wait(hwgen_l3_read(arena, l3 + 1, 8));
    for (int i = 0; i < 8; i++) y[i] += ((const int8_t *)arena)[i];
    hwgen_dma_wait(hwgen_dma_out(out, y, 32, 1, 32));
    return 0;
}}
"""


@pytest.fixture
def toy(tmp_path):
    """Writes that model for a target with L1 and L3, and a golden model beside it."""

    def toy(folder="toy", target="gap8", room=8, offset=0, files=None) -> CBuild:
        where = tmp_path / folder
        where.mkdir()
        (where / "toy.c").write_text(MODEL.format(room=room))
        (where / "toy_l3.bin").write_bytes(bytes(range(offset, offset + 9)))
        for name, text in (files or {}).items():
            (where / name).write_text(text)
        return CBuild(
            folder=where,
            model="toy",
            target=target,
            graph_hash="0",
            sources=("toy.c",),
            input=Port((8,), CType(8, True), -128, 127),
            output=Port((8,), CType(32, True), -(1 << 31), (1 << 31) - 1),
            arena_bytes=8,
            arena_bound=8,
            arena_align=32,
            l1_bytes=48,
            l3_bytes=9,
            constant_bytes=0,
            layers=(),
        )

    return toy


def samples(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 99, (count, 8))


def golden(x: np.ndarray, offset: int = 0) -> np.ndarray:
    return np.cumsum(x, axis=1) + np.arange(offset + 1, offset + 9)


@pytest.mark.parametrize("cores", [1, 5, 8])
def test_a_model_with_all_memories(toy, cores):
    x = samples(20)
    y, run = run_on_core(toy(), x, cores=cores)
    assert y.dtype == np.int64 and (y == golden(x)).all()
    assert len(run.instructions) == cores
    assert (run.dma_bytes, run.l3_bytes) == (20 * (8 + 32), 20 * 8)
    each = inferences(run)
    assert len(each) == 20 and all(i.cycles > i.instructions > 100 for i in each)
    assert sum(i.cycles for i in each) < run.cycles


def test_profile_points(toy):
    _, run = run_on_core(toy(), samples(3), profile=True)
    ids = [mark.id for mark in run.marks]
    assert ids == 3 * [0xFFFF_FFFF, 0, 1, 0xFFFF_FFFE]
    assert len(inferences(run)) == 3
    assert run.marks[2].cycle > run.marks[1].cycle + 16  # a transfer lies between


def test_many_models_of_one_name(toy):
    builds = [toy(f"toy{i}", offset=10 * i) for i in range(3)]
    xs = [samples(n, seed=n) for n in (4, 0, 7)]
    ys = run_many_on_core(list(zip(builds, xs, strict=True)), cores=2)
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        assert y.shape == (len(x), 8) and (y == golden(x, 10 * i)).all()


def test_progress(toy):
    seen = []
    run_on_core(toy(), samples(5), progress=lambda done, count: seen.append((done, count)))
    assert seen[-1] == (5, 5)


def test_every_target_on_the_simulator(small, tmp_path):  # noqa: F811
    x = np.random.default_rng(1).integers(0, 16, (4, *small.input_type.shape))
    expected = small.run(x)
    for target in ("rv32imc", "cv32e40p", "cv32e41p", "gap8"):
        build = emit(small, tmp_path / target, target=target)
        for cores in (None, 1) if target in ("rv32imc", "gap8") else (None, 8):
            y, _ = run_on_core(build, x, cores=cores)
            assert (y == expected).all(), (target, cores)
        for y in run_many_on_core([(build, x), (build, x[:1])]):
            assert (y == expected[: len(y)]).all()


def test_layers_have_sizes(small, tmp_path):  # noqa: F811
    build = emit(small, tmp_path, target="rv32imc")
    sizes = function_sizes(link(build, tmp_path).read_bytes())
    assert all(sizes[layer.function] > 0 for layer in build.layers)
    assert {"main", "memcpy", "small_run"} >= set(sizes) & {"main", "memcpy", "small_run"}


def test_a_platform_of_ones_own(small, tmp_path):  # noqa: F811
    """The build folder holds the target, so that nothing else is needed to run it."""
    (tmp_path / "mine.toml").write_text(
        'extends = "gap8"\ncores = 3\n[memory]\nl1 = 8192\nl1_reserve = 0\n'
    )
    x = np.random.default_rng(1).integers(0, 16, (2, *small.input_type.shape))
    emit(small, tmp_path / "build", target=str(tmp_path / "mine.toml"))
    (tmp_path / "mine.toml").unlink()
    shutil.move(tmp_path / "build", tmp_path / "elsewhere")
    build = CBuild.load(tmp_path / "elsewhere" / "c")
    y, run = run_on_core(build, x)
    assert (y == small.run(x)).all() and len(run.instructions) == 3


def test_what_an_engine_does_not_run(toy, tmp_path):
    for target, engine, known in (
        ("gap8", "cv32e40p", "iss, cv32e41p"),
        ("rv32imc", "cv32e41p", "iss, cv32e40p"),
        ("host", "iss", "host"),
        ("gap8", "spike", "iss, cv32e41p"),
    ):
        build = dataclasses.replace(toy(f"{target}-{engine}"), target=target)
        with pytest.raises(Unsupported) as error:
            run_on_core(build, samples(1), engine)
        message = f"code for target {target} runs on {known}, not on {engine!r}; "
        assert str(error.value).startswith(message)


def test_teams_that_a_target_does_not_have(toy):
    for cores in (0, 9, -1):
        with pytest.raises(InvalidInput, match=f"target gap8 has 1 to 8 cores, not {cores}"):
            run_on_core(toy(f"toy{cores}"), samples(1), cores=cores)


def test_samples_that_are_no_inputs(toy):
    with pytest.raises(InvalidInput, match="input values must lie in"):
        run_on_core(toy(), samples(1) + 200)


def test_a_model_that_gives_up(toy):
    x = samples(3)
    x[1, 0] = 99
    with pytest.raises(RunFailed, match="a model returned 5 instead of 0"):
        run_on_core(toy(), x)


def test_stack_overflow_is_reported(toy):
    with pytest.raises(RunFailed, match=r"a core's stack overflowed; .*memory.stack"):
        run_on_core(toy(room=1100), samples(2), cores=8)
    own = 'extends = "gap8"\n[memory]\nstack = 2048\n'
    build = toy("roomy", target="mine", room=1100, files={"mine.toml": own})
    assert (run_on_core(build, samples(2), cores=8)[0] == golden(samples(2))).all()


def test_a_trap_names_its_function(toy):
    build = toy()
    text = (build.folder / "toy.c").read_text()
    wild = text.replace(
        "room[i] = 0;", "room[i] = 0, *(volatile int *)(uintptr_t)(64 + room[i]) = i;"
    )
    (build.folder / "toy.c").write_text(wild)
    with pytest.raises(CoreTrap, match=r"toy_sum.*0x00000040") as error:
        run_on_core(build, samples(1))
    assert error.value.exit_code == 1


def test_a_model_beyond_the_memory_is_refused_with_numbers(toy):
    own = 'extends = "gap8"\ncores = 1\n[memory]\nl1 = 2048\nl1_reserve = 0\nstack = 1024\nl2 = 65_536\nreserve = 0\n'
    build = toy(target="mine", files={"mine.toml": own})
    with pytest.raises(Unsupported) as error:
        run_on_core(dataclasses.replace(build, arena_bytes=65536), samples(1))
    found = re.fullmatch(
        r"model toy needs (\d+) bytes of L2 \(code, constants, arena, input and output\), and "
        r"target mine has 65536; what would fit: L2 larger by (\d+) bytes",
        str(error.value),
    )
    need, more = map(int, found.groups())
    assert need == 65536 + more
    for l2, fits in ((need, True), (need - 4, False)):
        resized = own.replace("65_536", str(l2))
        build = toy(f"toy_{fits}".lower(), target="mine", files={"mine.toml": resized})
        build = dataclasses.replace(build, arena_bytes=65536)
        if fits:
            assert (run_on_core(build, samples(1))[0] == golden(samples(1))).all()
        else:
            with pytest.raises(Unsupported, match="L2 larger by 4 bytes"):
                run_on_core(build, samples(1))
    build = toy("again", target="mine", files={"mine.toml": own})
    with pytest.raises(Unsupported) as error:
        run_on_core(dataclasses.replace(build, l1_bytes=1025), samples(1))
    assert str(error.value) == (
        "model toy needs 2064 bytes of L1 (tiles and 1 stack of 1024), and target mine has "
        "2048; what would fit: L1 larger by 16 bytes"
    )


@pytest.mark.skipif(shutil.which(cross.DEBIAN) is None, reason="needs gcc-riscv64-unknown-elf")
def test_compressed_code_is_kept_from_cv32e41p(toy):
    """A compiler of the user's own may make what the target file does not say."""
    own = f'extends = "gap8"\n[compiler]\ncommand = "{cross.DEBIAN} -march=rv32imc_zicsr"\n'
    own = own.replace("rv32imc_zicsr", "rv32imac_zicsr -mabi=ilp32")
    build = toy(target="mine", files={"mine.toml": own})
    with pytest.raises(Unsupported, match="cv32e41p runs no compressed code"):
        run_on_core(build, samples(1), "cv32e41p")


@pytest.mark.slow
@pytest.mark.parametrize(("target", "engine"), [("gap8", "cv32e41p"), ("xcv", "cv32e40p")])
def test_the_real_cores_give_the_same(toy, target, engine):
    own = 'extends = "gap8"\nisa = "xcv"\n'
    build = toy(target=target, files={"xcv.toml": own} if target == "xcv" else {})
    x = samples(10)
    for cores in (1, 8):
        y, real = run_on_core(build, x, engine, cores=cores)
        _, simulated = run_on_core(build, x, "iss", cores=cores)
        assert (y == golden(x)).all()
        assert real.instructions == simulated.instructions
        assert abs(real.cycles - simulated.cycles) <= 0.02 * real.cycles
