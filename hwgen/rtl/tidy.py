"""The Verilog that Yosys writes, as a person would write it.

Yosys gives every operator a wire of its own, and every register a block of its own with its reset and
its enable as multiplexers. Here

* temporaries that are read once move into the expression that reads them,
* multiplexers in front of a register become ``if``, and registers with equal conditions one block,
* ports come in a fixed order, declared in the head of the module, and names lose their ``$``.

A temporary moves only where Verilog's rules for widths and signs give the same bits: see
:meth:`_Module._fits`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from .expression import (
    COMPARISONS,
    SHIFTS,
    Expression,
    Unreadable,
    is_signed,
    parse,
    render,
    width_of,
)
from .layout import (
    TEMPORARY,
    Net,
    declaration,
    natural_order,
    net_text,
    plain_names,
    port_order,
    short_memories,
    skeleton,
    statement,
)

__all__ = ["tidy"]

_LONGEST = 120  # characters of an expression
_DEEPEST = 4  # operators on one path
_DECLARATION = re.compile(
    r"  (input|output|wire|reg)( signed)?(?: \[(\d+):(\d+)\])? (\\\S+|\w+)\s*(?: = (\S+))?;"
)
_ASSIGN = re.compile(r"  assign (.*) = (.*);")
_REGISTER = re.compile(r"  always @\(posedge clk\)\n    (\\\S+ |\w+) <= (.*);\n")


def tidy(text: str) -> str:
    """One module of Yosys' Verilog, rewritten."""
    return _Module(text).write()


