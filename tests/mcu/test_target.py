"""Target files: those that come with hwgen, a user's own, and what is wrong with bad ones."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwgen.errors import InvalidInput, Unsupported
from hwgen.mcu.target import Target, describe_targets, find_target, load_target, save_target
from hwgen.mcu.target_file import KEYS, TABLES, bundled_targets

OWN = """
isa = "xpulpv2"
cores = 4
port = "bare"

[memory]
l1 = 131_072
l2 = 1_048_576

[dma]
bytes = 4

[compiler]
command = "riscv32-unknown-elf-gcc -march=rv32imcxpulpv2"
cpu = "generic_rv32+m+c"
"""


@pytest.fixture
def write(tmp_path):
    """Writes a target file, and returns its path as a user gives it."""

    def write(text: str, name: str = "mine.toml") -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_bundled():
    assert bundled_targets() == ("cv32e40p", "cv32e41p", "gap8", "host", "rv32imc")
    host, rv32imc, gap8 = map(find_target, ("host", "rv32imc", "gap8"))
    assert host == Target("host", "the machine that hwgen runs on") and host.is_host
    assert (rv32imc.isa, rv32imc.cores, rv32imc.is_tiled) == ("plain", 1, False)
    assert (gap8.isa, gap8.sdk_isa, gap8.cores, gap8.port) == ("xpulpv2", "greenwaves", 8, "pmsis")
    assert (gap8.l1, gap8.l2, gap8.l3) == (64 << 10, 512 << 10, 8 << 20)
    assert gap8.l1_usable == gap8.l1 - 8 * gap8.stack - gap8.l1_reserve
    assert gap8.l2_usable == gap8.l2 - gap8.reserve
    assert gap8.dma.cycles(4096) == 16 + 512
    assert gap8.dma.cycles(4097) == 16 + 513
    assert gap8.dma.cycles(4096, external=True) == 100 + 4096
    for name in ("cv32e40p", "cv32e41p"):
        flat = find_target(name)
        assert (flat.l1, flat.l1_usable, flat.dma, flat.cores) == (0, 0, None, 8)
        assert flat.l2_usable == flat.l2 - 8 * flat.stack


def test_simulators():
    simulators = {name: find_target(name).simulators for name in bundled_targets()}
    assert simulators == {
        "host": (),
        "rv32imc": ("iss", "cv32e40p"),  # compressed, which CV32E41P gets wrong
        "cv32e40p": ("iss", "cv32e40p"),
        "cv32e41p": ("iss", "cv32e41p"),
        "gap8": ("iss", "cv32e41p"),
    }


def test_table():
    titles, rows = describe_targets()
    assert {len(row) for row in rows} == {len(titles)}
    gap8 = next(row for row in rows if row[0] == "gap8")
    assert gap8[1:7] == ("xpulpv2", "8", "64 KiB", "512 KiB", "8 MiB", "iss, cv32e41p")


def test_a_platform_of_ones_own(write):
    target = find_target(write(OWN))
    assert (target.name, target.isa, target.cores, target.l1) == ("mine", "xpulpv2", 4, 131072)
    assert target.command == "riscv32-unknown-elf-gcc -march=rv32imcxpulpv2"
    assert target.dma == dataclasses.replace(find_target("gap8").dma, bytes=4)
    assert target.stack == 1040
    assert target.features == ("m", "c")


def test_extends_overrides_key_by_key(write):
    gap8 = find_target("gap8")
    target = find_target(write('extends = "gap8"\nsummary = "half"\n[memory]\nl1 = 32_768\n'))
    assert target == dataclasses.replace(gap8, name="mine", summary="half", l1=32768)
    flat = find_target(write('extends = "gap8"\n[memory]\nl1 = 0\nl2_wait = 0\n'))
    assert (flat.l1, flat.l3, flat.dma) == (0, 0, None)
    plain = find_target(write('extends = "gap8"\nisa = "plain"\n'))
    assert (plain.isa, plain.sdk_isa) == ("plain", "")


def test_startup_files_lie_beside_the_target_file(write, tmp_path):
    (tmp_path / "board").mkdir()
    for name in ("crt0.S", "link.ld", "port.h", "clock.c"):
        (tmp_path / "board" / name).write_text(name)
    target = find_target(
        write(
            'extends = "rv32imc"\n[startup]\ncrt0 = "board/crt0.S"\nlink = "board/link.ld"\n'
            'port = "board/port.h"\nsources = ["board/clock.c"]\n'
        )
    )
    assert target.crt0 == tmp_path / "board" / "crt0.S"
    assert [path.read_text() for path in (target.link, target.port_header, *target.sources)] == [
        "link.ld",
        "port.h",
        "clock.c",
    ]
    saved = tmp_path / "saved"
    saved.mkdir()
    save_target(target, saved)
    again = load_target("mine", saved)
    own = saved / "ports" / "mine"
    assert again.crt0.read_text() == "crt0.S"
    assert (again.crt0, again.link) == (own / "crt0.S", own / "link.ld")
    assert (again.port_header, again.sources) == (own / "hwgen_port.h", (own / "clock.c",))
    assert again.port_header.read_text() == "port.h"
    assert save_target(again, saved).read_text() == (saved / "mine.toml").read_text()


def test_files_that_would_meet_are_refused(write, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.c").write_text(folder)
    target = find_target(write('extends = "rv32imc"\n[startup]\nsources = ["a/x.c", "b/x.c"]\n'))
    with pytest.raises(InvalidInput, match=r"must have different names, not .*a/x.c and .*b/x.c"):
        save_target(target, tmp_path)


def test_files_of_ones_own_do_not_replace_a_port(write, tmp_path):
    (tmp_path / "port.h").write_text("")
    path = write('extends = "rv32imc"\n[startup]\nport = "port.h"\n', "pmsis.toml")
    with pytest.raises(InvalidInput, match=r"must not be called 'pmsis', which is hwgen's own"):
        find_target(path)


def test_bundled_targets_are_not_saved(tmp_path):
    assert save_target(find_target("gap8"), tmp_path) is None
    assert load_target("gap8", tmp_path) is find_target("gap8")


@pytest.mark.parametrize("name", ["gap9", "", "host ", "HOST"])
def test_unknown_name(name):
    with pytest.raises(Unsupported) as error:
        find_target(name)
    assert str(error.value) == (
        "C target must be one of cv32e40p, cv32e41p, gap8, host, rv32imc, "
        f"or the path of a .toml file, not {name!r}"
    )


BAD = {
    "unknown key": (
        'extends = "gap8"\ncore = 8',
        "unknown key 'core'; did you mean 'cores'?",
    ),
    "unknown key of a table": (
        'extends = "gap8"\n[memory]\nL1 = 65536',
        "unknown key 'memory.L1'; did you mean 'memory.l1'?",
    ),
    "far from every key": ("zzzz = 1", "unknown key 'zzzz'; known are summary, extends, isa,"),
    "unknown table": ("[zzzz]\na = 1", "unknown key 'zzzz'"),
    "nearly a table": (
        'extends = "gap8"\n[memry]\nl1 = 65536',
        "unknown key 'memry'; did you mean 'memory'?",
    ),
    "no table": ("memory = 3", r"memory must be a table, [memory], not 3"),
    "wrong type": (
        'extends = "gap8"\ncores = "8"',
        "cores must be a whole number from 1 to 16, not '8'",
    ),
    "a truth value": ("cores = true", "cores must be a whole number from 1 to 16, not True"),
    "a fraction": ("[memory]\nl1 = 65536.0", "memory.l1 must be a multiple of 4 from 1024 to"),
    "too many cores": ("cores = 17", "cores must be a whole number from 1 to 16, not 17"),
    "no cores": ("cores = 0", "cores must be a whole number from 1 to 16, not 0"),
    "negative": (
        "[memory]\nl2 = -4",
        "memory.l2 must be a multiple of 4 from 4096 to 1073741824, or 0 for none, not -4",
    ),
    "odd size": ("[memory]\nl1 = 65_537", "memory.l1 must be a multiple of 4 from 1024 to"),
    "tiny L1": (
        "[memory]\nl1 = 1020",
        "memory.l1 must be a multiple of 4 from 1024 to 16777216, or 0 for none, not 1020",
    ),
    "unsupported arm": (
        'isa = "rvv"',
        "isa must be 'plain' or 'xpulpv2' or 'xcv', not 'rvv'",
    ),
    "a list": ("isa = []", "isa must be 'plain' or 'xpulpv2' or 'xcv', not []"),
    "L1 beyond L2": (
        'extends = "gap8"\n[memory]\nl1 = 1_048_576',
        "memory.l1 must not exceed memory.l2, 524288 bytes, not 1048576",
    ),
    "stacks fill L1": (
        'extends = "gap8"\n[memory]\nl1 = 8192',
        "memory.l1 must leave 1024 bytes beside the stacks, not -6720: 8192 bytes less 8 stacks "
        "of 1040 and 6592 in reserve",
    ),
    "reserve fills L2": (
        'extends = "gap8"\n[memory]\nreserve = 524_288',
        "memory.l2 must leave 4096 bytes for the model, not 0: 524288 bytes less 524288 in reserve",
    ),
    "stacks fill L2": (
        'extends = "rv32imc"\n[memory]\nl2 = 8192',
        "memory.l2 must leave 4096 bytes for the model, not 4096: ",
    ),
    "L1 without DMA": (
        'extends = "cv32e40p"\n[memory]\nl1 = 65536',
        "memory.l1 needs a [dma] table: a DMA engine fills it",
    ),
    "DMA without L1": (
        'extends = "cv32e40p"\n[dma]\nbytes = 8',
        "[dma] needs memory.l1: a target without L1 has nothing to fill",
    ),
    "L3 without L1": (
        'extends = "cv32e40p"\n[memory]\nl3 = 65536',
        "memory.l3 needs memory.l1 and [dma]: a DMA engine reads it",
    ),
    "extends nothing": (
        'extends = "gap10"',
        "extends must be one of cv32e40p, cv32e41p, gap8, host, rv32imc, not 'gap10'",
    ),
    "no isa": ("cores = 1", "isa is missing; set it, or begin from a bundled target with "),
    "no compiler": (
        'isa = "plain"\ncores = 1\nport = "bare"\n[memory]\nl2 = 65536',
        'compiler needs cpu, and triple or command; extends = "rv32imc" brings them',
    ),
    "no memory": (
        'isa = "plain"\ncores = 1\nport = "bare"\n[compiler]\ncpu = "generic_rv32"\n'
        'triple = "riscv32-freestanding-none"',
        "memory.l2 is missing; port 'bare' needs the size of the memory with the code",
    ),
    "another architecture": (
        '[compiler]\ntriple = "arm-none-eabi"',
        "compiler.triple must be a target of clang's that begins 'riscv32-', not 'arm-none-eabi'",
    ),
    "host with an extension": (
        'extends = "host"\nisa = "xcv"',
        "isa must be 'plain' with port 'host', not 'xcv'",
    ),
    "host with a compiler": (
        'extends = "host"\n[compiler]\ncommand = "tcc"',
        "compiler must be left out with port 'host': the host's own is used",
    ),
    "the SDK's builtins on another core": (
        'extends = "cv32e40p"\nsdk_isa = "greenwaves"',
        "sdk_isa 'greenwaves' needs isa 'xpulpv2', whose instructions it is, not 'xcv'",
    ),
    "no such file": (
        'extends = "rv32imc"\n[startup]\ncrt0 = "crt0.S"',
        "startup.crt0 names 'crt0.S', which is not a file in ",
    ),
    "flags that are none": (
        '[compiler]\nflags = ["O3"]',
        "compiler.flags must be an array, each an option that begins with '-', not ['O3']",
    ),
    "not TOML": ("isa = plain", "not TOML: "),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_in_one_line(case, write):
    text, expected = BAD[case]
    if case == "stacks fill L2":  # 4096 bytes are just enough, four less are not
        assert find_target(write(text)).l2_usable == 4096
        text, expected = text.replace("8192", "8188"), expected.replace("not 4096", "not 4092")
    path = write(text)
    with pytest.raises(InvalidInput) as error:
        find_target(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert expected in message


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InvalidInput, match=r"mine.toml: no such target file"):
        find_target(str(tmp_path / "mine.toml"))
    with pytest.raises(InvalidInput, match=r"no such target file"):
        find_target("some/where")
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        find_target(f"{tmp_path}/")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="must be TOML in UTF-8"):
        find_target(str(tmp_path / "bytes.toml"))
    (tmp_path / "a b.toml").write_text('extends = "gap8"')
    with pytest.raises(InvalidInput, match="a target file's name must be letters, digits"):
        find_target(str(tmp_path / "a b.toml"))


def sizes(lo: int, hi: int) -> st.SearchStrategy[int]:
    return st.integers(lo // 16, hi // 16).map(lambda n: n * 16)


@given(
    cores=st.integers(1, 16),
    stack=sizes(256, 8192),
    room=sizes(1024, 1 << 20),
    l2_extra=sizes(0, 1 << 22),
    l3=st.one_of(st.just(0), sizes(1024, 1 << 24)),
    isa=st.sampled_from(("plain", "xpulpv2", "xcv")),
    dma=st.fixed_dictionaries(
        {}, optional={"bytes": st.integers(1, 64), "l3_setup": st.integers(0, 1000)}
    ),
    flags=st.lists(st.sampled_from(("-O3", "-fwrapv", '-DNAME="a\\b"')), max_size=3),
    summary=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1),
)
def test_what_is_legal_is_taken_and_survives_saving(
    tmp_path_factory, cores, stack, room, l2_extra, l3, isa, dma, flags, summary
):
    folder = tmp_path_factory.mktemp("target")
    l1 = room + cores * stack
    base = find_target("gap8")
    target = dataclasses.replace(
        base,
        name="mine",
        summary=summary,
        isa=isa,
        sdk_isa="",
        cores=cores,
        l1=l1,
        l2=l1 + l2_extra + 4096,
        l3=l3,
        stack=stack,
        l1_reserve=0,
        reserve=0,
        dma=dataclasses.replace(base.dma, **dma),
        flags=tuple(flags),
    )
    path = save_target(target, folder)
    assert load_target("mine", folder) == target
    text = path.read_text(encoding="utf-8")
    assert target.l1_usable == room
    # Any impossible size in its place is refused, whatever the rest says.
    for key, value in (("l1", l1 + 2), ("l1", -l1), ("l1", target.l2 + 4), ("stack", stack + 1)):
        old = f"\n{key} = {l1 if key == 'l1' else stack}\n"
        assert old in text
        path.write_text(text.replace(old, f"\n{key} = {value}\n"), encoding="utf-8")
        with pytest.raises(InvalidInput, match=key):
            find_target(str(path))


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_file_ends_in_anything_but_a_message(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("target") / "mine.toml"
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    path.write_bytes(data)
    with pytest.raises(InvalidInput):
        find_target(str(path))


_VALUES = st.one_of(
    st.integers(-(1 << 40), 1 << 40).map(str),
    st.sampled_from(("true", "1.5", '"text"', "[]", '["-x"]', "{}", "1979-05-27", '"gap8"')),
)


@given(st.dictionaries(st.sampled_from((*KEYS, *TABLES, "memory.zz", "zz")), _VALUES, max_size=4))
def test_any_keys_and_values_give_a_target_or_a_message(tmp_path_factory, settings):
    path = tmp_path_factory.mktemp("target") / "mine.toml"
    lines = [f"{key} = {value}\n" for key, value in settings.items()]
    path.write_text("".join(lines), encoding="utf-8")
    try:
        target = find_target(str(path))
    except InvalidInput as error:
        assert str(path) in str(error)
    else:
        assert target.cores >= 1
