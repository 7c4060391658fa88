"""Masks that shift registers draw: the test beside a model draws them anew and compares.

The model holds what was drawn, as lists, bitmaps, or with zeros between; the registers are in
``kernels/model_masks.c.j2``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.code import WeightCode
from .blocks import Blocks
from .depthwise import Depthwise
from .dsp.micro_kernels import DOTS
from .function import Function
from .linear import stored_weights
from .planning.memory import Memories, Stream
from .weights import Kept, StoredWeights

__all__ = ["mask_tests"]

FORMS = {"hwgen_gather_": "list", "hwgen_bitmap_": "bitmap"}


def mask_tests(functions: Sequence[Function], memories: Memories) -> list[dict[str, object]]:
    """What ``model_masks.c.j2`` lays out, one of every layer whose mask a shift register draws."""
    found = []
    for function, stream in zip(functions, memories.streams, strict=True):
        code = getattr(function.stage.kernel and function.stage.kernel.op, "weights", None)
        if isinstance(code, WeightCode):
            stored = stored_weights(code, function.target)
            if stored.kept is not None and stored.kept.drawn is not None:
                found.append(_test(function, stored, stored.kept, stream))
    return found


def _test(
    function: Function, stored: StoredWeights, kept: Kept, stream: Stream | None
) -> dict[str, object]:
    code, array = kept.drawn, function.weights_array
    rows, row_bytes = array.values.shape
    test = {
        "name": function.names.take(f"{function.name}_mask"),
        "seeds_name": function.names.take(f"{function.name}_seeds"),
        "layer": function.stage.name,
        "ctype": array.ctype,
        "table": f"l3 + {stream.address}" if stream else f"{array.symbol}[0]",
        "width": code.width,
        "taps": f"0x{sum(1 << (tap - 1) for tap in code.taps):x}u",
        "leap": code.leap % ((1 << code.width) - 1),
        "threshold": code.threshold,
        "seeds": code.seeds.array,
        "outputs": code.outputs,
        "row_bytes": row_bytes,
        **_places(function, stored, code.row, rows),
    }
    test["marks"] = test["length"] * test.get("channels", 1)
    return test


def _places(
    function: Function, stored: StoredWeights, row: tuple[int, ...], rows: int
) -> dict[str, object]:
    """Where the inputs are in a row of the table, and how to tell which of them it keeps."""
    blocks = function.blocks
    lines = row[0] if len(row) > 1 else 1  # of a window
    run = stored.kept.mask.shape[1] // lines
    if isinstance(blocks, Blocks):
        places = {"run": run, "pitch": blocks.run_bytes, "length": lines * blocks.run_bytes}
        for prefix, form in FORMS.items():
            if blocks.function.startswith(prefix):
                return {**places, "form": form, "says": f"A {form} of what is kept."}
        dot = next(d for d in DOTS if d.name == f"{blocks.function}_{blocks.channels}x1")
        return {
            **places,
            "form": "blocks",
            "says": "Weights with zeros between: others than zero must be kept.",
            "rows": rows,
            "kernel": dot.name,
            "channels": dot.channels,
            "step": dot.step,
            "step_bytes": dot.word_bytes,
        }
    weight = f"hwgen_weight_{stored.kind}(row, i)" if stored.kind else "row[i]"
    if isinstance(blocks, Depthwise):  # columns of taps
        weight = f"row[i % {row[1]} * {-(-row[0] // 4) * 4} + i / {row[1]}]"
    return {
        "run": run * lines,
        "pitch": run * lines,
        "length": run * lines,
        "form": "weights",
        "says": "Weights with zeros between: others than zero must be kept.",
        "weight": weight,
    }
