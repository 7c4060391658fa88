"""The words and options of ``hwgen solve`` as a problem, values and an engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..errors import InvalidInput
from ..frontend.problems import find_problem
from ..invertible.engine import Accumulator, Engine, Gibbs, geometric
from ..invertible.problems import Problem, factoring
from ..invertible.solving import PUBLISHED, default_engine

__all__ = ["chosen_engine", "chosen_problem", "chosen_values"]

RAMP = 64  # segments
LADDER = (0.3, 1.2)  # of circuits, if replicas are to change places


def chosen_problem(
    words: Sequence[str], bits: str | None, top: str | None, max_degree: int | None
) -> Problem:
    if words[0] != "factor":
        if len(words) > 1:
            raise InvalidInput(f"one problem at a time, found {' '.join(words)!r}")
        if bits:
            raise InvalidInput("--bits goes with 'factor NUMBER'")
        return find_problem(words[0], top, max_degree)
    if len(words) != 2 or not words[1].isdecimal():
        raise InvalidInput("factor takes one number, as in: hwgen solve factor 143")
    sizes = None
    if bits:
        match = re.fullmatch(r"(\d{1,3})(?:x(\d{1,3}))?", bits)
        if not match or not all(1 <= int(w or 1) <= 32 for w in match.groups()):
            raise InvalidInput(f"--bits must be like 5 or 5x4, of 1..32 each, not {bits!r}")
        sizes = (int(match[1]), int(match[2] or match[1]))
    return factoring(int(words[1]), sizes, max_degree)


def chosen_values(given: Sequence[str], problem: Problem) -> dict[str, int]:
    values = {}
    for text in given:
        word, _, number = text.partition("=")
        try:
            values[word] = int(number, 0)
        except ValueError:
            raise InvalidInput(
                f"--set must be WORD=NUMBER, such as y=15 or y=0xf, not {text!r}"
            ) from None
    if problem.ising is not None and values:
        raise InvalidInput("--set goes with circuits: a graph has no words")
    return values


def chosen_engine(
    problem: Problem,
    *,
    engine: str | None,
    noise: str | None,
    limit: str | None,
    scale: int | None,
    strength: str | None,
    replicas: int | None,
    swap_every: int | None,
    plain: bool,
    samples: bool,
) -> Engine:
    base = PUBLISHED if plain else default_engine(problem, samples)
    name = engine or base.name
    given = {
        "accumulator": {"--noise": noise, "--limit": limit, "--scale": scale},
        "gibbs": {"--strength": strength},
    }
    for other, options in given.items():
        for option, value in options.items():
            if other != name and value is not None:
                raise InvalidInput(f"{option} goes with --engine {other}")
    if name == "accumulator":
        own = base if isinstance(base, Accumulator) else PUBLISHED
        changed = {
            "noise": _numbers(noise, "--noise") if noise else own.noise,
            "limit": _numbers(limit, "--limit") if limit else own.limit,
            "scale": scale or own.scale,
            "replicas": replicas or 1,
            "swap_every": swap_every or 0,
        }
        is_ladder = bool(swap_every) and len(changed["noise"]) == replicas
        return replace(own, **changed, ladder=changed["noise"] if is_ladder else ())
    own = base if isinstance(base, Gibbs) else Gibbs()
    return _gibbs(own, _reals(strength) if strength else (), replicas, swap_every)


def _gibbs(
    own: Gibbs, ends: tuple[float, ...], replicas: int | None, swap_every: int | None
) -> Gibbs:
    """A constant, a ramp, or a ladder of replicas that change places."""
    if not ends and not own.ladder:
        ends = LADDER if swap_every else own.strength
    elif not ends:
        replicas = replicas or own.replicas
        swap_every = own.swap_every if swap_every is None and replicas > 1 else swap_every
        low, high = own.ladder[0], own.ladder[-1]
        ends = (low, high) if swap_every else (0.2 * low, 1.5 * high)
    replicas = replicas or 1
    if len(ends) == 1:
        return Gibbs(strength=ends, replicas=replicas, swap_every=swap_every or 0)
    if swap_every:
        ladder = geometric(*ends, replicas)
        return Gibbs(replicas=replicas, ladder=ladder, swap_every=swap_every)
    return Gibbs(strength=geometric(*ends, RAMP), replicas=replicas)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise InvalidInput(f"{option} must be whole numbers with commas between them, not {text!r}")
    return tuple(map(int, words))


def _reals(text: str) -> tuple[float, ...]:
    try:
        ends = tuple(float(word) for word in text.split(":"))
    except ValueError:
        ends = ()
    if len(ends) not in (1, 2) or not all(0 < end < 100 for end in ends):
        raise InvalidInput(f"--strength must be like 0.4 or 0.1:3, of 0..100, not {text!r}")
    return ends
