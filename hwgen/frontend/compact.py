"""Tensors in few bytes, as plain data that a checkpoint may hold."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..errors import InvalidInput

__all__ = ["compact", "expand"]

FINEST = 16  # bits behind the binary point up to which steps are looked for
SPARSE = 0.25  # part of values that are not zero up to which the others are left out


def compact(value: torch.Tensor) -> torch.Tensor | dict:
    """The tensor in a byte an element where that holds it, and without its zeros if most are.

    A byte also holds multiples of a power of two. Booleans, the places of what is not zero, and the signs of values -1, 0, +1 take a bit each.
    Types come back when the tensor is loaded into a network.
    """
    value = value.detach().cpu()
    if value.numel() <= 1:
        return value
    if value.dtype == torch.bool:
        return {"bits": _packed(value), "shape": list(value.shape)}
    if not value.is_floating_point():
        return value
    used = value != 0
    # A zero of a negative sign is none that may be left out.
    if not torch.signbit(value[~used]).any():
        kept, places = value[used], {"bits": _packed(used), "shape": list(value.shape)}
        if (kept.abs() == 1).all():
            return {"signs": _packed(kept < 0), **places}
        if float(used.float().mean()) <= SPARSE:
            return {"values": _narrow(kept), **places}
    narrow = _narrow(value)
    return _steps(value) if narrow is value else narrow


def expand(name: str, entry) -> torch.Tensor:
    """The inverse of :func:`compact`, or InvalidInput; tensors are given back as they are."""
    if isinstance(entry, torch.Tensor):
        return entry
    try:
        if "steps" in entry:
            return entry["steps"].to(torch.float32) * 2.0 ** -int(entry["bits"])
        shape = [int(n) for n in entry["shape"]]
        if min(shape) < 0:
            raise ValueError(f"there is no shape {shape}")
        used = _unpacked(entry["bits"], math.prod(shape)).reshape(shape)
        if "values" in entry:
            values = entry["values"]
        elif "signs" in entry:
            negative = _unpacked(entry["signs"], int(used.sum()))
            values = 1 - 2 * negative.to(torch.int8)
        else:
            return used
        if values.numel() != int(used.sum()):
            raise ValueError(f"{values.numel()} values are there for {int(used.sum())} places")
        full = torch.zeros(shape, dtype=values.dtype)
        full[used] = values.reshape(-1)
        return full
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InvalidInput(f"damaged checkpoint: tensor {name!r}: {error}") from None


def _packed(values: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.packbits(values.numpy().reshape(-1)))


def _unpacked(bits: torch.Tensor, count: int) -> torch.Tensor:
    if bits.dtype != torch.uint8 or bits.numel() != -(-count // 8):
        raise ValueError(f"{bits.numel()} bytes of bits do not hold {count} of them")
    return torch.from_numpy(np.unpackbits(bits.numpy(), count=count).astype(bool))


def _steps(value: torch.Tensor) -> torch.Tensor | dict:
    """Multiples of a power of two below 1 as bytes; any other tensor as it is."""
    if torch.signbit(value[value == 0]).any():
        return value
    for bits in range(1, FINEST + 1):
        scaled = value * 2.0**bits
        if float(scaled.abs().max()) > 127:
            break
        steps = scaled.to(torch.int8)
        if value.dtype == torch.float32 and torch.equal(steps.to(torch.float32), scaled):
            return {"steps": steps, "bits": bits}
    return value


def _narrow(value: torch.Tensor) -> torch.Tensor:
    small = value.clamp(-128, 127).to(torch.int8)
    return small if torch.equal(small.to(value.dtype), value) else value
