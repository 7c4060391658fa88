"""Boolean netlists as circuits: Verilog and BLIF, read and mapped by Yosys."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from ..errors import InvalidInput
from ..yosys import run_yosys, said_last
from .blif import grouped, parse_blif
from .circuit import Circuit, Net
from .mapped import Cell, Module, Sources, check_elaborated, read_module
from .sharing import join_parities, share

__all__ = ["read_blif", "read_verilog"]

_HERE = Path(__file__).parent

Origin = tuple[int | str, bool]  # a bit or a constant, and whether it is inverted

# What is elaborated is checked before anything is optimized away.
_ELABORATE = (
    "proc -norom",  # as ROMs would hide bits x
    "flatten -noscopeinfo",
    "opt_clean",
    "memory_collect",
    "tee -q write_json elaborated.json",
)
# Words become adders where they can, then gates. Adders that were written gate by gate are found
# last, before abc would take them apart: a full adder is one gate of five nodes, its five gates need ten.
_PRODUCTS = "techmap -map adders.v t:$mul"
_ARITHMETIC = ("opt", "alumacc", "maccmap", "opt")
_MAP = "techmap -map +/techmap.v -map adders.v"
_GATES = (
    "setundef -zero",
    "abc -g AND,OR,XOR,NAND,NOR,XNOR,MUX",
    "opt_clean",
    "tee -q write_json mapped.json",
)


def read_verilog(path: str | Path | Sequence[str | Path], top: str | None = None) -> Circuit:
    """The circuit of a combinational Verilog module; its ports are the words.

    Yosys elaborates and maps it. Sums, differences, comparisons and products become adders of one
    bit, as do adders that are written gate by gate; the rest becomes gates of two inputs and
    multiplexers.

    Parameters
    ----------
    path
        A file or several (.sv: SystemVerilog as Yosys takes it).
    top
        Name of the module; needed where several are not used by another one.

    Raises
    ------
    InvalidInput
        Not Verilog; no or several top modules; a net without a driver, with two, or in a
        combinational loop; x or z.
    Unsupported
        Registers, latches, memories, inout ports, modules without contents.
    MissingTool
        Yosys is not installed.
    """
    paths = [Path(path)] if isinstance(path, (str, Path)) else [Path(p) for p in path]
    if not paths:
        raise InvalidInput("a Verilog netlist needs one file or more, found none")
    reads = []
    for file in paths:
        _readable(file)
        kind = "read_verilog -sv" if file.suffix == ".sv" else "read_verilog"
        reads.append((file.resolve().parent, f"{kind} {_quoted(file)}"))
    return _assemble(_mapped(Sources(paths), reads, top))


def read_blif(path: str | Path) -> Circuit:
    """The circuit of a BLIF file of one flat model made of tables; see :func:`read_verilog`.

    Inputs and outputs named ``a[0]``, ``a[1]``, ... are the word ``a``.

    Raises
    ------
    InvalidInput, Unsupported, MissingTool
        As in :func:`read_verilog`.
    """
    path = Path(path)
    model = parse_blif(path, _readable(path))
    with tempfile.TemporaryDirectory(prefix="hwgen-netlist-") as name:
        (Path(name) / "model.v").write_text(model.verilog(), encoding="utf-8")
        reads = [(Path(name), "read_verilog model.v")]
        module = _mapped(Sources([path], model.lines), reads)
    inputs, outputs = grouped(module.inputs, module.outputs)
    return _assemble(replace(module, inputs=inputs, outputs=outputs))


def _readable(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    if b"\0" in content:
        raise InvalidInput(f"{path}: must be text, found a binary file")
    return content.decode("utf-8", errors="replace")


def _quoted(path: Path) -> str:
    """The file's name as an argument of a command of Yosys."""
    name = path.resolve().name
    if not re.fullmatch(r"[\w.+ -]+", name):
        raise InvalidInput(
            f"{path}: the name of a netlist's file must have letters, digits, '_', '.', '+', '-' and spaces "
            f"only; rename it"
        )
    return f'"./{name}"' if " " in name else f"./{name}"


def _mapped(sources: Sources, reads: list[tuple[Path, str]], top: str | None = None) -> Module:
    """What Yosys makes of files that the commands ``reads`` read, each in its folder."""
    if top is not None and not re.fullmatch(r"\w+", top):
        raise InvalidInput(f"{sources}: {top!r} is no name of a module")
    with tempfile.TemporaryDirectory(prefix="hwgen-netlist-") as name:
        scratch = Path(name)
        choice = "-auto-top" if top is None else f"-top {top}"
        steps = [
            *reads,
            (scratch, "tee -q -o read.json stat -json"),
            (scratch, f"hierarchy -check {choice}"),
            *((scratch, command) for command in (*_ELABORATE, "memory_map -rom-only", "opt")),
            (_HERE, _PRODUCTS),
            *((scratch, command) for command in _ARITHMETIC),
            (_HERE, _MAP),
            (scratch, "opt"),
            (scratch, "extract_fa -fa -ha"),
            (_HERE, _MAP),
            (scratch, "opt"),
            *((scratch, command) for command in _GATES),
        ]
        done, log = run_yosys(steps, scratch, "reading a netlist")
        if (scratch / "read.json").exists():
            _check_top(sources, _load(scratch / "read.json"), top)
        if (scratch / "elaborated.json").exists():
            check_elaborated(sources, _load(scratch / "elaborated.json"))
        if not done or not (scratch / "mapped.json").exists():
            _refuse(sources, log)
        return join_parities(share(read_module(sources, _load(scratch / "mapped.json"))))


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _check_top(sources: Sources, document: dict, top: str | None) -> None:
    modules = {name.lstrip("\\"): stat for name, stat in document["modules"].items()}
    if not modules:
        raise InvalidInput(f"{sources}: must have a module with contents, found none")
    if top is not None:
        if top not in modules:
            raise InvalidInput(f"{sources}: has no module {top!r}; it has {', '.join(modules)}")
        return
    used = {kind.lstrip("\\") for stat in modules.values() for kind in stat["num_cells_by_type"]}
    roots = [name for name in modules if name not in used]
    if len(roots) > 1:
        raise InvalidInput(
            f"{sources}: must have one top module, found {', '.join(sorted(roots))}; name one as top"
        )


