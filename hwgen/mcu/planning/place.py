"""Which weights stay in L2 and which come from L3 whenever the model runs.

All constants and activations would lie in L2. Where they do not fit, some layers' weights lie in L3:
they are read into L2 while the layer before runs or, if even that does not fit, channel tile by
channel tile while the layer itself runs. The fewest bytes are streamed that make the rest fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...errors import Unsupported
from .layout import Memory
from .plan import Buffer, Plan, live_bytes, plan
from .solver import import_cp_model, solve

__all__ = ["Home", "LayerWeights", "Placement", "place"]

ALIGN = 8
EFFORT = 0.5  # deterministic seconds of the solver, which then is a millionth from the best
ATTEMPTS = 60  # placements whose buffers turn out not to fit

Home = Literal["l2", "l3", "chunks"]


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """Weights of a layer; the layer's number is its step.

    Attributes
    ----------
    name
        Unique; what messages and buffers call it.
    size
        Bytes of its weights, 0 if there are none.
    chunk
        Bytes of the weights of one channel tile when they are read tile by tile; 0 if they cannot
        be, see ``chunk`` of :func:`.tiling.tile`.
    tables
        Bytes of L2 that reading them tile by tile takes beside: more tiles have larger tables.
    """

    name: str
    size: int
    chunk: int = 0
    tables: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything lies.

    Attributes
    ----------
    homes
        For every layer: ``l2``: its weights stay there. ``l3``: all are read into its staging
        buffer while the layer before runs. ``chunks``: those of channel tile i are read into half
        i % 2 of its staging buffer.
    addresses
        For every layer the offset of its weights in L3; None if they stay in L2.
    staging
        For every layer the name of its staging buffer in the plan, or None. A half of one for
        chunks is as large as the other.
    plan
        Offsets of activations and staging buffers in the arena.
    l2_bytes, l3_bytes
        Needed in all.
    """

    homes: tuple[Home, ...]
    addresses: tuple[int | None, ...]
    staging: tuple[str | None, ...]
    plan: Plan
    l2_bytes: int
    l3_bytes: int


def place(
    layers: Sequence[LayerWeights],
    buffers: Sequence[Buffer],
    memory: Memory,
    fixed: int = 0,
    tables: Callable[[int], int | None] | None = None,
) -> Placement:
    """Decide what is streamed, and lay out the arena.

    Parameters
    ----------
    layers
        In order of execution.
    buffers
        Activations; their steps are numbers of layers.
    memory
        Of which ``l2`` and ``l3`` matter.
    fixed
        Bytes of L2 that are taken whatever is streamed: other constants, the caller's data.
    tables
        Says ``tables`` of layer i, or None if its weights cannot be read in chunks after all;
        asked only where not everything fits.

    Raises
    ------
    Unsupported
        It does not fit; the message says what would.
    MissingTool
        OR-tools is needed and not installed.
    """
    everything = _lay_out(layers, buffers, ["l2"] * len(layers), fixed)
    if everything.l2_bytes <= memory.l2:
        return everything
    if not memory.l3:
        raise Unsupported(_without_l3(layers, everything, memory, fixed))
    if tables is not None:
        layers = [
            _with_tables(layer, tables(i)) if _can_chunk(layer) else layer
            for i, layer in enumerate(layers)
        ]
    problem = _Problem(layers, buffers, memory, fixed)
    forbidden: list[list[Home]] = []
    while len(forbidden) < ATTEMPTS:
        homes = problem.homes(memory.l2, memory.l3, forbidden)
        if homes is None:
            break
        found = _lay_out(layers, buffers, homes, fixed)
        if found.l2_bytes <= memory.l2:
            return found
        forbidden.append(homes)  # its buffers leave gaps
    least = problem.homes(None, memory.l3)
    found = None if least is None else _lay_out(layers, buffers, least, fixed)
    if found is not None and found.l2_bytes <= memory.l2:
        return found
    raise Unsupported(_refusal(problem, found, fixed))


def _lay_out(
    layers: Sequence[LayerWeights],
    buffers: Sequence[Buffer],
    homes: Sequence[Home],
    fixed: int,
) -> Placement:
    """Offsets when it is decided what is streamed."""
    staging: list[str | None] = []
    addresses: list[int | None] = []
    l2, l3 = fixed, 0
    needed = list(buffers)
    for step, (layer, home) in enumerate(zip(layers, homes, strict=True)):
        if home == "l2":
            l2 += _whole(layer.size)
            staging.append(None)
            addresses.append(None)
            continue
        name = f"{layer.name} weights"
        l2 += _beside(layer, home)
        needed.append(Buffer(name, _staged(layer, home), max(step - 1, 0), step, ALIGN))
        staging.append(name)
        addresses.append(l3)
        l3 += _whole(layer.size)
    arena = plan(needed)
    return Placement(tuple(homes), tuple(addresses), tuple(staging), arena, l2 + arena.size, l3)


