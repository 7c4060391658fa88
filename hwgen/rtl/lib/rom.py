"""Memories whose nets have names of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from amaranth import Module
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.utils import ceil_log2

__all__ = ["packed", "read_only", "read_write"]


def packed(fields: Iterable[int], bits: int) -> int:
    """A word of fields of ``bits`` bits, the first one lowest."""
    return sum(int(field) << (k * bits) for k, field in enumerate(fields))


def read_only(
    m: Module, name: str, width: int, contents: Sequence[int], domain: str = "sync"
) -> ReadPort:
    """A memory ``<name>_rom`` of two words or more, as a part of ``m``; its port is ``<name>``."""
    m.submodules[f"{name}_rom"] = rom = Memory(shape=width, depth=len(contents), init=contents)
    signature = ReadPort.Signature(addr_width=ceil_log2(len(contents)), shape=width)
    return ReadPort(signature, memory=rom, domain=domain, path=(name,))


def read_write(
    m: Module, name: str, width: int, depth: int, domain: str = "sync"
) -> tuple[WritePort, ReadPort]:
    """A memory ``<name>`` of two words or more, as a part of ``m``.

    Its ports are ``<name>_write`` and ``<name>_read``. A read in the cycle of a write sees the old
    word.
    """
    m.submodules[name] = memory = Memory(shape=width, depth=depth, init=[])
    shape = {"addr_width": ceil_log2(depth), "shape": width}
    return (
        WritePort(
            WritePort.Signature(**shape), memory=memory, domain="sync", path=(f"{name}_write",)
        ),
        ReadPort(ReadPort.Signature(**shape), memory=memory, domain=domain, path=(f"{name}_read",)),
    )
