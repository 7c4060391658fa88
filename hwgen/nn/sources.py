"""Which random sources a stochastic layer draws from: a stretch of one sequence of seeds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from ..errors import InvalidInput
from ..ops.lib import lfsr
from ..ops.lib.random_numbers import stream_leap

__all__ = ["WIDTH", "Sources", "number_sources"]

WIDTH = 13  # 8191 states: far more than most networks have sources, so that few of them come close
KINDS = ("lfsr", "counter")


class Sources:
    """The sources of a layer, numbers ``first`` and following of all that a register has.

    Parameters
    ----------
    kind
        "lfsr", or "counter" for a counter with reversed bits.
    first
        Number of the first one; layers of one network must not overlap.
    width
        Of the register or counter.
    """

    def __init__(self, kind: str, first: int, width: int) -> None:
        if kind not in KINDS:
            raise InvalidInput(f"source must be one of {', '.join(KINDS)}, not {kind!r}")
        if isinstance(first, bool) or not isinstance(first, int) or first < 0:
            raise InvalidInput(f"first_source must be an integer of 0 or more, not {first!r}")
        if width not in lfsr.TAPS or not 3 <= width <= 16:
            raise InvalidInput(f"source_width must be an integer in 3..16, not {width!r}")
        self.kind, self.first, self.width = kind, first, width

    def attributes(self, shape: tuple[int, int], length: int) -> dict[str, object]:
        """Attributes of the op for sources of ``shape`` and streams of ``length`` steps."""
        count = int(np.prod(shape))
        if self.kind == "counter":
            # The golden ratio spreads the counters' masks, too.
            masks = (self.first + np.arange(count)) * round(0.618 * 2**self.width) % 2**self.width
            return {"width": self.width, "taps": (), "leap": 1, "seeds": masks.reshape(shape)}
        period = (1 << self.width) - 1
        most = max(self.first + count, length)
        if most > period:
            what = "steps of the stream" if most == length else "sources with those before it"
            raise InvalidInput(
                f"source_width {self.width} gives {period} states, fewer than the {most} {what}; use "
                f"source_width={most.bit_length()}, or hwgen.nn.number_sources(model)"
            )
        taps = lfsr.TAPS[self.width]
        seeds = lfsr.golden_seeds(self.first + count, self.width, taps)[self.first :]
        leap = stream_leap(self.width)
        return {"width": self.width, "taps": taps, "leap": leap, "seeds": seeds.reshape(shape)}

    @staticmethod
    def numbers(attributes: dict, bits: int, length: int, device) -> Iterator[torch.Tensor]:
        """The random numbers of every step, int64 of the seeds' shape, drawn one after the other."""
        width, taps = attributes["width"], attributes["taps"]
        states = torch.as_tensor(attributes["seeds"].copy(), dtype=torch.int64, device=device)
        for t in range(length):
            if not taps:
                turned = int(format(t % (1 << width), f"0{width}b")[::-1], 2)
                yield (states ^ turned) >> (width - bits)
                continue
            yield states >> (width - bits)
            for _ in range(attributes["leap"]):
                fed_back = sum((states >> (tap - 1)) & 1 for tap in taps) & 1
                states = ((states << 1) | fed_back) & ((1 << width) - 1)


def number_sources(model: nn.Module, first: int = 0) -> nn.Module:
    """Give every stochastic layer of a model sources of its own, from one register.

    The register is the smallest of 13 bits or more that has them all and does not repeat in a stream.

    Parameters
    ----------
    model
        A model with stochastic layers, in the order of execution.
    first
        Number of the first source: another one draws other random numbers.

    Returns
    -------
    The model itself.
    """
    layers = [layer for layer in model.modules() if hasattr(layer, "source_count")]
    length = max((getattr(layer, "length", 0) for layer in layers), default=0)
    total = first + sum(layer.source_count for layer in layers)
    least = [layer.least_width for layer in layers]
    width = max(WIDTH, total.bit_length(), length.bit_length(), *least)
    if width > 16:
        raise InvalidInput(
            f"a network can have 65535 sources and steps, found {max(total, length)}; use fewer "
            f"components or a smaller first"
        )
    for layer in layers:
        layer.source_width = width
        layer.first_source = first
        first += layer.source_count
    return model