def _whole(size: int) -> int:
    return -(-size // ALIGN) * ALIGN


def _staged(layer: LayerWeights, home: Home) -> int:
    """Bytes of the layer's staging buffer."""
    return {"l2": 0, "l3": _whole(layer.size), "chunks": 2 * _whole(layer.chunk)}[home]


def _with_tables(layer: LayerWeights, tables: int | None) -> LayerWeights:
    return replace(layer, chunk=0) if tables is None else replace(layer, tables=tables)


def _can_chunk(layer: LayerWeights) -> bool:
    """Whether less memory is needed if weights are read in chunks."""
    return 0 < _staged(layer, "chunks") < layer.size


def _beside(layer: LayerWeights, home: Home) -> int:
    """Bytes of L2 that are not of the layer's weights, and not shared with other layers."""
    return layer.tables if home == "chunks" else 0


class _Problem:
    """Which weights to stream, as a constraint program."""

    def __init__(
        self,
        layers: Sequence[LayerWeights],
        buffers: Sequence[Buffer],
        memory: Memory,
        fixed: int,
    ) -> None:
        self.layers, self.memory, self.fixed = layers, memory, fixed
        self.live = [live_bytes(buffers, step) for step in range(len(layers))]

    def homes(
        self, l2: int | None, l3: int | None, forbidden: Sequence[Sequence[Home]] = ()
    ) -> list[Home] | None:
        """The fewest streamed bytes with so much memory, or without ``l2`` the least L2.

        Of as many bytes those that are read while another layer runs. None if nothing fits.
        """
        model = import_cp_model().CpModel()
        options: list[dict[Home, object]] = []
        for layer in self.layers:
            homes: list[Home] = ["l2", "l3"] if layer.size else ["l2"]
            if _can_chunk(layer):
                homes.append("chunks")
            options.append({home: model.new_bool_var(f"{layer.name} {home}") for home in homes})
            model.add_exactly_one(options[-1].values())
        staged = [
            sum(_staged(layer, home) * chosen for home, chosen in option.items())
            for layer, option in zip(self.layers, options, strict=True)
        ]
        most = sum(_whole(layer.size) for layer in self.layers)
        arena = model.new_int_var(0, max(self.live, default=0) + 3 * most, "arena")
        for step, live in enumerate(self.live):
            model.add(live + sum(staged[step : step + 2]) <= arena)
        kept = sum(_whole(x.size) * o["l2"] for x, o in zip(self.layers, options, strict=True))
        beside = sum(
            _beside(layer, home) * chosen
            for layer, option in zip(self.layers, options, strict=True)
            for home, chosen in option.items()
        )
        if l3 is not None:
            model.add(most - kept <= l3)
        for homes in forbidden:
            model.add_bool_or(
                option[home].negated() for option, home in zip(options, homes, strict=True)
            )
        if l2 is None:
            model.minimize((kept + beside + arena) * 2 * most + most - kept)
        else:
            model.add(self.fixed + kept + beside + arena <= l2)
            waited = sum(
                layer.size * (option.get("chunks", 0) if step else 1 - option["l2"])
                for step, (layer, option) in enumerate(zip(self.layers, options, strict=True))
            )
            model.minimize((most - kept) * 2 * most + waited)
        solver = solve(model, EFFORT, is_linear=True)
        if solver is None:
            return None
        return [
            next(home for home, chosen in option.items() if solver.boolean_value(chosen))
            for option in options
        ]


def _without_l3(
    layers: Sequence[LayerWeights], everything: Placement, memory: Memory, fixed: int
) -> str:
    weights = sum(_whole(layer.size) for layer in layers)
    return (
        f"the model needs {everything.l2_bytes} bytes of L2, of which {memory.l2} are free "
        f"(weights {weights}, activations {everything.plan.size}, other constants and data "
        f"{fixed}); what would fit: L2 larger by {everything.l2_bytes - memory.l2} bytes, or a "
        f"target with external memory (L3) for weights, or weights of fewer bits"
    )


def _refusal(problem: _Problem, found: Placement | None, fixed: int) -> str:
    """What is missing with L3, in numbers; ``found`` is the placement of least L2 that fits L3."""
    layers, memory = problem.layers, problem.memory
    least = problem.homes(None, None)
    staged = [_staged(layer, home) for layer, home in zip(layers, least, strict=True)]
    live = [problem.live[step] + sum(staged[step : step + 2]) for step in range(len(layers))]
    step = max(range(len(layers)), key=live.__getitem__)
    kept = sum(_whole(x.size) for x, home in zip(layers, least, strict=True) if home == "l2")
    fixed += sum(_beside(layer, home) for layer, home in zip(layers, least, strict=True))
    need = fixed + kept + live[step]
    if need <= memory.l2 and (homes := problem.homes(memory.l2, None)) is not None:
        streamed = sum(_whole(x.size) for x, h in zip(layers, homes, strict=True) if h != "l2")
        if streamed > memory.l3:
            return (
                f"weights of {streamed} bytes do not fit L2 and must lie in external memory (L3), "
                f"which has {memory.l3}; what would fit: L3 larger by {streamed - memory.l3} bytes, "
                f"or weights of fewer bits"
            )
    if found is not None:
        need = max(need, found.l2_bytes)
    return (
        f"the model needs {need} bytes of L2 even if weights are streamed from L3, and "
        f"{memory.l2} are free; most are live at layer {layers[step].name}: activations "
        f"{problem.live[step]}, streamed weights {live[step] - problem.live[step]}, beside weights "
        f"{kept} and other constants and data {fixed}; what would fit: L2 larger by "
        f"{need - memory.l2} bytes, or smaller activations or weights there"
    )
