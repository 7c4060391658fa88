"""Netlists as Yosys writes them in JSON: what is refused, and cells in the order of what they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ..errors import InvalidInput, Unsupported

__all__ = ["Cell", "Module", "Sources", "check_elaborated", "read_module"]

# Type of a mapped cell, the circuit's gate, and its pins: inputs, outputs.
_KINDS = {
    "$_NOT_": ("not_", "A", "Y"),
    "$_BUF_": ("buffer", "A", "Y"),
    "$_AND_": ("and_", "A B", "Y"),
    "$_NAND_": ("nand", "A B", "Y"),
    "$_OR_": ("or_", "A B", "Y"),
    "$_NOR_": ("nor", "A B", "Y"),
    "$_XOR_": ("xor", "A B", "Y"),
    "$_XNOR_": ("xnor", "A B", "Y"),
    "$_MUX_": ("mux", "A B S", "Y"),
    "$__FULL_ADDER": ("full_adder", "A B C", "S CO"),
}
_STATE = {
    "a latch": ("$dlatch", "$adlatch", "$dlatchsr", "$sr"),
    "a register": (
        *("$dff", "$dffe", "$adff", "$adffe", "$sdff", "$sdffe", "$sdffce", "$aldff", "$aldffe"),
        *("$dffsr", "$dffsre", "$ff"),
    ),
}
_STATES = {kind: what for what, kinds in _STATE.items() for kind in kinds}
_STATELESS = "; circuits with state cannot be solved: take the next state as an output"


class Sources:
    """The files of a netlist, as the user named them.

    Parameters
    ----------
    lines
        The line of each net, for files that Yosys does not tell them of.
    """

    def __init__(self, paths: Sequence[Path], lines: Mapping[str, int] | None = None):
        self._paths = list(paths)
        self._lines = lines or {}

    def __str__(self) -> str:
        return ", ".join(str(path) for path in self._paths)

    def place(self, file: str | None, line: str) -> str:
        """Where a line is, given the file as Yosys names it."""
        for path in self._paths:
            if file is None or path.resolve().name == Path(file).name:
                return f"{path}:{line}"
        return f"{file}:{line}"

    def of(self, thing: dict) -> str:
        """Where a cell or a net comes from."""
        source = thing.get("attributes", {}).get("src", "").split("|")[0]
        file, _, span = source.rpartition(":")
        return self.place(file, span.split(".")[0]) if file else str(self)

    def of_net(self, name: str, net: dict) -> str:
        """Where a net comes from."""
        return self.place(None, str(self._lines[name])) if name in self._lines else self.of(net)


@dataclass(frozen=True)
class Cell:
    """A gate: ``kind`` is the method of a circuit that makes it; bits are numbers, or "0" and "1"."""

    kind: str
    inputs: tuple[int | str, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Module:
    """Cells in the order of what they need, and ports with their bits, lowest first."""

    name: str
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int | str, ...]]
    cells: tuple[Cell, ...]


def check_elaborated(sources: Sources, document: dict) -> None:
    """Refuse what a circuit cannot be, while everything is as it was written."""
    module = _top(document)[1]
    names = _names(module)
    drivers: dict[int, str] = {}
    for name, port in module["ports"].items():
        if port["direction"] == "inout":
            raise Unsupported(
                f"{sources.of(module)}: port {name!r} must be an input or an output, found an inout port"
            )
        if port["direction"] == "input":
            for bit in port["bits"]:
                _drive(sources, drivers, bit, f"port {name!r}", names, module)
    if not any(port["direction"] == "output" for port in module["ports"].values()):
        raise InvalidInput(f"{sources.of(module)}: the top module must have an output, found none")
    for name, cell in module["cells"].items():
        _check_cell(sources, name, cell)
        for bit in _bits(cell, "output"):
            _drive(sources, drivers, bit, f"a cell at {sources.of(cell)}", names, module)
    for cell in module["cells"].values():
        if cell["type"] != "$mem_v2":
            _check_driven(sources, drivers, _bits(cell, "input"), names, module, sources.of(cell))
    for name, port in module["ports"].items():
        if port["direction"] == "output":
            where = sources.of(module["netnames"].get(name, module))
            _check_driven(sources, drivers, port["bits"], names, module, where)


def _top(document: dict) -> tuple[str, dict]:
    """The module that is left when all is flat; those without contents stay beside it."""
    for name, module in document["modules"].items():
        if int(module["attributes"].get("top", "0"), 2):
            return name, module
    raise AssertionError("a hierarchy has a top module")


def _check_cell(sources: Sources, name: str, cell: dict) -> None:
    kind = cell["type"]
    if kind in _STATES:
        width = len(cell["connections"].get("Q", []))
        bits = f"{width} bit{'s' if width != 1 else ''}"
        raise Unsupported(f"{sources.of(cell)}: {_STATES[kind]} of {bits} found{_STATELESS}")
    if kind == "$mem_v2":
        parameters = cell["parameters"]
        named = parameters["MEMID"].lstrip("\\")
        if int(parameters["WR_PORTS"], 2) or int(parameters["RD_CLK_ENABLE"], 2):
            raise Unsupported(f"{sources.of(cell)}: memory {named!r} found{_STATELESS}")
        if set(parameters["INIT"]) - {"0", "1"}:
            raise InvalidInput(
                f"{sources.of(cell)}: every bit of memory {named!r} must be 0 or 1, as nothing writes it; "
                f"initialize all its words"
            )
    elif not kind.startswith("$"):
        raise Unsupported(
            f"{sources.of(cell)}: module {kind!r} (instance {name!r}) has no contents; give the file that has them"
        )


def _drive(sources, drivers: dict[int, str], bit, by: str, names, module) -> None:
    if bit in drivers:
        raise InvalidInput(
            f"{_net_place(sources, names, module, bit)}: {drivers[bit]} and {by} drive one net, which is "
            f"{_shown(names, bit)} too; a net must have one driver"
        )
    if isinstance(bit, int):
        drivers[bit] = by


def _check_driven(sources, drivers, bits, names, module, where: str) -> None:
    for bit in bits:
        if bit in ("x", "z"):
            raise InvalidInput(f"{where}: bits must be 0 or 1, found {bit}; give it a value")
        if isinstance(bit, int) and bit not in drivers:
            raise InvalidInput(
                f"{_net_place(sources, names, module, bit)}: net {_shown(names, bit)} has no driver; connect it, "
                f"or make it an input"
            )


def read_module(sources: Sources, document: dict) -> Module:
    """The mapped module; refuses loops, and cells that nothing maps."""
    name, module = _top(document)
    ports = module["ports"].items()
    inputs = {n: tuple(p["bits"]) for n, p in ports if p["direction"] == "input"}
    outputs = {n: tuple(p["bits"]) for n, p in ports if p["direction"] == "output"}
    cells = []
    for cell in module["cells"].values():
        if cell["type"] not in _KINDS:
            raise Unsupported(
                f"{sources.of(cell)}: a cell {cell['type']} found, which is no gate; supported is "
                f"combinational logic"
            )
        kind, given, made = _KINDS[cell["type"]]
        bits = cell["connections"]
        sides = [tuple(bits[pin][0] for pin in pins.split()) for pins in (given, made)]
        cells.append(Cell(kind, *sides))
    ordered = _ordered(sources, module, cells, {bit for bits in inputs.values() for bit in bits})
    return Module(name, inputs, outputs, ordered)


def _ordered(sources, module, cells: list[Cell], known: set) -> tuple[Cell, ...]:
    """Cells after those that they need."""
    maker = {bit: place for place, cell in enumerate(cells) for bit in cell.outputs}
    done = [False] * len(cells)
    open_ = [False] * len(cells)
    ordered: list[Cell] = []
    for start in range(len(cells)):
        stack = [start]
        while stack:
            place = stack[-1]
            if done[place]:
                stack.pop()
                continue
            needs = [maker[b] for b in cells[place].inputs if b in maker]
            waiting = [need for need in needs if not done[need]]
            if not waiting:
                done[place] = True
                ordered.append(cells[place])
                continue
            open_[place] = True
            if any(open_[need] for need in waiting):
                _loop(sources, module, cells, maker, next(n for n in waiting if open_[n]))
            stack.append(waiting[0])
    return tuple(ordered)


def _loop(sources, module, cells: list[Cell], maker, start: int) -> NoReturn:
    """Tell the nets of the shortest loop through a cell."""
    names = _names(module)
    before: dict[int, int] = {start: start}
    queue = [start]
    for place in queue:
        for bit in cells[place].inputs:
            need = maker.get(bit)
            if need == start:
                path, step = [place], place
                while step != start:
                    step = before[step]
                    path.append(step)
                bits = sorted(b for p in path for b in cells[p].outputs)
                told = [_shown(names, b) for b in bits if b in names and not names[b][1]]
                where = next(
                    (_net_place(sources, names, module, b) for b in bits if b in names),
                    str(sources),
                )
                more = [f"{len(told) - 8} more"] if len(told) > 8 else []
                shown = ", ".join([*told[:8], *more]) or "nets without a name"
                raise InvalidInput(f"{where}: a combinational loop through {shown}; cut it")
            if need is not None and need not in before:
                before[need] = place
                queue.append(need)
    raise AssertionError("a cell that waits for itself is in a loop")


def _bits(cell: dict, direction: str) -> Iterator[int | str]:
    for pin, bits in cell["connections"].items():
        if cell["port_directions"].get(pin) == direction:
            yield from bits


def _names(module: dict) -> dict[int, tuple[str, bool, str]]:
    """For each bit its name, whether Yosys made it up, and the net; that of an input comes last."""
    names: dict[int, tuple[str, bool, str]] = {}

    def rank(item: tuple[str, dict]) -> tuple:
        name, net = item
        given = module["ports"].get(name, {}).get("direction") == "input"
        return net.get("hide_name", 0), given, name

    for name, net in sorted(module["netnames"].items(), key=rank):
        low = net.get("offset", 0)
        for place, bit in enumerate(net["bits"]):
            shown = name if len(net["bits"]) == 1 else f"{name}[{low + place}]"
            names.setdefault(bit, (shown, bool(net.get("hide_name", 0)), name))
    return names


def _shown(names, bit) -> str:
    return repr(names[bit][0]) if bit in names else "without a name"


def _net_place(sources: Sources, names, module: dict, bit) -> str:
    if bit not in names:
        return str(sources)
    return sources.of_net(names[bit][2], module["netnames"][names[bit][2]])