class _Module:
    def __init__(self, text: str) -> None:
        head, _, body = text.partition(";\n")
        self.name = head.split("(")[0].split()[1].lstrip("\\")
        self.nets: dict[str, Net] = {}
        self.assigns: dict[str, Expression] = {}  # by target
        self.registers: dict[str, Expression] = {}
        self.offsets: dict[str, int] = {}  # of nets whose lowest bit is not bit 0
        self.rest: list[str] = []  # memories, submodules and whatever else
        body = self._read_registers(body.removesuffix("endmodule\n"))
        for line in body.splitlines():
            if not (self._read_declaration(line) or self._read_assign(line)):
                self.rest.append(line)
        self._count_bits_from_zero()
        self._merge_memory_reads()
        self.opaque = "\n".join(self.rest)

    # -- reading -----------------------------------------------------------------------------

    def _read_registers(self, body: str) -> str:
        def take(match: re.Match) -> str:
            try:
                self.registers[match.group(1).strip()] = parse(match.group(2))
            except Unreadable:
                return match.group(0)
            return ""

        return _REGISTER.sub(take, body)

    def _read_declaration(self, line: str) -> bool:
        match = _DECLARATION.fullmatch(line)
        if not match:
            return False
        kind, signed, high, low, name, init = match.groups()
        width = int(high or 0) - int(low or 0) + 1
        net = self.nets.setdefault(name, Net(name, width, False, False, None, ""))
        if low and int(low):
            self.offsets[name] = int(low)
        if kind in ("input", "output"):
            net.port = kind
        net.signed |= bool(signed)
        net.reg |= kind == "reg"
        net.init = init or net.init
        return True

    def _read_assign(self, line: str) -> bool:
        match = _ASSIGN.fullmatch(line)
        if not match:
            return False
        try:
            target, value = parse(match.group(1)), parse(match.group(2))
        except Unreadable:
            return False
        if target.kind != "name":
            return False
        self.assigns[target.text] = value
        return True

    def _count_bits_from_zero(self) -> None:
        """Parts of a net that Yosys has cut keep their place in it; here they start at bit 0."""

        def shift(e: Expression) -> Expression:
            if e.kind == "slice" and e.parts[0].text in self.offsets:
                low = self.offsets[e.parts[0].text]
                text = re.sub(r"\d+", lambda bit: str(int(bit.group(0)) - low), e.text)
                return replace(e, text=text)
            return replace(e, parts=tuple(map(shift, e.parts)))

        if self.offsets:
            self.assigns = {name: shift(e) for name, e in self.assigns.items()}
            self.registers = {name: shift(e) for name, e in self.registers.items()}
        for name, low in self.offsets.items():
            selection = re.compile(rf"(?<![\w$]){re.escape(name)} ?\[(\d+)(?::(\d+))?\]")

            def moved(match: re.Match, name: str = name, low: int = low) -> str:
                bits = ":".join(str(int(bit) - low) for bit in match.groups() if bit)
                return f"{net_text(name)}[{bits}]"

            self.rest = [selection.sub(moved, line) for line in self.rest]

    def _merge_memory_reads(self) -> None:
        """``reg _1_; ... assign data = _1_;`` is one register called ``data``."""
        text = "\n".join(self.rest)
        for name, value in list(self.assigns.items()):
            if value.kind != "name" or not TEMPORARY.fullmatch(value.text):
                continue
            source = self.nets[value.text]
            uses = sum(list(e.names()).count(source.name) for e in self._expressions())
            if not source.reg or source.name in self.registers or uses != 1:
                continue
            self.nets[name].reg = True
            del self.assigns[name], self.nets[source.name]
            text = re.sub(rf"(?<![\w$]){source.name}(?![\w$])", lambda m, n=name: net_text(n), text)
        self.rest = text.split("\n")

    def _expressions(self) -> list[Expression]:
        return [*self.assigns.values(), *self.registers.values()]

    # -- moving temporaries ------------------------------------------------------------------

    def _width(self, e: Expression) -> int:
        return width_of(e, {name: net.width for name, net in self.nets.items()})

    def _signed(self, e: Expression) -> bool:
        return is_signed(e, lambda name: self.nets[name].signed)

    def _use_negations(self) -> None:
        """Where a net is the complement of a temporary, choices ask the net."""
        negated = {
            e.parts[0].text: name
            for name, e in self.assigns.items()
            if e.kind == "unary"
            and e.text == "~"
            and TEMPORARY.fullmatch(e.parts[0].text)
            and not TEMPORARY.fullmatch(name)
            and self.nets[name].width == 1
        }

        def swap(e: Expression) -> Expression:
            parts = tuple(map(swap, e.parts))
            if e.kind == "choice" and parts[0].kind == "name" and parts[0].text in negated:
                parts = (Expression("name", negated[parts[0].text]), parts[2], parts[1])
            return replace(e, parts=parts)

        self.assigns = {name: swap(e) for name, e in self.assigns.items()}
        self.registers = {name: swap(e) for name, e in self.registers.items()}

    def _move_temporaries(self) -> None:
        widths = {name: net.width for name, net in self.nets.items()}
        uses: Counter[str] = Counter()
        for e in self._expressions():
            uses.update(e.names())
        opaque = set(re.findall(r"[\w$]+", self.opaque))
        movable = {
            name
            for name in self.assigns
            if TEMPORARY.fullmatch(name) and uses[name] == 1 and name not in opaque
        }
        done: set[str] = set()

        def settle(name: str) -> None:
            """Move what ``name``'s expression reads, inner expressions first."""
            if name in done:
                return
            done.add(name)
            table = self.assigns if name in self.assigns else self.registers
            for inner in set(table[name].names()) & movable:
                settle(inner)
            own = widths[name]
            e = table[name]
            if table is self.registers:
                table[name] = self._inlined_branches(name, e, movable, widths)
            else:
                table[name] = self._inlined_whole(e, own, movable, widths)

        for name in [*self.assigns, *self.registers]:
            settle(name)
        read = set(opaque)
        waiting = [e for name, e in self.assigns.items() if name not in movable]
        waiting += self.registers.values()
        while waiting:
            for name in set(waiting.pop().names()) - read:
                read.add(name)
                if name in movable:
                    waiting.append(self.assigns[name])
        for name in movable - read:
            del self.assigns[name], self.nets[name]

    def _inlined_branches(
        self, name: str, e: Expression, movable: set[str], widths: dict[str, int]
    ) -> Expression:
        """The input of register ``name``, as :meth:`_inlined`.

        The branches of a choice that becomes ``if`` will be right-hand sides themselves.
        """
        own = widths[name]
        if e.kind == "name" and e.text in movable and widths[e.text] == own:
            return self._inlined_branches(name, self.assigns[e.text], movable, widths)
        if not self._becomes_if(name, e, movable):
            return self._inlined_whole(e, own, movable, widths)
        condition = self._inlined(e.parts[0], 1, False, movable, widths)
        branches = (self._inlined_branches(name, part, movable, widths) for part in e.parts[1:])
        return replace(e, parts=(condition, *branches))

    def _becomes_if(self, name: str, e: Expression, movable: set[str] = frozenset()) -> bool:
        """Whether a choice is a reset, or holds register ``name`` somewhere in its branches."""
        if e.kind == "name" and e.text in movable:
            e = self.assigns[e.text]
        if e.kind != "choice":
            return False
        condition, *branches = e.parts
        return (condition.kind, condition.text) == ("name", "rst") or any(
            (part.kind, part.text) == ("name", name) or self._becomes_if(name, part, movable)
            for part in branches
        )

    def _inlined_whole(
        self, e: Expression, target: int, movable: set[str], widths: dict[str, int]
    ) -> Expression:
        """A right-hand side that is assigned to ``target`` bits, as :meth:`_inlined`."""
        if e.kind == "name" and e.text in movable and widths[e.text] == target:
            return self.assigns[e.text]  # evaluated just as it was
        own = width_of(e, widths)
        return self._inlined(e, max(own, target), own <= target, movable, widths)

    def _inlined(
        self, e: Expression, context: int, firm: bool, movable: set[str], widths: dict[str, int]
    ) -> Expression:
        """``e`` with temporaries replaced by their expressions, where that changes no bit.

        Parameters
        ----------
        context
            Width at which Verilog evaluates ``e``.
        firm
            Whether that does not depend on the operands, but on what is assigned to.
        """
        if e.kind == "name":
            if e.text in movable:
                value = self.assigns[e.text]
                if self._fits(value, widths[e.text], context, firm, widths):
                    return value
            return e

        def own(part: Expression) -> Expression:
            return self._inlined(part, width_of(part, widths), False, movable, widths)

        def go(part: Expression) -> Expression:
            return self._inlined(part, context, firm, movable, widths)

        parts = e.parts
        if e.kind in ("concat", "repeat", "signed"):
            new = tuple(map(own, parts))
        elif e.kind == "slice":
            new = parts
        elif e.kind == "choice":
            new = (own(parts[0]), go(parts[1]), go(parts[2]))
        elif e.kind == "unary":
            new = (go(parts[0]) if e.text in "~-" else own(parts[0]),)
        elif e.text in COMPARISONS:
            both = max(width_of(part, widths) for part in parts)
            new = tuple(self._inlined(part, both, False, movable, widths) for part in parts)
        elif e.text in SHIFTS:
            new = (go(parts[0]), own(parts[1]))
        else:
            new = tuple(map(go, parts))
        moved = replace(e, parts=new)
        return moved if len(render(moved)) <= _LONGEST and moved.depth <= _DEEPEST else e

    def _fits(
        self, value: Expression, width: int, context: int, firm: bool, widths: dict[str, int]
    ) -> bool:
        """Whether ``value`` may stand where a temporary of ``width`` bits was read.

        The temporary was an unsigned number of ``width`` bits, to which ``value`` was cut or
        extended. It may, if it is an unsigned number of as many bits, wherever it stands; or
        if it is evaluated at that width there, too.
        """
        own = width_of(value, widths)
        if self._signed(value):
            return False  # would change how its neighbours are extended
        if value.kind in ("name", "number", "slice", "concat", "repeat") or (
            value.kind == "binary" and value.text in COMPARISONS
        ):
            return own == width
        return context == width and (own == width or (firm and own < width))

    # -- registers ---------------------------------------------------------------------------

    def _steps(self, name: str, e: Expression) -> tuple | str:
        """``if`` trees: (condition, yes, no), the assigned text, or '' where the register holds."""
        if e.kind == "name" and e.text == name:
            return ""
        if not self._becomes_if(name, e):
            return f"{net_text(name)} <= {render(e)};"
        condition, *branches = e.parts
        yes, no = (self._steps(name, branch) for branch in branches)
        return (render(condition), yes, no) if yes or no else ""

    def _blocks(self) -> list[str]:
        """``always`` blocks; registers with equal conditions share one."""
        grouped: dict[tuple, list] = {}
        for name, e in self.registers.items():
            tree = self._steps(name, e)
            grouped.setdefault(skeleton(tree), []).append(tree)
        blocks = []
        grouped.pop("hold", None)
        for trees in grouped.values():
            several = isinstance(trees[0], str) and len(trees) > 1  # without a condition
            begin, end = (" begin", ["  end"]) if several else ("", [])
            blocks += [f"  always @(posedge clk){begin}", *statement(trees, "    "), *end, ""]
        return blocks

    # -- writing -----------------------------------------------------------------------------

    def write(self) -> str:
        self._use_negations()
        self._move_temporaries()
        ports = sorted((n for n in self.nets.values() if n.port), key=port_order)
        lines = [f"module {self.name} ("]
        lines += [
            f"    {declaration(net, port=True)}{',' if net is not ports[-1] else ''}"
            for net in ports
        ]
        lines += [");", ""]
        inner = sorted((n for n in self.nets.values() if not n.port), key=natural_order)
        lines += [f"  {declaration(net)};" for net in inner if net.reg]
        lines += [f"  {declaration(net)};" for net in inner if not net.reg]
        lines.append("")
        lines += [f"  assign {net_text(name)} = {render(e)};" for name, e in self.assigns.items()]
        lines += ["", *self.rest, "", *self._blocks()]
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines).rstrip()) + "\n\nendmodule\n"
        text = re.sub(r"\b32'd(\d+)\b", lambda word: f"32'h{int(word.group(1)):08x}", text)
        return plain_names(short_memories(text))
