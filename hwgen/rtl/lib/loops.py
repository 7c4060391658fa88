"""Nested loops in hardware: affine indices that follow a loop nest with one addition a step."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import Cat, Const, Module, Mux, Signal, signed

from ...ir.types import Int

__all__ = ["Loop", "LoopNest", "affine_bounds", "wrapped"]


def wrapped(counter: Signal, turns: int):
    """The next value of a counter that counts from 0 to ``turns - 1`` over and over."""
    if turns == 1 << len(counter):
        return counter + 1
    return Mux(counter == turns - 1, 0, counter + 1)


@dataclass(frozen=True, slots=True)
class Loop:
    """One level of a nest: its name and its number of turns."""

    name: str
    turns: int


def affine_bounds(loops: list[Loop], strides: dict[str, int], start: int) -> Int:
    """The signed integer that holds ``start + sum(turn[l] * strides[l])`` at every step."""
    low = high = start
    for loop in loops:
        span = (loop.turns - 1) * strides.get(loop.name, 0)
        low, high = low + min(span, 0), high + max(span, 0)
    return Int.fit(min(low, -1), high)


class LoopNest:
    """Counters of a loop nest, outermost first, stepping under ``advance``.

    Parameters
    ----------
    m
        The module that it becomes part of.
    loops
        The levels; those with a single turn cost nothing.
    advance
        1 in the cycles in which the innermost loop makes a step.

    Attributes
    ----------
    loops
        The levels.
    ends
        By level: 1 when the level and all within it are in their last turn.
    """

    def __init__(self, m: Module, loops: list[Loop], advance) -> None:
        self._m = m
        self.loops = loops
        self._advance = advance
        self.ends: dict[str, Signal] = {}
        self._moves: dict[str, Signal] = {}  # the level steps next: all within it are at their end
        inner = Const(1, 1)
        for loop in reversed(loops):
            end = Signal(name=f"{loop.name}_end")
            if loop.turns == 1:
                m.d.comb += end.eq(inner)
            else:
                counter = Signal(range(loop.turns), name=f"{loop.name}_turn")
                last = Signal(name=f"{loop.name}_last")
                moves = Signal(name=f"{loop.name}_moves")
                m.d.comb += [
                    last.eq(counter == loop.turns - 1),
                    end.eq(last & inner),
                    moves.eq(~last & inner),
                ]
                with m.If(advance & inner):
                    m.d.sync += counter.eq(wrapped(counter, loop.turns))
                self._moves[loop.name] = moves
            self.ends[loop.name] = inner = end

    @property
    def done(self):
        """1 when the whole nest is in its last step."""
        return self.ends[self.loops[0].name]

    def affine(
        self,
        name: str,
        strides: dict[str, int],
        *,
        start: int = 0,
        restart: int = 0,
        modulo: int | None = None,
    ) -> Signal:
        """A register that equals ``start + sum(turn[l] * strides[l])`` at every step.

        Parameters
        ----------
        strides
            By level; levels that are missing have stride 0.
        restart
            Added at every new run of the nest.
        modulo
            Keep the value in ``[0, modulo)``.
        """
        m = self._m
        back = 0  # what the levels within have added when they end
        deltas = []  # innermost first: (level, change when this level steps)
        for loop in reversed(self.loops):
            stride = strides.get(loop.name, 0)
            if loop.turns > 1:
                deltas.append((loop.name, stride - back))
            back += (loop.turns - 1) * stride
        if modulo is not None:
            value = Signal(range(modulo), name=name, init=start % modulo)
        else:
            if restart:
                raise ValueError("a value that drifts from run to run needs a modulo")
            width = affine_bounds(self.loops, strides, start).width
            value = Signal(signed(width), name=name, init=start)
        change = Signal.like(value, name=f"{name}_change", init=0)

        def reduced(delta: int) -> int:
            return delta % modulo if modulo is not None else delta

        # At most one level moves in a step, or the nest starts again.
        changes: dict[int, list] = {reduced(restart - back): [self.done]}
        for level, delta in deltas:
            changes.setdefault(reduced(delta), []).append(self._moves[level])
        most = max(changes, key=lambda delta: (len(changes[delta]), -abs(delta)))
        m.d.comb += change.eq(most)
        for delta, moves in changes.items():
            if delta != most:
                with m.If(Cat(moves).any()):
                    m.d.comb += change.eq(delta)
        total = value + change
        if modulo is not None and modulo & (modulo - 1):
            following = Signal.like(total, name=f"{name}_following")
            m.d.comb += following.eq(total)
            total = Mux(following >= modulo, following - modulo, following)
        with m.If(self._advance):
            m.d.sync += value.eq(total)
        return value
