"""What a simulator must know of an emitted design: its files, its streams, its timing."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import InvalidInput
from ..ir.types import Int, Type
from .lib.area import Area

__all__ = ["Design", "StreamShape"]


@dataclass(frozen=True, slots=True)
class StreamShape:
    """How one frame (sample) of a value travels over a stream.

    Attributes
    ----------
    lanes
        Integers a beat.
    width, signed
        The type of each.
    beats
        Beats a frame; ``lanes * beats`` elements in channels-last order.
    """

    lanes: int
    width: int
    signed: bool
    beats: int

    @classmethod
    def of(cls, type: Type, lanes: int) -> StreamShape:
        """The stream of a value of ``type``, ``lanes`` elements a beat."""
        if type.size % lanes:
            raise InvalidInput(
                f"lanes must divide the {type.size} elements of a frame, not {lanes}"
            )
        return cls(lanes, type.element.width, type.element.signed, type.size // lanes)

    @property
    def element(self) -> Int:
        return Int(self.width, self.signed)

    @property
    def lane_bits(self) -> int:
        """Bits of one lane of the AXI4-Stream port: whole bytes."""
        return 8 * math.ceil(self.width / 8)

    @property
    def data_bits(self) -> int:
        """Bits of ``tdata``."""
        return self.lanes * self.lane_bits


@dataclass(frozen=True, slots=True)
class Design:
    """An emitted Verilog design with AXI4-Stream ports.

    Attributes
    ----------
    folder
        Where the sources lie.
    top
        Name of the top module.
    sources
        Verilog files, relative to ``folder``.
    input, output
        The streams.
    interval
        Cycles between frames in steady state, source always valid and sink always ready.
    latency
        Cycles from the edge that takes a frame's first beat to the edge that gives its last
        output beat, from idle.
    area
        What it takes of a device with tables of six inputs, estimated in closed form.
    timing_is_bound
        Whether interval and latency are those of the slowest data, and other data may be faster.
    """

    folder: Path
    top: str
    sources: tuple[str, ...]
    input: StreamShape
    output: StreamShape
    interval: int
    latency: int
    area: Area | None = None
    timing_is_bound: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / name for name in self.sources)

    def save(self) -> Path:
        """Write ``design.json`` into the folder."""
        data = asdict(self)
        del data["folder"]
        path = self.folder / "design.json"
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, folder: str | Path) -> Design:
        """Read ``design.json`` from ``folder``."""
        folder = Path(folder)
        try:
            data = json.loads((folder / "design.json").read_text(encoding="utf-8"))
            data["input"] = StreamShape(**data["input"])
            data["output"] = StreamShape(**data["output"])
            data["sources"] = tuple(data["sources"])
            data["area"] = Area(**data["area"]) if data.get("area") else None
            return cls(folder=folder, **data)
        except FileNotFoundError:
            raise InvalidInput(
                f"{folder}: no Verilog design here; run 'hwgen compile' with --target verilog or all"
            ) from None
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InvalidInput(f"{folder / 'design.json'}: damaged: {error}") from None
