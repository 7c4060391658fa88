"""Binary weights: training and deployed integers."""

from __future__ import annotations

import torch

from ...ir.constant import Constant
from ...ops.codes.binary import Binary
from ..code import register_quantizer
from ..shadow import Shadow

__all__ = ["BinaryQuantizer"]


@register_quantizer
class BinaryQuantizer(Shadow):
    """The sign of the shadow weight, that of 0 being +1; drawn, +1 with probability (u + 1) / 2."""

    default_bits = 1
    threshold = 0.0

    @staticmethod
    def signs(u):
        return torch.where(u >= 0, 1.0, -1.0).to(u)

    @staticmethod
    def draw(u):
        return torch.where(torch.rand_like(u) < (u + 1) / 2, 1.0, -1.0).to(u)

    def code(self, weights, signs):
        return Binary(Constant(weights))
