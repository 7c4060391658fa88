"""What the C back end wrote: enough to compile, run and report it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import InvalidInput
from .storage import CType

__all__ = ["BUILD_FILE", "CBuild", "Layer", "Port"]

BUILD_FILE = "build.json"


@dataclass(frozen=True, slots=True)
class Port:
    """The input or output of an emitted model.

    Attributes
    ----------
    shape
        Of one sample.
    ctype
        Of an element in memory.
    lo, hi
        Interval of the integers.
    """

    shape: tuple[int, ...]
    ctype: CType
    lo: int
    hi: int

    @property
    def size(self) -> int:
        """Elements of one sample."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True)
class Layer:
    """One emitted function, for tables.

    Attributes
    ----------
    function
        Its name.
    nodes
        Names of the nodes that it computes.
    offset
        Where its result lies in the arena, in bytes; None for the caller's output.
    result_bytes, constant_bytes
        Bytes of its result and of its constants.
    macs
        Products that it sums up.
    tile
        Rows, columns and channels of a full tile; None where layers are not cut.
    tiles, l1_bytes, l3_bytes, dma_bytes
        How many there are, fast memory that they take, weights in external memory, bytes moved
        between L1 and L2.
    cycles
        Estimated, with transfers; 0 where nobody knows.
    """

    function: str
    nodes: tuple[str, ...]
    offset: int | None
    result_bytes: int
    constant_bytes: int
    macs: int = 0
    tile: tuple[int, int, int] | None = None
    tiles: int = 1
    l1_bytes: int = 0
    l3_bytes: int = 0
    dma_bytes: int = 0
    cycles: int = 0


@dataclass(frozen=True, slots=True)
class CBuild:
    """An emitted C folder.

    Attributes
    ----------
    folder
        Where the files lie.
    model
        Stem of file and function names.
    target
        Name of the target that it was written for.
    graph_hash
        Of the graph that it computes.
    sources
        Files to compile into a program that uses the model, relative to ``folder``.
    input, output
        What enters and leaves.
    arena_bytes, arena_bound, arena_align
        Size of the arena, the bytes that no layout can go below, and its alignment.
    l1_bytes
        Fast memory that the caller lends beside the arena; 0 where there is none.
    l3_bytes
        Weights in external memory, the contents of ``<model>_l3.bin``; 0 where there are none.
    constant_bytes
        Weights, tables and other constants.
    layers
        The emitted functions in order of execution.
    state_bytes
        What the caller keeps from one run to the next; 0 where a run depends on its input alone.
    """

    folder: Path
    model: str
    target: str
    graph_hash: str
    sources: tuple[str, ...]
    input: Port
    output: Port
    arena_bytes: int
    arena_bound: int
    arena_align: int
    l1_bytes: int
    l3_bytes: int
    constant_bytes: int
    layers: tuple[Layer, ...]
    state_bytes: int = 0

    @property
    def entry(self) -> str:
        """The function that runs one inference."""
        return f"{self.model}_run"

    def renamed(self, prefix: str) -> list[str]:
        """Options that compile the model under names of its own, beside others of its name.

        ``<prefix>_run``, and of a model with state ``<prefix>_reset`` and ``struct <prefix>_state``.
        """
        names = ["run", *(["reset", "state"] if self.state_bytes else [])]
        return [f"-D{self.model}_{name}={prefix}_{name}" for name in names]

    @property
    def header(self) -> Path:
        return self.folder / f"{self.model}.h"

    def save(self) -> Path:
        """Write ``build.json`` into the folder."""
        data = asdict(self)
        del data["folder"]
        if not self.state_bytes:
            del data["state_bytes"]
        path = self.folder / BUILD_FILE
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, folder: str | Path) -> CBuild:
        """Read what :func:`hwgen.mcu.emit.emit` wrote into ``folder``.

        Raises
        ------
        InvalidInput
            The folder holds no emitted C, or its description is damaged.
        """
        folder = Path(folder)
        path = folder / BUILD_FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            for side in ("input", "output"):
                port = data[side]
                data[side] = Port(
                    tuple(port["shape"]), CType(**port["ctype"]), port["lo"], port["hi"]
                )
            data["sources"] = tuple(data["sources"])
            data["layers"] = tuple(_layer(**layer) for layer in data["layers"])
            return cls(folder=folder, **data)
        except FileNotFoundError:
            raise InvalidInput(
                f"{folder}: no emitted C here; run 'hwgen compile' with --target c or all"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise InvalidInput(f"{path}: damaged: {error}; compile again") from None


def _layer(nodes: list[str], tile: list[int] | None, **rest) -> Layer:
    return Layer(nodes=tuple(nodes), tile=tuple(tile) if tile else None, **rest)
