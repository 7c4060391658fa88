"""Sums and products of C expressions, written without what does nothing.

A term is an int or the text of an expression: ``times("i", 1)`` is ``i``, ``plus("top", 0)`` is
``top``, and what is known when the C is written is computed then.
"""

from __future__ import annotations

import re

__all__ = ["Term", "minus", "plus", "times"]

Term = int | str

_SUM = re.compile(r" [-+?<>=] ")


def plus(*terms: Term) -> Term:
    """The sum of all terms."""
    known = sum(term for term in terms if isinstance(term, int))
    texts = [term for term in terms if isinstance(term, str)]
    if not texts:
        return known
    text = " + ".join(texts)
    if known:
        text += f" + {known}" if known > 0 else f" - {-known}"
    return text


def minus(a: Term, b: Term) -> Term:
    """``a - b``."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    if isinstance(b, int):
        return plus(a, -b)
    return f"{a} - {_factor(b)}"


def times(a: Term, b: Term) -> Term:
    """``a * b``."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    if 0 in (a, b):
        return 0
    factors = [_factor(term) for term in (a, b) if term != 1]
    return " * ".join(factors)


def _factor(term: Term) -> str:
    text = str(term)
    return f"({text})" if _SUM.search(text) and not _is_enclosed(text) else text


def _is_enclosed(text: str) -> bool:
    """Whether one pair of brackets holds all of ``text``."""
    if not text.endswith(")"):
        return False
    depth = 0
    opened = text.find("(")
    if not re.fullmatch(r"\w*", text[:opened]):
        return False
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == ")" and depth == 0:
            return i == len(text) - 1
    return False
