"""Attributes of PyTorch layers: which are read, and which must have their usual value.

A module's attributes are compared with this table whole, so that one that a later PyTorch adds, or
a user sets, is refused until somebody reads it.
"""

from __future__ import annotations

from torch import nn

from ..errors import Unsupported
from ..nn import Layer

__all__ = ["check_module"]

# For each layer: the attributes that are read, and those that must have one value.
_TABLE: dict[type, tuple[tuple[str, ...], dict[str, object]]] = {
    nn.Flatten: ((), {"start_dim": 1, "end_dim": -1}),
    nn.ReLU: (("inplace",), {}),
    nn.Identity: ((), {}),
    nn.Dropout: (("p", "inplace"), {}),
    nn.Dropout2d: (("p", "inplace"), {}),
    nn.MaxPool2d: (
        ("kernel_size", "stride", "padding"),
        {"dilation": 1, "ceil_mode": False, "return_indices": False},
    ),
}

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def check_module(module: nn.Module, where: str) -> None:
    """Raise Unsupported if the module has an attribute that the lowering does not read."""
    for hooks in _HOOKS:
        if getattr(module, hooks, None):
            raise Unsupported(f"{where}: must have no forward hooks; remove them first")
    if isinstance(module, Layer):
        return
    read, usual = _TABLE[type(module)]
    for name, value in vars(module).items():
        if name.startswith("_") or name == "training" or name in read:
            continue
        if name not in usual:
            raise Unsupported(
                f"{where}: attribute {name!r} is not supported; "
                f"supported are {', '.join((*read, *usual)) or 'none'}"
            )
        want = usual[name]
        if value != want and value != (want, want):
            raise Unsupported(f"{where}: {name} must be {want!r}, found {value!r}")
