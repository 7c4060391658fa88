"""The zoo on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import zoo
from ..errors import InvalidInput
from ..ir.code import WeightCode
from ..undisturbed import undisturbed
from .progress import Console
from .table import print_table

if TYPE_CHECKING:
    from ..study.running import Prepare

__all__ = ["list_models", "train_model"]

LONG = 1 << 30  # elements of all values of all samples beyond which C is worth its compilation


def list_models() -> None:
    """Print one row a model."""
    from ..study.running import runner

    with runner() as (prepare, _):
        rows = [_row(name, prepare) for name in zoo.names()]
    print_table("models", ("name", "input", "weight bits", "accuracy, held out"), rows)


def _row(name: str, prepare: Prepare) -> list[object]:
    """Name, input, size and accuracy of a model."""
    graph = zoo.load(name)
    shape = "x".join(map(str, graph.input_type.shape))
    values = (value for node in graph.nodes for value in node.op.attributes().values())
    bits = sum(value.storage_bits for value in values if isinstance(value, WeightCode))
    try:
        x, labels = zoo.test_data(name)
        is_long = len(x) * sum(node.type.size for node in graph.nodes) > LONG
        run = prepare(graph) if is_long else graph.run
        accuracy = f"{100 * zoo.accuracy(graph, x, labels, run):.2f} %"
    except InvalidInput:
        accuracy = "(no data here)"
    return [name, f"{shape}:{graph.input_type.element}", bits, accuracy]


def train_model(name: str, out: Path) -> None:
    """Train a model by its recipe, show its deployed accuracy, write its checkpoint."""
    with undisturbed():
        from ..frontend.checkpoint import check_writable, save
        from ..frontend.layout import to_torch_layout
        from ..nn import accuracies

    recipe = zoo.recipe(name)
    check_writable(out)
    real, labels = zoo.test_data(name)
    lines: list[str] = []
    with Console().step(f"training {name}") as progress:
        model = recipe.train(lambda done, total, *words: progress(done, total), say=lines.append)
    for line in lines:
        print(line)
    save(model, out, name=zoo.load(name).name)
    x, y = to_torch_layout(real.astype("float32")), to_torch_layout(labels)
    trained, deployed = (f"{100 * part:.2f} %" for part in accuracies(model, x, y))
    print(
        f"{name}: {deployed} deployed on held-out data (promised: {100 * recipe.PROMISE:.1f} %), "
        f"{trained} as trained; written to {out}"
    )
