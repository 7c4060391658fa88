"""Two recurrent layers over one sequence, one from its start and one from its end."""

from __future__ import annotations

import torch

from ..errors import HwgenError, InvalidInput
from .concat import Concat
from .layer import Layer, Lowering, find_layer, register_layer
from .recurrent import Recurrent
from .reverse import Reverse
from .tensor import QTensor

__all__ = ["Bidirectional"]


@register_layer
class Bidirectional(Layer):
    """Both directions, with PyTorch's ``bidirectional=True`` for a model.

    With ``every_step`` the result is (batch, steps, n + m): behind the n units of the forward layer
    at a step are the m units of the backward layer, which has then seen that step and all after it.
    Else it is (batch, n + m): the last state of each, which the backward layer has at the first
    step. Lowers to both layers, ``reverse`` around the backward one, and ``concat``.

    Parameters
    ----------
    forward_layer
        An :class:`~hwgen.nn.LSTM` or a :class:`~hwgen.nn.GRU`.
    backward_layer
        Another of its class, with the same features and ``every_step``; a new one with the options
        of the first if not given.
    """

    def __init__(self, forward_layer: Recurrent, backward_layer: Recurrent | None = None) -> None:
        super().__init__()
        if not isinstance(forward_layer, Recurrent):
            raise InvalidInput(
                f"forward_layer must be a recurrent layer, LSTM or GRU, not "
                f"{type(forward_layer).__name__}"
            )
        if backward_layer is None:
            backward_layer = type(forward_layer).from_config(forward_layer.config())
        if backward_layer is forward_layer:
            raise InvalidInput("backward_layer must have weights of its own, found the same layer")
        if type(backward_layer) is not type(forward_layer):
            raise InvalidInput(
                f"backward_layer must be of class {type(forward_layer).__name__} as the "
                f"forward_layer is, not {type(backward_layer).__name__}"
            )
        for name in ("input_size", "every_step"):
            want, found = (getattr(layer, name) for layer in (forward_layer, backward_layer))
            if want != found:
                raise InvalidInput(
                    f"backward_layer must have {name}={want} as the forward_layer has, found {found}"
                )
        self.forward_layer, self.backward_layer = forward_layer, backward_layer
        self._reverse, self._concat = Reverse(), Concat()

    def config(self) -> dict[str, object]:
        return {
            name: {"kind": type(layer).__name__, **layer.config()}
            for name, layer in self.directions.items()
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Layer:
        layers = {}
        for name, entry in config.items():
            arguments = {key: value for key, value in dict(entry).items() if key != "kind"}
            layers[name] = find_layer(entry["kind"]).from_config(arguments)
        return cls(**layers)

    @property
    def directions(self) -> dict[str, Recurrent]:
        """Both layers by the names of the constructor's arguments."""
        return {"forward_layer": self.forward_layer, "backward_layer": self.backward_layer}

    @property
    def every_step(self) -> bool:
        return self.forward_layer.every_step

    @property
    def penalty(self) -> torch.Tensor:
        """The mean of both; see :class:`~hwgen.nn.recurrent.Recurrent`."""
        return (self.forward_layer.penalty + self.backward_layer.penalty) / 2

    def ramp(self, share: float) -> None:
        """As of a single layer, for both."""
        for layer in self.directions.values():
            layer.ramp(share)

    def freeze_scale(self, frozen: bool = True) -> None:
        """As of a single layer, for both."""
        for layer in self.directions.values():
            layer.freeze_scale(frozen)

    def freeze_statistics(self, frozen: bool = True) -> None:
        """As of a single layer, for both."""
        for layer in self.directions.values():
            layer.freeze_statistics(frozen)

    def settle(self) -> None:
        """As of a single layer, for both."""
        for layer in self.directions.values():
            layer.settle()

    def extra_repr(self) -> str:
        return ""  # the layers show what there is to know

    def _name_parts(self) -> None:
        """Messages name both layers as PyTorch does."""
        for name, layer in self.directions.items():
            layer.path = f"{self.path}.{name}" if self.path else name
        self._reverse.path = self._concat.path = self.path

    def train_forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._joined(x)

    def eval_forward(self, x) -> QTensor:
        return self._joined(x)

    def _joined(self, x: torch.Tensor) -> torch.Tensor:
        self._name_parts()
        ahead, back = self.forward_layer(x), self.backward_layer(self._reverse(x))
        return self._concat(ahead, self._reverse(back) if self.every_step else back)

    def lower(self, lowering: Lowering, *inputs: str) -> str:
        self._name_parts()
        (x,) = inputs
        ahead = self._lower(lowering, self.forward_layer, x)
        turned = lowering.add("reverse", x, scale=lowering.scale(x), suffix="in")
        back = self._lower(lowering, self.backward_layer, turned)
        if self.every_step:
            back = lowering.add("reverse", back, scale=lowering.scale(back), suffix="out")
        return lowering.add("concat", ahead, back, scale=lowering.scale(ahead))

    def _lower(self, lowering: Lowering, layer: Recurrent, x: str) -> str:
        """``layer`` under its own name."""
        lowering.layer = layer
        try:
            return layer.lower(lowering, x)
        except HwgenError as error:
            raise layer._at(error) from None
        finally:
            lowering.layer = self
