"""The Verilog of a network through Yosys: what every layer of it takes of a device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..files import write_whole
from ..yosys import yosys_version
from .design import Design
from .device import Device
from .lib.area import Area
from .network import Network
from .yosys import Count, count_cells

__all__ = ["LayerArea", "Synthesis", "synthesize"]


@dataclass(frozen=True, slots=True)
class LayerArea:
    """One instance of the core: a layer, or what lies between layers; ``(top)`` is what is around.

    Attributes
    ----------
    counted
        By Yosys.
    estimated
        In closed form; None for devices that it is not made for.
    """

    name: str
    counted: Area
    estimated: Area | None


@dataclass(frozen=True, slots=True)
class Synthesis:
    """A network's size on a device.

    Attributes
    ----------
    device
        Its name; see :data:`hwgen.rtl.device.DEVICES`.
    yosys, commands
        The version that counted, and what it was told.
    layers
        One an instance of the core, with the hierarchy kept.
    flat
        All of it with the hierarchy dissolved, where that was asked for.
    latches
        0 in a design of hwgen's.
    unknown
        Cells by type that no column counts.
    """

    device: str
    yosys: str
    commands: tuple[str, ...]
    layers: tuple[LayerArea, ...]
    flat: Area | None
    latches: int
    unknown: Mapping[str, int]

    @property
    def total(self) -> Area:
        """All layers together."""
        return sum((layer.counted for layer in self.layers), Area())

    @property
    def estimate(self) -> Area | None:
        """All layers together, in closed form."""
        if any(layer.estimated is None for layer in self.layers):
            return None
        return sum((layer.estimated for layer in self.layers), Area())

    def save(self, path: Path) -> None:
        """Write a JSON file, whole or not at all; its folder is made if need be."""
        data = asdict(self) | {"total": asdict(self.total)}
        data["estimate"] = asdict(self.estimate) if self.estimate else None
        write_whole(path, (json.dumps(data, indent=1) + "\n").encode())


def synthesize(
    design: Design, network: Network, device: Device, *, flat: bool = False
) -> Synthesis:
    """Run Yosys over a design and count the cells of every layer.

    Parameters
    ----------
    network
        What the design was emitted from.
    flat
        Run it once more with the hierarchy dissolved, for the total.

    Raises
    ------
    MissingTool
        Yosys is not installed.
    HwgenError
        Yosys refused the Verilog.
    """
    count = count_cells(device, design.top, design.paths)
    dissolved = None
    if flat:
        dissolved = count_cells(device, design.top, design.paths, flat=True).within(design.top)
    return Synthesis(
        device=device.name,
        yosys=yosys_version(),
        commands=count.commands,
        layers=tuple(_layers(count, design.top, network)),
        flat=dissolved,
        latches=count.latches,
        unknown=count.unknown,
    )


def _layers(count: Count, top: str, network: Network) -> list[LayerArea]:
    """The instances of the core from input to output, then what is around them."""
    (core,) = count.instances(top)
    prefix = core.removesuffix("core")
    estimates = dict.fromkeys(network.components)
    if count.device.estimated:
        estimates = network.areas()
    layers = [
        LayerArea(name, count.within(prefix + name), estimate)
        for name, estimate in estimates.items()
        if prefix + name in count.modules
    ]
    around = network.port_area if count.device.estimated else None
    return [*layers, LayerArea("(top)", count.own(top) + count.own(core), around)]
