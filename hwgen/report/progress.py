"""Steps and progress of long work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Console", "Reporter", "Silent"]

Progress = Callable[[int, int], None]


class Reporter(Protocol):
    """Told of every step of a long piece of work."""

    def step(self, text: str):
        """A context manager; gives a callback of (done, total) to call now and then."""

    def note(self, text: str) -> None:
        """Something that the user should know, such as what is left out."""


class Silent:
    """Says nothing."""

    @contextmanager
    def step(self, text: str) -> Iterator[Progress]:
        yield lambda done, total: None

    def note(self, text: str) -> None:
        pass


class Console:
    """A line for every step on standard error: a moving bar on a terminal, else plain text."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self._console = RichConsole(stderr=True, highlight=False)

    @contextmanager
    def step(self, text: str) -> Iterator[Progress]:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        begin = time.monotonic()
        if not self._console.is_terminal:
            yield lambda done, total: None
        else:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
            )
            with Progress(*columns, console=self._console, transient=True) as bar:
                task = bar.add_task(text, total=None)
                yield lambda done, total: bar.update(task, completed=done, total=total)
        self._console.print(f"  {text} [dim]{time.monotonic() - begin:.1f} s[/dim]")

    def note(self, text: str) -> None:
        self._console.print(f"  {text}")
