"""Tables, as Markdown for people and for the file."""

from __future__ import annotations

import datetime
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

from .generators import NAMES, version

__all__ = ["Table", "environment", "number"]


@dataclass
class Table:
    """A table with a title and notes.

    Attributes
    ----------
    measure, lower
        What the scores are, and whether the lowest is the best.
    scores
        By generator, in its default form: what the verdict under the table compares.
    goals
        What was to be reached, and whether it was; a sentence each.
    wrong
        What the generators computed differently: empty, or the benchmark has failed.
    """

    title: str
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    measure: str = ""
    lower: bool = False
    scores: dict[str, float] = field(default_factory=dict)
    goals: list[str] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """Append a row; missing cells at its end stay empty."""
        texts = tuple(str(cell) for cell in cells)
        self.rows.append(texts + ("",) * (len(self.columns) - len(texts)))

    def check(self, generator: str, differ: int, total: int) -> str:
        """A cell that says whether all outputs were equal; a difference is remembered."""
        text = f"{differ} of {total} differ"
        if differ:
            self.wrong.append(f"{self.title}: {generator}: {text}")
            return f"ERROR: {text}"
        return text

    def goal(self, what: str, value: float, goal: float, lower: bool = False) -> None:
        """State under the table whether ``value`` reaches ``goal``, at most that if ``lower``."""
        reached = value <= goal if lower else value >= goal
        allowed = "at most" if lower else "at least"
        verdict = "reached" if reached else "**not reached**"
        self.goals.append(f"{what}: {value:.4g}, goal {allowed} {goal:g}: {verdict}.")

    @property
    def verdict(self) -> str:
        """Where hwgen stands, in a sentence; empty if it has nobody to compare with."""
        own = self.scores.get("hwgen")
        others = {name: score for name, score in self.scores.items() if name != "hwgen"}
        if own is None or not others:
            return ""
        best = (min if self.lower else max)(others, key=others.__getitem__)
        factor = others[best] / own if self.lower else own / others[best]
        stands = f"ahead of {best} by" if factor >= 1 else f"behind {best} by"
        return f"{self.measure}: hwgen is {stands} a factor of {max(factor, 1 / factor):.2f}."

    def __str__(self) -> str:
        widths = [
            max(len(row[k]) for row in (self.columns, *self.rows)) for k in range(len(self.columns))
        ]
        # The first column holds names, the others mostly numbers.
        lines = [f"## {self.title}", ""]
        lines.append(_line(self.columns, widths))
        rules = [
            "-" * width if k == 0 else "-" * (width - 1) + ":" for k, width in enumerate(widths)
        ]
        lines.append("| " + " | ".join(rules) + " |")
        lines += [_line(row, widths) for row in self.rows]
        goals = "\n".join(f"- {text}" for text in self.goals)
        lines += [f"\n{text}" for text in (self.verdict, goals, *self.notes) if text]
        lines += [f"\n**{text}**" for text in self.wrong]
        return "\n".join(lines) + "\n"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    texts = [
        text.ljust(width) if k == 0 else text.rjust(width)
        for k, (text, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join(texts) + " |"


def number(value: float) -> str:
    """Three significant digits, thousands apart."""
    if value >= 1000:
        digits = len(str(round(value))) - 3
        return f"{round(value, -digits):,.0f}".replace(",", " ")
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def environment() -> str:
    """Date, versions and machine, as a Markdown list."""
    from hwgen.sim.tools import tool
    from hwgen.yosys import yosys_version

    versions = [f"{name} {version(name) or 'not installed'}" for name in NAMES]
    tools = [f"{name} {tool(name).version or 'not installed'}" for name in ("verilator", "g++")]
    lines = [
        f"- {datetime.date.today().isoformat()}",
        f"- {', '.join(versions)}",
        f"- Python {platform.python_version()}, {', '.join(tools)}, {yosys_version()}",
        f"- {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"load average {os.getloadavg()[0]:.1f} at the start",
    ]
    return "\n".join(lines)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"
