"""Studies on the command line: what is measured in which order, and the tables that are printed."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidInput, MissingTool
from ..undisturbed import undisturbed
from .progress import Console
from .table import digits, print_table

if TYPE_CHECKING:
    from .study_files import Study

__all__ = ["Options", "run_stochastic"]

FAULTS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Options:
    """What a study of a stochastic network looks at.

    Attributes
    ----------
    lengths, components, codings, seeds
        The surface's axes.
    samples
        At most so many of the samples; None for all.
    area, faults
        Whether to synthesize, and to flip bits.
    device
        Of the areas.
    """

    lengths: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    components: tuple[int, ...] = (1, 2, 4)
    codings: tuple[str, ...] = ("sign_magnitude", "bipolar")
    seeds: int = 5
    samples: int | None = None
    area: bool = True
    faults: bool = True
    device: str = "xilinx"


def run_stochastic(source: str, out: Path | None, data: str | None, options: Options) -> None:
    """Study a stochastic classifier; prints tables and writes a folder.

    Parameters
    ----------
    source
        A checkpoint or a model of the zoo.
    data
        A model of the zoo whose held-out samples to take, or an .npz file with ``x`` (real samples) and
        ``labels``; None for those of ``source``.
    """
    _require_plots()
    with undisturbed():
        from ..frontend.checkpoint import load_network
        from ..loading import find_source
        from ..study.areas import fixed_point_size, stochastic_size
        from ..study.faults import error_with_faults
        from ..study.fixed_point import fixed_point, float_module
        from ..study.running import runner
        from ..study.stochastic import Variant, check_network, surface, vary
        from .study_files import Study, write_study

    path = find_source(source)
    network = load_network(path)
    entrance, _ = check_network(network)
    name = network.name
    out = out or Path("study") / name
    _check_folder(out)
    x, labels = _samples(source, data, network.lower().input_type.shape)
    if options.samples is not None:
        keep = np.linspace(0, len(x) - 1, min(options.samples, len(x))).round().astype(int)
        x, labels = x[keep], labels[keep]
    console = Console()
    reference = (max(options.components), entrance.length)
    lengths = tuple(sorted({*options.lengths, entrance.length}))
    count = digits(len(x))
    with runner() as (prepare, how):
        if how != "C":
            console.note(f"in the interpreter, which is slower: {how}")
        with console.step(
            f"errors of {name} on {count} samples, {options.seeds} seeds"
        ) as progress:
            points = surface(
                network,
                x,
                labels,
                codings=options.codings,
                components=options.components,
                lengths=lengths,
                seeds=options.seeds,
                prepare=prepare,
                progress=progress,
            )
    study = Study(
        name, _float_error(float_module(network), x, labels), len(x), reference, points, FAULTS
    )
    target = min(p.error for p in points if (p.components, p.length) == reference)
    with console.step("fixed-point networks of no larger error") as progress:
        study.fixed = fixed_point(network, x, labels, target, progress)
    if options.area:
        for coding in options.codings:
            for m in options.components:
                graph = vary(network, Variant(coding, m, entrance.length))
                with console.step(f"area of {coding}, {m} components") as progress:
                    study.sizes[coding, m] = stochastic_size(graph, options.device, progress)
        for what, cycles in (("as fast", entrance.length), ("a frame a clock", 1)):
            with console.step(f"area of the fixed-point network, {what}"):
                try:
                    study.fixed_sizes[what] = fixed_point_size(
                        study.fixed.graph, cycles, options.device
                    )
                except InvalidInput as error:  # too large for that
                    console.note(f"left out: {error}")
    if options.faults:
        for coding in options.codings:
            graph = vary(network, Variant(coding, *reference))
            with console.step(
                f"faults in {coding}, m = {reference[0]}, L = {reference[1]}"
            ) as progress:
                study.faults[coding] = error_with_faults(
                    graph, x, labels, FAULTS, progress=progress
                )
        with console.step("faults in the fixed-point network") as progress:
            study.faults["fixed point"] = error_with_faults(
                study.fixed.graph, x, labels, FAULTS, progress=progress
            )
    _print(study)
    for file in write_study(study, out):
        print(f"written: {file}")


def _float_error(module, x: np.ndarray, labels: np.ndarray) -> float:
    import torch

    with torch.no_grad():
        y = module(torch.as_tensor(x, dtype=torch.float32))
    return float((y.argmax(1).numpy() != labels).mean())


def _samples(
    source: str, data: str | None, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    from .. import zoo

    name = data or source
    if name in zoo.names():
        x, labels = zoo.test_data(name)
    elif data is None:
        raise InvalidInput(
            f"{source}: samples must be given for a checkpoint of your own; use --data FILE.npz with "
            f"x (real samples) and labels, or --data with a model of the zoo whose samples it takes"
        )
    else:
        x, labels = _npz(Path(data))
    x = np.asarray(x, dtype=np.float64)
    if x.shape[1:] != shape or labels.shape != x.shape[:1]:
        raise InvalidInput(
            f"{name}: must hold samples of shape {shape} and one label each, found x of shape "
            f"{x.shape} and labels of shape {labels.shape}"
        )
    return x, labels


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["x"], file["labels"].astype(np.int64)
    except FileNotFoundError:
        raise InvalidInput(f"--data {path}: no such file, nor a model of the zoo") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"--data {path}: must be an .npz file with arrays x and labels: {error}"
        ) from None


def _require_plots() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingTool(
            "a study needs matplotlib for its plots; install it with pip install 'hwgen[study]'"
        ) from None


# -- tables --------------------------------------------------------------------------------------


def _print(study: Study) -> None:
    from .study_files import percent, points_of

    titles = ["coding", "m", "L", "error", "95 %", "decided early", "mean steps"]
    titles += ["LUT", "FF"] if study.sizes else []
    rows = [
        [
            r["coding"],
            r["components"],
            r["length"],
            percent(r["error"]),
            f"{100 * r['low']:.2f} to {100 * r['high']:.2f}",
            percent(r["early_error"]),
            f"{r['steps']:.0f}",
            *([r["lut"], r["ff"]] if study.sizes else []),
        ]
        for r in points_of(study)
    ]
    print_table(
        f"{study.name} on {digits(study.samples)} samples; in floating point "
        f"{percent(study.float_error)} errors",
        titles,
        rows,
    )
    if study.sizes:
        for method in dict.fromkeys(size.method for size in study.sizes.values()):
            print(f"area: {method}; a clock a step")
    title = (
        f"fixed point with the same weights, {study.fixed.bits} bits: "
        f"{percent(study.fixed.error)} errors"
    )
    if study.fixed_sizes:
        print_table(
            title,
            ("hardware", "cycles a frame", "LUT", "FF", "carry bits", "BRAM", "DSP"),
            [
                [what, s.interval, s.area.lut, s.area.ff, s.area.carry, s.area.bram, s.area.dsp]
                for what, s in study.fixed_sizes.items()
            ],
        )
    else:
        print(title)
    if study.faults:
        m, length = study.reference
        print_table(
            f"errors when every bit flips with a probability; m = {m}, L = {length}",
            ("network", *(f"{100 * share:g} %" for share in study.shares)),
            [[what, *map(percent, errors)] for what, errors in study.faults.items()],
        )


def _check_folder(out: Path) -> None:
    """Refuse a place that cannot hold the study, before anything is measured; leave no folder there."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InvalidInput(
            f"{out}: cannot be written: {error.strerror}; choose another -o"
        ) from None
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
