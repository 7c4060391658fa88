"""Ternary weights: training and deployed integers."""

from __future__ import annotations

import torch

from ...ir.constant import Constant
from ...ops.codes.ternary import Ternary
from ..code import register_quantizer
from ..shadow import Shadow

__all__ = ["TernaryQuantizer"]


@register_quantizer
class TernaryQuantizer(Shadow):
    """The sign of the shadow weight from 1/3 on, else 0; drawn, its sign with probability |u|."""

    default_bits = 2
    threshold = 1 / 3

    @staticmethod
    def signs(u):
        return torch.where(u.abs() >= TernaryQuantizer.threshold, torch.sign(u), 0.0)

    @staticmethod
    def draw(u):
        return torch.sign(u) * (torch.rand_like(u) < u.abs())

    def code(self, weights, signs):
        return Ternary(Constant(weights))
