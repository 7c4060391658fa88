"""Verilog expressions as trees: what :mod:`hwgen.rtl.tidy` needs of the language.

Widths follow IEEE 1364-2005, section 5.4 (rules for expression bit lengths); only what Yosys writes is
read, anything else raises :class:`Unreadable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Expression", "Unreadable", "parse", "render"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+'s?[bdh][0-9a-fA-FxXzZ_]+|\d+)"
    r"|(?P<name>\\\S+(?:\s|$)|[A-Za-z_][\w$]*)"
    r"|(?P<op>\$signed|<<<|>>>|===|!==|<<|>>|<=|>=|==|!=|&&|\|\||[-+*&|^~!<>?:(){}\[\],]))"
)
_BINARY = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!=", "===", "!=="),
    ("<", "<=", ">", ">="),
    ("<<", ">>", "<<<", ">>>"),
    ("+", "-"),
    ("*",),
)
COMPARISONS = frozenset(("==", "!=", "===", "!==", "<", "<=", ">", ">=", "&&", "||"))
SHIFTS = frozenset(("<<", ">>", "<<<", ">>>"))


class Unreadable(Exception):
    """Verilog that is not of the form that is looked for."""


@dataclass(frozen=True)
class Expression:
    """One node.

    Attributes
    ----------
    kind
        ``name``, ``number``, ``slice``, ``concat``, ``repeat``, ``signed``, ``unary``, ``binary``,
        ``choice``.
    text
        The name, the number, the operator, ``[high:low]`` of a slice, the count of a repetition.
    parts
        Operands.
    """

    kind: str
    text: str
    parts: tuple[Expression, ...] = ()

    def names(self) -> Iterator[str]:
        """Every name in it, once for each time it occurs."""
        if self.kind == "name":
            yield self.text
        for part in self.parts:
            yield from part.names()

    @property
    def depth(self) -> int:
        """Operators on the longest path."""
        own = self.kind in ("unary", "binary", "choice")
        return own + max((part.depth for part in self.parts), default=0)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match:
                raise Unreadable(text[at : at + 20])
            self._tokens.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
            at = match.end()
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise Unreadable("the end")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, text: str) -> None:
        if self._next()[1] != text:
            raise Unreadable(f"no {text}")

    def whole(self) -> Expression:
        result = self._choice()
        if self._peek():
            raise Unreadable(self._peek())
        return result

    def _choice(self) -> Expression:
        condition = self._binary(0)
        if self._peek() != "?":
            return condition
        self._next()
        yes = self._choice()
        self._expect(":")
        return Expression("choice", "?", (condition, yes, self._choice()))

    def _binary(self, level: int) -> Expression:
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek() in _BINARY[level]:
            op = self._next()[1]
            left = Expression("binary", op, (left, self._binary(level + 1)))
        return left

    def _unary(self) -> Expression:
        if self._peek() in ("~", "!", "-", "&", "|", "^"):
            op = self._next()[1]
            return Expression("unary", op, (self._unary(),))
        return self._primary()

    def _primary(self) -> Expression:
        kind, text = self._next()
        if kind == "number":
            return Expression("number", text)
        if kind == "name":
            name = Expression("name", text.strip())
            if self._peek() != "[":
                return name
            self._next()
            inner = self._range()
            return Expression("slice", inner, (name,))
        if text == "(":
            inside = self._choice()
            self._expect(")")
            return inside
        if text == "$signed":
            self._expect("(")
            inside = self._choice()
            self._expect(")")
            return Expression("signed", text, (inside,))
        if text == "{":
            return self._braces()
        raise Unreadable(text)

    def _range(self) -> str:
        """A constant ``high:low`` or ``bit``, up to its bracket."""
        kind, high = self._next()
        if kind != "number" or "'" in high:
            raise Unreadable(high)
        if self._peek() == ":":
            self._next()
            low = self._next()[1]
            self._expect("]")
            return f"[{high}:{low}]"
        self._expect("]")
        return f"[{high}]"

    def _braces(self) -> Expression:
        kind, text = self._tokens[self._at]
        if kind == "number" and "'" not in text:
            self._at += 1
            self._expect("{")
            inner = self._braces()
            self._expect("}")
            return Expression("repeat", text, (inner,))
        parts = [self._choice()]
        while self._peek() == ",":
            self._next()
            parts.append(self._choice())
        self._expect("}")
        return Expression("concat", "{}", tuple(parts))


def parse(text: str) -> Expression:
    """The tree of an expression."""
    return _Parser(text).whole()


def slice_bounds(text: str) -> tuple[int, int]:
    """``[high:low]`` or ``[bit]`` as (high, low)."""
    high, _, low = text[1:-1].partition(":")
    return int(high), int(low or high)


def width_of(e: Expression, widths: dict[str, int]) -> int:
    """Self-determined width."""
    if e.kind == "name":
        return widths[e.text]
    if e.kind == "number":
        return int(e.text.partition("'")[0]) if "'" in e.text else 32
    if e.kind == "slice":
        high, low = slice_bounds(e.text)
        return high - low + 1
    if e.kind == "concat":
        return sum(width_of(part, widths) for part in e.parts)
    if e.kind == "repeat":
        return int(e.text) * width_of(e.parts[0], widths)
    if e.kind == "unary":
        return width_of(e.parts[0], widths) if e.text in "~-" else 1
    if e.kind == "binary":
        if e.text in COMPARISONS:
            return 1
        if e.text in SHIFTS:
            return width_of(e.parts[0], widths)
        return max(width_of(part, widths) for part in e.parts)
    if e.kind == "choice":
        return max(width_of(part, widths) for part in e.parts[1:])
    return width_of(e.parts[0], widths)  # $signed


def is_signed(e: Expression, signed: Callable[[str], bool]) -> bool:
    """Whether Verilog takes it as two's complement."""
    if e.kind == "name":
        return signed(e.text)
    if e.kind == "number":
        return "'" not in e.text or "'s" in e.text
    if e.kind == "signed":
        return True
    if e.kind in ("slice", "concat", "repeat"):
        return False
    if e.kind == "unary":
        return e.text in "~-" and is_signed(e.parts[0], signed)
    if e.kind == "choice":
        return all(is_signed(part, signed) for part in e.parts[1:])
    if e.text in COMPARISONS:
        return False
    if e.text in SHIFTS:
        return is_signed(e.parts[0], signed)
    return all(is_signed(part, signed) for part in e.parts)


def render(e: Expression, outermost: bool = True) -> str:
    """Verilog text; operators within operators stand in parentheses."""
    if e.kind == "name":
        return f"{e.text} " if e.text.startswith("\\") else e.text
    if e.kind == "number":
        return e.text
    if e.kind == "slice":
        return render(e.parts[0]) + e.text
    if e.kind == "concat":
        return "{" + ", ".join(render(part) for part in e.parts) + "}"
    if e.kind == "repeat":
        return f"{{{e.text}{render(e.parts[0])}}}"
    if e.kind == "signed":
        return f"$signed({render(e.parts[0])})"
    if e.kind == "unary":
        text = e.text + render(e.parts[0], False)
    elif e.kind == "choice":
        condition, yes, no = e.parts
        # A chain of choices reads well without parentheses.
        text = (
            f"{render(condition, False)} ? {render(yes, False)} : {render(no, no.kind == 'choice')}"
        )
    else:
        left, right = e.parts
        chained = e.text in "&|^" and left.kind == "binary" and left.text == e.text
        text = f"{render(left, chained)} {e.text} {render(right, False)}"
    return text if outermost or e.kind == "unary" else f"({text})"
