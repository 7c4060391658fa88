"""Small hand-written designs with known outputs and known timing, and ways to break them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hwgen.rtl.design import ColumnMemory, Design, StreamShape
from hwgen.rtl.top import render_top

PASS = """
module core (
    input  wire clk, input wire rst,
    input  wire [{bits}:0] i_payload, input  wire i_valid, output wire i_ready,
    output reg  [{bits}:0] o_payload, output reg  o_valid, input  wire o_ready
);
    assign i_ready = ~o_valid | o_ready;
    always @(posedge clk) begin
        if (i_ready) begin
            o_valid <= i_valid;
            o_payload <= i_payload;
        end
        if (rst) o_valid <= 1'b0;
    end
endmodule
"""

ADD = """
module core (
    input  wire clk, input wire rst,
    input  wire [9:0]  i_payload, input  wire i_valid, output wire i_ready,
    output reg  [11:0] o_payload, output reg  o_valid, input  wire o_ready
);
    // Two lanes s5: adds the two beats of a frame into one beat of two lanes s6.
    reg second = 1'b0;
    reg [9:0] held;
    wire signed [4:0] a0 = held[4:0], a1 = held[9:5], b0 = i_payload[4:0], b1 = i_payload[9:5];
    wire signed [5:0] y0 = a0 + b0, y1 = a1 + b1;
    assign i_ready = ~o_valid | o_ready;
    always @(posedge clk) begin
        if (o_ready) o_valid <= 1'b0;
        if (i_ready & i_valid) begin
            second <= ~second;
            held <= i_payload;
            if (second) begin
                o_valid <= 1'b1;
                o_payload <= {y1, y0};
            end
        end
        if (rst) begin
            o_valid <= 1'b0;
            second <= 1'b0;
        end
    end
endmodule
"""


# Adds up the three words of the column that a beat names.
LOOK = """
module core (
    input  wire clk, input wire rst,
    input  wire [1:0] i_payload, input  wire i_valid, output wire i_ready,
    output reg  [7:0] o_payload, output reg  o_valid, input  wire o_ready,
    output reg  [3:0] look_columns_payload, output wire look_columns_valid, input wire look_columns_ready,
    input  wire [5:0] look_weights_payload, input wire look_weights_valid, output wire look_weights_ready
);
    reg asking = 1'b0, adding = 1'b0;
    reg [1:0] word = 2'd0;
    assign i_ready = ~asking & ~adding & ~o_valid;
    assign look_columns_valid = asking;
    assign look_weights_ready = adding;
    always @(posedge clk) begin
        if (i_ready & i_valid) begin
            asking <= 1'b1;
            adding <= 1'b1;
            look_columns_payload <= i_payload * 3;
            o_payload <= 8'd0;
        end
        if (asking & look_columns_ready) asking <= 1'b0;
        if (adding & look_weights_valid) begin
            o_payload <= o_payload + look_weights_payload;
            word <= word + 2'd1;
            if (word == 2'd2) begin
                word <= 2'd0;
                adding <= 1'b0;
                o_valid <= 1'b1;
            end
        end
        if (o_valid & o_ready) o_valid <= 1'b0;
        if (rst) begin
            o_valid <= 1'b0;
            asking <= 1'b0;
            adding <= 1'b0;
            word <= 2'd0;
        end
    end
endmodule
"""


@dataclass(frozen=True)
class Example:
    """A design, its golden model and its declared timing; ``image`` is what its memory holds."""

    name: str
    core: str
    input: StreamShape
    output: StreamShape
    interval: int
    latency: int
    golden: object = field(compare=False)
    memories: tuple[ColumnMemory, ...] = ()
    image: bytes = b""

    def samples(self, count: int, seed: int = 0) -> np.ndarray:
        element = self.input.element
        size = self.input.lanes * self.input.beats
        x = np.random.default_rng(seed).integers(
            element.lo, element.hi, (count, size), dtype=np.int64, endpoint=True
        )
        x[0] = element.lo
        x[-1] = element.hi
        return x

    def expected(self, x: np.ndarray) -> np.ndarray:
        return self.golden(x)  # type: ignore[operator]

    def build(
        self,
        folder: Path,
        *changes: tuple[str, str],
        interval: int | None = None,
        latency: int | None = None,
    ) -> Design:
        """Write the design; every change (old, new) must apply to the core or to the top."""
        core = self.core
        shapes = self.input, self.output
        top = render_top(self.name, "core", *shapes, "// a test design", self.memories)
        for memory in self.memories:
            (folder / memory.image).write_bytes(self.image)
        for old, new in changes:
            assert old in core or old in top, f"nothing to mutate: {old!r}"
            core, top = core.replace(old, new), top.replace(old, new)
        (folder / "core.v").write_text(core)
        (folder / "top.v").write_text(top)
        return Design(
            folder,
            self.name,
            ("core.v", "top.v"),
            self.input,
            self.output,
            interval or self.interval,
            latency or self.latency,
            memories=self.memories,
        )


def passthrough(lanes: int, width: int, signed: bool, beats: int) -> Example:
    shape = StreamShape(lanes, width, signed, beats)
    core = PASS.replace("{bits}", str(lanes * width - 1))
    return Example("pass_through", core, shape, shape, beats, beats, lambda x: x)


def add_beats(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, 2, 2).sum(axis=1)


PASSTHROUGH = passthrough(lanes=3, width=8, signed=False, beats=4)
ADDER = Example(
    "add_beats",
    ADD,
    StreamShape(2, 5, True, 2),
    StreamShape(2, 6, True, 1),
    interval=2,
    latency=2,
    golden=add_beats,
)

WORDS = (60, 1, 2, 3, 63, 5, 6, 7, 8, 9, 10, 0)
LOOKER = Example(
    "look_up",
    LOOK,
    StreamShape(1, 2, False, 1),
    StreamShape(1, 8, False, 1),
    interval=7,
    latency=6,
    golden=lambda x: np.array(WORDS).reshape(4, 3).sum(axis=1)[x],
    memories=(ColumnMemory("look", 4, 3, 6, "look.bin", ahead=2, latency=2),),
    image=bytes(WORDS),
)
