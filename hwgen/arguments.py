"""What commands make of their arguments, and what they say of a build before they use it."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from .errors import InvalidInput, Unsupported

__all__ = [
    "chosen_samples",
    "damage_in_words",
    "load_array",
    "no_rerun",
    "parse_choices",
    "parse_numbers",
    "parse_words",
    "warn_of_damage",
]


def parse_choices(texts: tuple[str, ...]) -> dict[str, str]:
    """``LAYER=FORM`` texts as forms by layer."""
    choices = {}
    for text in texts:
        layer, equals, form = text.partition("=")
        if not equals:
            raise InvalidInput(f"--schedule must be LAYER=FORM, not {text!r}")
        choices[layer] = form
    return choices


def parse_numbers(text: str, option: str, legal: Collection[int]) -> tuple[int, ...]:
    """Whole numbers with commas between them, ascending."""
    words = [word.strip() for word in text.split(",")]
    numbers = [int(word) for word in words if word.isdecimal()]
    wrong = [w for w in words if not w.isdecimal()] + [n for n in numbers if n not in legal]
    if wrong:
        shown = f"{legal[0]}..{legal[-1]}" if isinstance(legal, range) else _listed(legal)
        raise InvalidInput(
            f"{option} must be numbers with commas between them, of {shown}, not {wrong[0]!r}"
        )
    return tuple(sorted(set(numbers)))


def parse_words(text: str, option: str, legal: Collection[str]) -> tuple[str, ...]:
    """Words with commas between them, each one of ``legal``."""
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for word in words:
        if word not in legal:
            raise InvalidInput(f"{option} must be of {_listed(legal)}, not {word!r}")
    return words


def _listed(legal) -> str:
    return ", ".join(map(str, legal))


def load_array(path: Path, option: str):
    """The array of an .npy file that an option names."""
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InvalidInput(f"{option} {path}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise InvalidInput(f"{option} {path}: must be an .npy file of numbers: {error}") from None


def chosen_samples(build, count: int | None):
    """Golden vectors of a build, or as many samples as asked for, with expected outputs."""
    from .verification import golden_inputs

    x, expected = build.vectors
    if count is None:
        return x, expected
    if count < 1:
        raise InvalidInput(f"--samples must be 1 or more, not {count}")
    if count <= len(x):
        return x[:count], expected[:count]
    x = golden_inputs(build.graph, count)
    return x, build.graph.run(x)


def no_rerun(part, x):
    """Of a finished build no part is compiled again to find the layer that differs."""
    raise Unsupported("compile the model again to see in which layer")


def warn_of_damage(build) -> None:
    """Warn of every file that is not as it was built."""
    for text in damage_in_words(build):
        print(f"warning: {text}", file=sys.stderr)


def damage_in_words(build) -> list[str]:
    """What is not as it was built."""
    paths = [build.folder / name for name in build.damage()]
    return [
        f"{path} {'has changed' if path.exists() else 'is missing'} since it was built"
        for path in paths
    ]
