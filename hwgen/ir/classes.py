"""What class the outputs of a classifier tell."""

from __future__ import annotations

__all__ = ["classes"]


def classes(outputs):
    """The index of the largest output or, of networks that end in an argmax, the output itself.

    Parameters
    ----------
    outputs
        Array or tensor of shape (batch, n) or (batch, steps, n).

    Returns
    -------
    The same without the last axis.
    """
    return outputs[..., 0] if outputs.shape[-1] == 1 else outputs.argmax(-1)