def _refuse(sources: Sources, log: Path) -> NoReturn:
    """Yosys' own error, with the file as the user named it."""
    said = log.read_text(encoding="utf-8", errors="replace")
    match = re.search(r"^(?:(.+?):(\d+)(?:\.[\d.-]+)?: )?ERROR: (.*)$", said, re.MULTILINE)
    if match is None:
        raise InvalidInput(f"{sources}: Yosys could not read it:\n{said_last(log)}")
    file, line, message = match.groups()
    message = message.replace("\\", "")
    place = sources.place(file, line) if line else str(sources)
    raise InvalidInput(f"{place}: Yosys says: {message}")


def _assemble(module: Module) -> Circuit:
    """The circuit of mapped cells, without what no output needs.

    Yosys does not look into adders: what follows from their constant inputs is seen only when the
    circuit is built. Hence it is built once to see, then again of the cells that are needed.
    """
    _, nets = _build(module, {bit for cell in module.cells for bit in cell.outputs}, {})
    origins = _origins(module, nets)
    return _build(module, _needed(module, origins), origins)[0]


def _build(
    module: Module, wanted: set[int], origins: Mapping[int, Origin]
) -> tuple[Circuit, dict[int, Net]]:
    """The circuit of the cells that give ``wanted`` bits, and the net of each bit."""
    circuit = Circuit(module.name)
    nets: dict[int, Net] = {}

    def net(bit: int | str) -> Net:
        origin, inverted = origins.get(bit, (bit, False))
        found = nets[origin] if isinstance(origin, int) else circuit.constant(int(origin))
        return ~found if inverted else found

    for name, bits in module.inputs.items():
        free = (circuit.bit(name),) if len(bits) == 1 else circuit.word(name, len(bits))
        nets.update(zip(bits, free, strict=True))
    for cell in module.cells:
        asked = [bit in wanted for bit in cell.outputs]
        if any(asked):
            given = _gate(circuit, cell, [net(bit) for bit in cell.inputs], asked)
            made = zip(cell.outputs, given, strict=True)
            nets.update((bit, out) for bit, out in made if out is not None)
    for name, bits in module.outputs.items():
        circuit.output(name, [net(bit) for bit in bits])
    return circuit, nets


def _parity(circuit: Circuit, nets: list[Net]) -> Net:
    odd = sum(net.constant or 0 for net in nets) % 2
    nets = [net for net in nets if net.constant is None] or [circuit.constant(0)]
    while len(nets) > 2:
        # Three give way to their sum, which waits behind the others: a tree, not a chain.
        nets = [*nets[3:], circuit.full_adder(*nets[:3])[0]]
    total = circuit.xor(*nets) if len(nets) == 2 else nets[0]
    return ~total if odd else total


def _origins(module: Module, nets: Mapping[int, Net]) -> dict[int, Origin]:
    """For each bit the first one that it equals, or its constant."""
    first: dict[int, int] = {}
    origins: dict[int, Origin] = {}
    for bits in (*module.inputs.values(), *(cell.outputs for cell in module.cells)):
        for bit in bits:
            net = nets[bit]
            if net.node is None:
                origins[bit] = str(net.constant), False
            else:
                origin = first.setdefault(net.node, bit)
                origins[bit] = origin, net.inverted != nets[origin].inverted
    return origins


def _needed(module: Module, origins: Mapping[int, Origin]) -> set[int]:
    """The bits of cells on which an output depends."""
    needed = {origins[b][0] for bits in module.outputs.values() for b in bits if b in origins}
    for cell in reversed(module.cells):
        if needed.intersection(cell.outputs):
            needed.update(origins[bit][0] for bit in cell.inputs if bit in origins)
    return needed


def _gate(circuit: Circuit, cell: Cell, nets: list[Net], asked: list[bool]) -> Sequence[Net | None]:
    """What a cell gives; None where nobody asks for it."""
    if cell.kind == "buffer":
        return nets
    if cell.kind == "parity":
        return [_parity(circuit, nets)]
    if cell.kind != "full_adder":
        return [getattr(circuit, cell.kind)(*nets)]
    total, carry = asked
    if carry and not total:
        return None, circuit.majority(*nets)
    # The sum alone has the carry for its auxiliary spin.
    return circuit.full_adder(*nets)
