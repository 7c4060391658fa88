"""Identifiers of emitted C, legal and unique."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["KEYWORDS", "Names", "comment"]

_WORDS = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while "
    "alignas alignof asm bool constexpr false nullptr true typeof "
    "int8_t uint8_t int16_t uint16_t int32_t uint32_t int64_t uint64_t size_t"
)
KEYWORDS = frozenset(_WORDS.split())


class Names:
    """Hands out identifiers of one scope; a taken one gets a number.

    Parameters
    ----------
    reserved
        Identifiers that are never handed out, besides the keywords.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = {*KEYWORDS, *reserved}

    def take(self, stem: str) -> str:
        """``stem``, or ``stem_2``, ``stem_3`` and so on."""
        if stem.startswith("hwgen_"):  # the runtime's
            stem = f"n_{stem}"
        name, count = stem, 2
        while name in self._taken:
            name, count = f"{stem}_{count}", count + 1
        self._taken.add(name)
        return name


def comment(text: str) -> str:
    """``text`` in the form in which it can stand in a C comment: one line, never ending it."""
    return " ".join(text.split()).replace("*/", "* /").replace("/*", "/ *")
