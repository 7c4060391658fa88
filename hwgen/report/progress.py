"""Steps and progress of long work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..mcu.build import CBuild

__all__ = ["Console", "Reporter", "Silent"]

Progress = Callable[[int, int], None]


class Reporter(Protocol):
    """Told of every step of a long piece of work."""

    def step(self, text: str):
        """A context manager; gives a callback of (done, total) to call now and then."""

    def note(self, text: str) -> None:
        """Something that the user should know, such as what is left out."""

    def plan(self, c: CBuild) -> None:
        """What emitted C will take, before anything is compiled."""


class Silent:
    """Says nothing."""

    @contextmanager
    def step(self, text: str) -> Iterator[Progress]:
        yield lambda done, total: None

    def note(self, text: str) -> None:
        pass

    def plan(self, c: CBuild) -> None:
        pass


class Console:
    """A line for every step on standard error: a moving bar on a terminal, else plain text."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self._console = RichConsole(stderr=True, highlight=False)

    @contextmanager
    def step(self, text: str) -> Iterator[Progress]:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.text import Text

        begin = time.monotonic()
        if not self._console.is_terminal:
            yield lambda done, total: None
        else:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
            )
            with Progress(*columns, console=self._console, transient=True) as bar:
                task = bar.add_task(text, total=None)
                yield lambda done, total: bar.update(task, completed=done, total=total)
        line = Text(f"  {text} ").append(f"{time.monotonic() - begin:.1f} s", style="dim")
        self._console.print(line, soft_wrap=True)

    def note(self, text: str) -> None:
        self._console.print(f"  {text}", markup=False, soft_wrap=True)

    def plan(self, c: CBuild) -> None:
        from .mcu import plan_table

        if c.target != "host":
            plan_table(c)
