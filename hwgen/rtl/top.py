"""The AXI4-Stream top around a core: what a user instantiates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import jinja2

from .design import ColumnMemory, StreamShape

__all__ = ["render_top"]


def render_top(
    model: str,
    core_module: str,
    input: StreamShape,
    output: StreamShape,
    header: str,
    memories: Sequence[ColumnMemory] = (),
) -> str:
    """Verilog-2001 of the module ``model``: AXI4-Stream ports around ``core_module``.

    The top adds no register to the datapath, so the core's interval and latency are its own.

    Parameters
    ----------
    model
        Name of the top module.
    core_module
        Module with ports ``clk, rst`` (active high, synchronous), ``i_payload, i_valid, i_ready,
        o_payload, o_valid, o_ready``; lane i of a payload in bits ``[i * width +: width]``.
    input, output
        The streams of the core.
    header
        Comment lines that open the file, each with its ``//``.
    memories
        Beside the design: the core has streams ``<name>_columns`` and ``<name>_weights`` for each.
    """
    buses = [f"[{shape.data_bits - 1}:0]" for shape in (input, output)]
    for memory in memories:
        buses += [f"[{8 * n - 1}:0]" for n in (memory.address_bytes, memory.word_bytes)]
    column = max(map(len, buses))
    return _template().render(
        model=model,
        core_module=core_module,
        input=input,
        output=output,
        header=header.rstrip("\n"),
        in_data=buses[0].rjust(column),
        out_data=buses[1].rjust(column),
        pad=" " * (column + 2),
        in_bits=input.lanes * input.width,
        out_bits=output.lanes * output.width,
        extension=output.lane_bits - output.width,
        count_bits=(output.beats - 1).bit_length(),
        memories=memories,
        request_buses=[bus.rjust(column) for bus in buses[2::2]],
        word_buses=[bus.rjust(column) for bus in buses[3::2]],
    )


@cache
def _template() -> jinja2.Template:
    text = files("hwgen.rtl_templates").joinpath("axi_stream_top.v.j2").read_text("utf-8")
    return jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    ).from_string(text)
