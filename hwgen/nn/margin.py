"""How large a lead is enough for a stochastic classifier to decide early."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import InvalidInput
from .input import batch_axis
from .stream_argmax import StreamArgMax

__all__ = ["calibrate_margin"]


@torch.no_grad()
def calibrate_margin(
    model: nn.Module, samples: torch.Tensor, *, allowed: float = 0.001, batch: int = 250
) -> float:
    """Let the :class:`StreamArgMax` at the end of ``model`` decide early.

    The margin becomes the least for which at most the share ``allowed`` of the samples ever has a
    leading class by so much that is not the one of the whole stream.

    Parameters
    ----------
    model
        A stochastic classifier; it is left in eval mode.
    samples
        Typical ones, as the model takes them.
    allowed
        Share of the samples, 0 or more and below 1.
    batch
        Samples at a time.

    Returns
    -------
    The margin, which the layer keeps.
    """
    if not 0 <= allowed < 1:
        raise InvalidInput(f"allowed must be a share in 0..1, not {allowed!r}")
    layers = [layer for layer in model.modules() if isinstance(layer, StreamArgMax)]
    if len(layers) != 1:
        raise InvalidInput(f"model must have one StreamArgMax, found {len(layers)}")
    if batch_axis(model) != 0 or not len(samples):
        raise InvalidInput(f"samples must be a batch, found shape {tuple(samples.shape)}")
    (layer,) = layers
    wrong: list[torch.Tensor] = []
    scale = 1.0

    def look(_, inputs) -> None:
        nonlocal scale
        scale = float(inputs[0].scale)
        sums = inputs[0].ints.cumsum(1)
        top = sums.topk(2, dim=2).values
        first = (sums == top[..., :1]).int().argmax(2)  # of equals the first
        lead = torch.where(first != first[:, -1:], top[..., 0] - top[..., 1], -1)
        wrong.append(lead[:, :-1].amax(1) if lead.shape[1] > 1 else lead[:, 0])

    hook = layer.register_forward_pre_hook(look)
    try:
        model.eval()
        for start in range(0, len(samples), batch):
            model(samples[start : start + batch])
    finally:
        hook.remove()
    ordered = torch.cat(wrong).sort().values
    place = min(len(ordered) - 1, int((1 - allowed) * len(ordered)))
    layer.early, layer.margin = True, float(max(1, int(ordered[place]) + 1)) * scale
    return layer.margin
