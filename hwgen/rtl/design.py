"""What a simulator must know of an emitted design: its files, its streams, its timing."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import InvalidInput
from ..ir.types import Int, Type
from .lib.area import Area

__all__ = ["ColumnMemory", "Design", "StreamShape"]


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
class ColumnMemory:
    """A memory beside the design, with the weights of a layer column by column.

    The design asks for columns on ``m_axis_<name>_columns``: where each begins, counted in words.
    ``s_axis_<name>_weights`` takes their words, those of all columns in the order of the requests.

    Attributes
    ----------
    name
        In the names of its ports.
    columns, words
        Columns, and words of each.
    word_bits
        Bits of a word that mean something; the others of its bytes are 0.
    image
        Its content: a file in the design's folder, every word in ``word_bytes`` bytes, little-endian.
    ahead
        Requests under way at most.
    latency
        Cycles from a request to its first word, of the memory that the design's timing is declared
        for. That memory takes a request and gives a word in every cycle.
    """

    name: str
    columns: int
    words: int
    word_bits: int
    image: str
    ahead: int
    latency: int

    @property
    def depth(self) -> int:
        """Words in all."""
        return self.columns * self.words

    @property
    def word_bytes(self) -> int:
        return math.ceil(self.word_bits / 8)

    @property
    def address_bits(self) -> int:
        """Bits of a request."""
        return max(1, (self.depth - 1).bit_length())

    @property
    def address_bytes(self) -> int:
        return math.ceil(self.address_bits / 8)


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
    memories
        What gives the weights of layers that have them streamed.
    register_top
        Name of the module with AXI4-Lite registers around ``top``, where there is one.
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
    memories: tuple[ColumnMemory, ...] = ()
    register_top: str | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / name for name in self.sources)

    @property
    def images(self) -> tuple[str, ...]:
        """Files with the content of the memories, relative to ``folder``."""
        return tuple(memory.image for memory in self.memories)

    def save(self) -> Path:
        """Write ``design.json`` into the folder."""
        data = asdict(self)
        del data["folder"]
        if not self.memories:
            del data["memories"]
        if self.register_top is None:
            del data["register_top"]
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
            data["memories"] = tuple(ColumnMemory(**each) for each in data.get("memories", ()))
            return cls(folder=folder, **data)
        except FileNotFoundError:
            raise InvalidInput(
                f"{folder}: no Verilog design here; run 'hwgen compile' with --target verilog or all"
            ) from None
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InvalidInput(f"{folder / 'design.json'}: damaged: {error}") from None
