"""The ops, one a file: attributes, types, exact integer semantics, exact cost.

An op is found by its name (:func:`hwgen.ir.op.find_op`); this package imports none of them, so
that adding one edits nothing.
"""

from __future__ import annotations

import pkgutil

__all__ = ["op_names"]


def op_names() -> tuple[str, ...]:
    """Names of all ops, in alphabetical order."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg))
