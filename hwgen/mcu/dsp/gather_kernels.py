"""Micro-kernels of sparse weights: ``hwgen_gather.h``, rendered from ``kernels/gather.h.j2``.

Four kept weights a step and channel. A load that advances its pointer by a register fetches an
input and goes on to the next one that is kept; four of these are packed into a word, which serves
all channels that keep the same positions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..templates import TEMPLATES, wrap_code
from .micro_assembly import REGISTERS, Assembly, Operand, dsp

__all__ = ["GATHERS", "GATHER_CHANNELS", "STEP", "Gather", "render_gather"]

STEP = 4
"""Kept weights of a channel that a step multiplies."""

GATHER_CHANNELS = (8, 4, 2, 1)
"""Channels that a micro-kernel looks inputs up for at once."""


@dataclass(frozen=True, slots=True)
class Gather:
    """``channels`` rows of sparse weights, which keep the same positions.

    Attributes
    ----------
    unsigned
        Whether the data are uint8; else int8.
    channels
        Accumulators, which stay in registers.
    """

    unsigned: bool
    channels: int

    @property
    def name(self) -> str:
        """Of the C function."""
        return f"hwgen_gather_{'u8' if self.unsigned else 's8'}_{self.channels}x1"

    @property
    def assembly(self) -> Assembly:
        """Its inner loop on cores with DSP extensions: no load is followed by its use."""
        channels = range(self.channels)
        dot = "pv.sdotusp.b" if self.unsigned else "pv.sdotsp.b"
        body = [dsp("p.lbu", f"d{i}", "1", "v") for i in range(STEP)]
        body += [dsp("p.lbu.r", f"y{i}", "x0", f"d{i}") for i in range(STEP)]
        words = [f"w{c % 2}" for c in channels]
        body += [dsp("p.lw", word, "4", "v") for word in words[:2]]
        body += [dsp("pv.packlo.b", "d0", "y1", "y0"), dsp("pv.packhi.b", "d0", "y3", "y2")]
        for c in channels:
            body.append(dsp(dot, f"a{c}", "d0", words[c]))
            if c + 2 < self.channels:
                body.append(dsp("p.lw", words[c], "4", "v"))
        temporaries = [f"{kind}{i}" for kind in "dy" for i in range(STEP)]
        temporaries += sorted(set(words))
        outputs = [Operand(f"a{c}", "+&r", f"a{c}") for c in channels]
        outputs += [Operand(t, "+&r" if t == "d0" else "=&r", t) for t in temporaries]
        outputs += [Operand(name, "+&r", name) for name in ("v", "x0")]
        starts = {t: "(uint32_t)steps" if t == "d0" else "" for t in temporaries}
        return Assembly((), tuple(body), "d0", starts, tuple(outputs), ())


GATHERS = tuple(Gather(unsigned, c) for unsigned in (True, False) for c in GATHER_CHANNELS)
"""All that there are."""


def render_gather(gathers: Iterable[Gather] = GATHERS) -> str:
    """The text of ``hwgen_gather.h`` with the given micro-kernels."""
    text = TEMPLATES.get_template("gather.h.j2").render(
        gathers=tuple(gathers), registers=REGISTERS, step=STEP
    )
    return wrap_code(re.sub(r" +\n", "\n", text))
