"""The templates of ``kernels/``: they lay out text, everything is decided before."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

import jinja2
import numpy as np

from .expressions import minus, plus, times

__all__ = ["COLUMNS", "TEMPLATES", "initializer", "read_kernel", "wrap_code"]

COLUMNS = 100


def read_kernel(path: str) -> str:
    """The text of a file of ``kernels/``."""
    return resources.files("hwgen.kernels").joinpath(path).read_text(encoding="utf-8")


def initializer(values: np.ndarray) -> str:
    """A C initializer of an array with one axis or two, wrapped; short ones on one line."""
    rows = [_wrap(map(str, row.tolist()), 8) for row in np.atleast_2d(values)]
    if values.ndim == 1:
        rows = [_wrap(map(str, values.tolist()), 4)]
        if "\n" not in rows[0] and len(rows[0]) < COLUMNS // 2:
            return "{" + rows[0].strip() + "}"
        return "{\n" + rows[0] + "\n}"
    short = all("\n" not in row and len(row) <= COLUMNS - 4 for row in rows)
    if short:
        return "{\n" + "\n".join(f"    {{{row.strip()}}}," for row in rows) + "\n}"
    return "{\n" + "\n".join(f"    {{\n{row}\n    }}," for row in rows) + "\n}"


def wrap_code(text: str) -> str:
    """C whose lines are broken behind commas and operators where they are too long."""
    lines: list[str] = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        while len(line) > COLUMNS and not line.lstrip().startswith(("#", "*", "/*", '"')):
            ends = [line.rfind(mark, 0, COLUMNS) + len(mark) for mark in (", ", " && ", "; ")]
            end = max(ends)
            if end <= len(indent) + 4:
                break
            lines.append(line[:end].rstrip())
            line = indent + line[end:]
        lines.append(line)
    return "\n".join(lines)


def _wrap(words: Iterable[str], indent: int) -> str:
    """Words with commas between, in lines of at most ``COLUMNS`` columns."""
    lines = []
    line = " " * indent
    for word in words:
        if len(line) + len(word) + 2 > COLUMNS and line.strip():
            lines.append(line.rstrip())
            line = " " * indent
        line += word + ", "
    return "\n".join([*lines, line.rstrip(" ,")])


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["initializer"] = initializer
    environment.globals.update(plus=plus, minus=minus, times=times)
    return environment


def _source(name: str) -> str | None:
    try:
        return read_kernel(name)
    except FileNotFoundError:
        return None


TEMPLATES = _environment()
