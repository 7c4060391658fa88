"""Micro-kernels of one kept weight in every eight inputs: ``hwgen_pick.h``, from ``kernels/pick.h.j2``.

Eight inputs are two words, and one instruction picks a byte of them for each of four channels. The
bytes of four groups of eight, picked so, are words of channels; halves of them are paired and their
bytes sorted, and they are words of inputs, a channel each: two cycles a kept weight.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..templates import TEMPLATES, wrap_code
from .micro_assembly import REGISTERS, Assembly, Operand, base, dsp

__all__ = ["GROUP", "PICKS", "PICK_CHANNELS", "PICK_STEP", "Pick", "render_pick"]

GROUP = 8
"""Inputs of which one is kept."""

PICK_STEP = 4
"""Groups of a step."""

PICK_CHANNELS = 8
"""Rows of a micro-kernel, which are computed in two fours."""

EVEN, ODD = 0x06040200, 0x03010705  # bytes 0 and 2 of D, then of A; 1 and 3 of A, then of D


@dataclass(frozen=True, slots=True)
class Pick:
    """Eight rows of weights, one kept in every eight.

    Attributes
    ----------
    unsigned
        Whether the data are uint8; else int8.
    """

    unsigned: bool

    @property
    def name(self) -> str:
        """Of the C function."""
        return f"hwgen_pick_{self.kind}_{PICK_CHANNELS}x1"

    @property
    def kind(self) -> str:
        """What names call the data's type."""
        return "u8" if self.unsigned else "s8"

    @property
    def assembly(self) -> Assembly:
        """The loop over steps: no load is followed by its use."""
        step = GROUP * PICK_STEP
        body = [base(f"lw [h{i}], {GROUP * i + 4}([x0])") for i in range(PICK_STEP)]
        body += [base(f"lw [y{i}], {GROUP * i}([x0])") for i in range(PICK_STEP)]
        body += self._four(0)
        body.append(dsp("p.lw", "y0", str(step), "x0"))
        body += [base(f"lw [y{i}], {GROUP * i - step}([x0])") for i in range(1, PICK_STEP)]
        body += self._four(4)
        temporaries = [f"{kind}{i}" for kind in "thy" for i in range(PICK_STEP)]
        outputs = [Operand(f"a{c}", "+&r", f"a{c}") for c in range(PICK_CHANNELS)]
        outputs += [Operand(t, "+&r" if t == "t0" else "=&r", t) for t in temporaries]
        outputs += [Operand(name, "+&r", name) for name in ("v", "x0")]
        inputs = (Operand("even", "r", f"{EVEN:#010x}u"), Operand("odd", "r", f"{ODD:#010x}u"))
        starts = {t: "(uint32_t)now" if t == "t0" else "" for t in temporaries}
        return Assembly((), tuple(body), "t0", starts, tuple(outputs), inputs)

    def _four(self, first: int) -> list[str]:
        """Channels ``first`` to ``first`` + 3, with the low words of the groups in y."""
        dot = "pv.sdotusp.b" if self.unsigned else "pv.sdotsp.b"
        groups = range(PICK_STEP)
        body = [dsp("p.lw", f"t{i}", "4", "v") for i in groups]
        body += [dsp("pv.shuffle2.b", f"y{i}", f"h{i}", f"t{i}") for i in groups]
        # Sorting overwrites a pair that the other channel needs: the first pair is made twice.
        body += [dsp("pv.pack", t, "y1", "y0") for t in ("t0", "t1")]
        body.append(dsp("pv.pack", "t2", "y3", "y2"))
        body += [dsp("pv.shuffle2.b", "t0", "t2", "even"), dsp("pv.shuffle2.b", "t2", "t1", "odd")]
        body += [dsp("pv.pack.h", t, "y1", "y0") for t in ("t1", "t3")]
        body.append(dsp("pv.pack.h", "y3", "y3", "y2"))
        body += [dsp("pv.shuffle2.b", "t1", "y3", "even"), dsp("pv.shuffle2.b", "y3", "t3", "odd")]
        data, weights = ("t0", "t2", "t1", "y3"), ("y0", "y1", "y2", "t3")
        body += [dsp("p.lw", w, "4", "v") for w in weights]
        pairs = enumerate(zip(data, weights, strict=True))
        return body + [dsp(dot, f"a{first + c}", x, w) for c, (x, w) in pairs]


PICKS = tuple(Pick(unsigned) for unsigned in (True, False))
"""All that there are."""


def render_pick(kernels: Iterable[Pick] = PICKS) -> str:
    """The text of ``hwgen_pick.h`` with the given micro-kernels."""
    text = TEMPLATES.get_template("pick.h.j2").render(
        kernels=tuple(kernels),
        registers=REGISTERS,
        channels=PICK_CHANNELS,
        group=GROUP,
        step=PICK_STEP,
        even=EVEN,
        odd=ODD,
    )
    return wrap_code(re.sub(r" +\n", "\n", text))
