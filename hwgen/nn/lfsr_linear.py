"""Fully connected layers under a mask that shift registers draw."""

from __future__ import annotations

import bisect
import math

import numpy as np

from ..errors import InvalidInput, RuleViolation
from ..ir.code import WeightCode
from ..ir.constant import Constant
from ..ops.codes.lfsr_masked import LfsrMasked
from ..ops.lib import lfsr
from .layer import register_layer
from .masked import MaskedLinear

__all__ = ["LFSRLinear"]


@register_layer
class LFSRLinear(MaskedLinear):
    """``Linear`` whose connections linear feedback shift registers choose; lowers to ``dense``.

    The mask is fixed before training and generated where it is needed, never stored (Ardakani et
    al., "Sparsely-Connected Neural Networks: Towards Efficient VLSI Implementation of Deep Neural
    Networks", ICLR 2017, arXiv 1611.01427). The checkpoint holds the mask that was trained under;
    it is deployed only if it equals the generated one in every bit.

    Parameters
    ----------
    in_features, out_features, bias
        As for :class:`~hwgen.nn.Linear`.
    density
        Part of the connections that is kept, above 0 and below 1; rounded to steps of
        ``1 / (2^width - 1)``.
    leap
        Steps that a register makes an input; by default one that makes neighbours independent.
    width
        Of the registers, 3 to 24; by default ``ceil(log2(in_features + 1))``, 5 or more, and
        enough for a seed an output.
    code, bits, per_channel, scale, batch_norm, image, options
        As for :class:`~hwgen.nn.Linear`; every code but "basis". Inputs that are flattened from an
        image of several channels need ``image``, since the mask counts them in the graph's order.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        density: float,
        leap: int | None = None,
        width: int | None = None,
        code: str = "uniform",
        bits: int | None = None,
        per_channel: bool = False,
        scale: str | float = "learned",
        batch_norm: bool = False,
        image: tuple[int, int, int] | None = None,
        **options,
    ) -> None:
        super().__init__(
            in_features,
            out_features,
            bias,
            code=code,
            bits=bits,
            per_channel=per_channel,
            scale=scale,
            batch_norm=batch_norm,
            image=image,
            **options,
        )
        real = isinstance(density, int | float) and not isinstance(density, bool)
        if not (real and 0 < density < 1):
            raise InvalidInput(f"density must be above 0 and below 1, not {density!r}")
        self.density = float(density)
        self.width = lfsr.default_width(in_features, out_features) if width is None else width
        if not isinstance(self.width, int) or self.width not in lfsr.TAPS:
            raise InvalidInput(f"width must be an integer in 3..{max(lfsr.TAPS)}, not {width!r}")
        self.taps = lfsr.TAPS[self.width]
        self.leap = lfsr.default_leap(self.width) if leap is None else leap
        if isinstance(self.leap, bool) or not isinstance(self.leap, int):
            raise InvalidInput(f"leap must be an integer of 1 or more, not {leap!r}")
        self.threshold = lfsr.threshold(self.density, self.width)
        period = (1 << self.width) - 1
        if self.threshold < 2:
            raise InvalidInput(
                f"density must keep a connection, but {self.density:g} of the {period} states of a "
                f"{self.width}-bit register rounds to none; take a density of {1 / period:.2g} or "
                f"more, or a larger width"
            )
        try:
            lfsr.verify_register(self.width, self.taps, self.leap)
            self.seeds = lfsr.golden_seeds(out_features, self.width, self.taps)
        except RuleViolation as error:
            raise InvalidInput(str(error)) from None
        self.set_mask(self.generated())
        self._check_coverage()

    def generated(self) -> np.ndarray:
        """The mask as hardware and C draw it, in the graph's order of the inputs."""
        return self._draw(self.threshold)

    def _draw(self, threshold: int) -> np.ndarray:
        return lfsr.mask(self.in_features, self.seeds, self.width, self.taps, self.leap, threshold)

    def _check_coverage(self) -> None:
        empty = np.flatnonzero(~self.generated().any(axis=1))
        if not len(empty):
            return
        period = (1 << self.width) - 1
        enough = bisect.bisect_left(
            range(period + 1),
            True,
            lo=self.threshold,
            key=lambda t: bool(self._draw(t + 1).any(axis=1).all()),
        )
        raise InvalidInput(
            f"every output must keep an input, found that {len(empty)} of {self.out_features} keep "
            f"none of {self.in_features} at density {self.density:g} (width {self.width}, leap "
            f"{self.leap}), the first of them output {empty[0]}; a density of "
            f"{math.ceil(1000 * enough / period) / 1000:.3f} would do"
        )

    def check_mask(self) -> None:
        super().check_mask()
        differ = self.graph_mask() != self.generated()
        if differ.any():
            output, at = (int(v) for v in np.argwhere(differ)[0])
            raise InvalidInput(
                f"mask must be the one that its registers draw (density {self.density:g}, width "
                f"{self.width}, leap {self.leap}), found {int(differ.sum())} of {differ.size} bits "
                f"to differ, the first at output {output}, input {at} of the graph's order; train "
                f"again under the generated mask"
            )

    def encode_mask(self, kept: WeightCode, keep: np.ndarray) -> WeightCode:
        seeds = Constant(self.seeds)
        row = (self.in_features,)
        return LfsrMasked(kept, row, self.width, self.taps, self.leap, self.threshold, seeds)
