"""A tensor that knows its quantization: what flows between the layers of a deployed model."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..errors import Unsupported

__all__ = ["QTensor", "along_channels", "integers", "require_quantized"]


class QTensor(torch.Tensor):
    """Real values that are exactly ``integer * scale``, in double precision.

    Layers in eval mode take and give these. Functions that only move, drop or compare elements
    (flatten, maximum pooling, ReLU, dropout in eval mode) keep the integers, so that PyTorch's own
    layers for them work unchanged; anything else gives an ordinary result that remembers what lost
    the integers, for the message of the layer that needs them.

    Attributes
    ----------
    scale
        float64 tensor: one number, or one a channel (axis 1; of sequences axis 2); None where the
        integers were lost.
    image
        (channels, height, width) of the image that a matrix was flattened from, or None where the
        graph, channels last, has the same order.
    lost
        What lost the integers, or "".
    """

    scale: torch.Tensor | None
    image: tuple[int, int, int] | None
    lost: str

    @classmethod
    def of(cls, integers: torch.Tensor, scale, image=None) -> QTensor:
        """The quantized tensor of these integers.

        Parameters
        ----------
        integers
            Whole numbers below 2^53, shape (batch, channels, ...), any type.
        scale
            One positive number or one a channel.
        """
        scale = torch.as_tensor(np.array(scale, dtype=np.float64), device=integers.device)
        return cls._tagged(
            integers.to(torch.float64) * along_channels(scale, integers.dim()), scale, image
        )

    @classmethod
    def _tagged(cls, values: torch.Tensor, scale, image=None, lost: str = "") -> QTensor:
        tensor = values.as_subclass(cls)
        tensor.scale, tensor.image, tensor.lost = scale, image, lost
        return tensor

    def plain(self) -> torch.Tensor:
        """The real values as an ordinary tensor."""
        return self.as_subclass(torch.Tensor)

    @property
    def ints(self) -> torch.Tensor:
        """The integers, int64, in PyTorch's layout."""
        if self.scale is None:
            raise Unsupported(f"values must be quantized, but {self.lost}")
        with torch.no_grad():
            plain = self.plain()
            return torch.round(plain / along_channels(self.scale, plain.dim())).to(torch.int64)

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            out = func(*args, **kwargs)
        if not isinstance(out, torch.Tensor) or not out.is_floating_point():
            return out
        source = next((a for a in args if isinstance(a, QTensor)), None)
        if source is None or not hasattr(source, "lost"):
            return out
        if source.scale is None:
            return cls._tagged(out, None, lost=source.lost)
        rule = _KEEP.get(func)
        kept = rule(source, out, *args[1:], **kwargs) if rule else None
        if isinstance(kept, cls):
            return kept
        name = getattr(func, "__name__", str(func)).strip("_")
        return cls._tagged(out, None, lost=kept or f"{name} lost the integers{_instead(name)}")


def integers(tensor: torch.Tensor) -> np.ndarray:
    """The integers of a model's eval output, exactly as ``Graph.run`` gives them.

    Parameters
    ----------
    tensor
        What a model gave in eval mode.

    Returns
    -------
    int64 array, channels last: images (batch, height, width, channels), sequences (batch, steps,
    features), vectors (batch, n) in the order of the channels-last image if they were flattened
    from one.

    Raises
    ------
    Unsupported
        The tensor is not quantized, or something lost its integers.
    """
    require_quantized(tensor, "hwgen.nn.integers")
    values = tensor.ints.cpu().numpy()
    if values.ndim == 4:
        return np.ascontiguousarray(values.transpose(0, 2, 3, 1))
    if tensor.image is not None:
        image = values.reshape(len(values), *tensor.image)
        return image.transpose(0, 2, 3, 1).reshape(len(values), -1)
    return values


def require_quantized(x, where: str) -> QTensor:
    """``x`` itself if it is quantized, else Unsupported saying why not."""
    if not isinstance(x, QTensor):
        raise Unsupported(
            f"{where}: input must be quantized, found a plain {type(x).__name__}; begin the model "
            f"with hwgen.nn.InputQuantizer and call it in eval mode"
        )
    if x.scale is None:
        raise Unsupported(f"{where}: input must be quantized, but {x.lost}")
    return x


def along_channels(scale: torch.Tensor, axes: int) -> torch.Tensor:
    """``scale`` shaped to broadcast along the channels: axis 1 of images, the last one of the rest."""
    return scale.reshape(-1, *(1,) * (axes - 2)) if scale.dim() and axes > 3 else scale


def _instead(name: str) -> str:
    layers = {
        "add": "Add",
        "iadd": "Add",
        "avg_pool2d": "AvgPool2d",
        "adaptive_avg_pool2d": "GlobalAvgPool2d",
        "mean": "GlobalAvgPool2d",
        "linear": "Linear",
        "conv2d": "Conv2d",
        "sigmoid": "Sigmoid",
        "tanh": "Tanh",
        "relu6": "Activation",
        "hardtanh": "Activation",
        "clamp": "Activation",
        "cat": "Concat",
        "flip": "Reverse",
    }
    return f"; use hwgen.nn.{layers[name]}" if name in layers else ""


# Rules: (source, result, further arguments) to a QTensor, or to a text saying why it is none.


def _same(source, out, *args, **kwargs):
    if out.shape == source.shape and out.dtype == torch.float64:
        return QTensor._tagged(out, source.scale, source.image)
    return None


def _pooled(source, out, *args, **kwargs):
    return QTensor._tagged(out, source.scale)


def _dropout(source, out, p=0.5, training=True, inplace=False):
    return None if training else _same(source, out)


def _reshaped(source, out, *args, **kwargs):
    if out.shape == source.shape:
        return _same(source, out)
    if out.dim() != 2 or source.dim() not in (3, 4) or len(out) != len(source):
        return f"a reshape from {tuple(source.shape)} to {tuple(out.shape)} is not a flatten"
    if source.scale.dim() and out.shape[1] > len(source.scale):
        return (
            "flatten must not follow values that have one scale a channel; "
            "put a hwgen.nn.Activation before it"
        )
    if source.dim() == 3:
        return QTensor._tagged(out, source.scale)
    channels, height, width = source.shape[1:]
    moves = channels > 1 and height * width > 1  # else both orders are one
    return QTensor._tagged(out, source.scale, (channels, height, width) if moves else None)


_KEEP = {
    torch.flatten: _reshaped,
    torch.Tensor.flatten: _reshaped,
    torch.reshape: _reshaped,
    torch.Tensor.reshape: _reshaped,
    torch.Tensor.view: _reshaped,
    torch.max_pool2d: _pooled,
    F.max_pool2d: _pooled,
    torch.relu: _same,
    torch.Tensor.relu: _same,
    F.relu: _same,
    torch.dropout: _dropout,
    F.dropout: _dropout,
    torch.clone: _same,
    torch.Tensor.clone: _same,
    torch.Tensor.contiguous: _same,
    torch.Tensor.detach: _same,
    torch.Tensor.cpu: _same,
    torch.Tensor.to: _same,
    torch.Tensor.double: _same,
}
