"""Weights under a shift register's mask: zeros are stored, or the mask is drawn in hardware."""

from __future__ import annotations

from ...ops.codes.lfsr_masked import LfsrMasked
from ..lib.serial_weights import SerialWeights
from ..lib.zero_filled import ZeroFilledLane
from . import implements

__all__ = ["LfsrMaskedLane"]


@implements(LfsrMasked)
class LfsrMaskedLane(ZeroFilledLane):
    """Fields and product of the kept weights; with a zero if the array is not a serial one."""

    def source(self, folding):
        if folding.schedule.form == "serial":
            return SerialWeights(self.code, self.kept, folding.schedule.pe)
        return super().source(folding)

    def notes(self, schedule):
        if schedule.form == "folded":
            return super().notes(schedule)
        if schedule.form == "scan":
            counts = self.code.outputs * int(self.code.counts().max()).bit_length()
            return [
                f"Each of {schedule.pe} lanes has two frames of inputs of its own; and there are "
                f"{counts} bits that count kept weights."
            ]
        return []
