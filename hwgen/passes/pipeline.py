"""The passes of a compilation, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput
from ..ir.graph import Graph
from ..ir.verify import verify
from .fold_clip import fold_clip
from .remove_dead import remove_dead
from .remove_identity import remove_identity

__all__ = ["PIPELINE", "Pass", "run_passes"]


@dataclass(frozen=True, slots=True)
class Pass:
    """A step from graph to graph, and why it is there."""

    name: str
    run: Callable[[Graph], Graph]
    why: str


PIPELINE: tuple[Pass, ...] = (
    Pass("fold-clip", fold_clip, "an activation's bounds cost nothing inside its requantize"),
    Pass("remove-identity", remove_identity, "no hardware and no loop for what changes nothing"),
    Pass("remove-dead", remove_dead, "what the passes before have left without readers"),
)


def run_passes(graph: Graph, dump: Path | None = None) -> Graph:
    """Run the pipeline; the graph is verified after every pass.

    Parameters
    ----------
    dump
        A folder for the printed graph after every pass: ``00-import.txt``, ``01-fold-clip.txt``, ...
    """
    verify(graph, after="import")
    stages = [("import", graph)]
    for step in PIPELINE:
        graph = step.run(graph)
        verify(graph, after=step.name)
        stages.append((step.name, graph))
    if dump is not None:
        _dump(stages, dump)
    return graph


def _dump(stages: list[tuple[str, Graph]], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("[0-9][0-9]-*.txt"):
            old.unlink()
        for number, (name, graph) in enumerate(stages):
            (folder / f"{number:02}-{name}.txt").write_text(str(graph), encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--dump-ir {folder}: cannot be written: {error.strerror}") from None
