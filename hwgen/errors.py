"""Every failure that a user can meet, in one place.

A message says what must hold, what was found, where, and one thing to do.
The command line prints ``error: <message>`` and exits with ``exit_code``.
"""

__all__ = [
    "HwgenError",
    "InvalidInput",
    "Mismatch",
    "MissingTool",
    "RuleViolation",
    "Unsupported",
]


class HwgenError(Exception):
    """Base class of every error that hwgen raises on purpose."""

    exit_code = 2


class InvalidInput(HwgenError):
    """A file, an array, an option or a folder is not what it must be."""


class Unsupported(HwgenError):
    """A layer, an attribute or a target is understood but not supported."""


class RuleViolation(HwgenError):
    """A rule of the intermediate representation does not hold."""


class MissingTool(HwgenError):
    """An external program is not installed; the message says how to get it."""


class Mismatch(HwgenError):
    """Two results that must be equal differ."""

    exit_code = 1
