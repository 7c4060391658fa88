"""Studies on the command line: measured, as tables, CSV, plots and one page that holds them all."""

from __future__ import annotations

import base64
import contextlib
import csv
import html
import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidInput, MissingTool
from ..undisturbed import undisturbed
from .progress import Console
from .table import digits, print_table

if TYPE_CHECKING:
    from ..study.areas import Size
    from ..study.fixed_point import FixedPoint
    from ..study.stochastic import Point

__all__ = ["Options", "run_stochastic"]

CODINGS = ("sign_magnitude", "bipolar")
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
    codings: tuple[str, ...] = CODINGS
    seeds: int = 5
    samples: int | None = None
    area: bool = True
    faults: bool = True
    device: str = "xilinx"


@dataclass
class _Study:
    """What was found so far."""

    name: str
    float_error: float
    samples: int
    reference: tuple[int, int]
    points: list[Point]
    sizes: dict[tuple[str, int], Size] = field(default_factory=dict)
    fixed: FixedPoint | None = None
    fixed_sizes: dict[str, Size] = field(default_factory=dict)
    faults: dict[str, list[float]] = field(default_factory=dict)


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
    study = _Study(name, _float_error(float_module(network), x, labels), len(x), reference, points)
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
    for file in _write(study, out):
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


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _rows(study: _Study) -> list[dict[str, object]]:
    """A row a point of the surface, with what it takes of a device."""
    rows = []
    for p in study.points:
        size = study.sizes.get((p.coding, p.components))
        row = asdict(p)
        row["lut"] = size.area.lut if size else ""
        row["ff"] = size.area.ff if size else ""
        rows.append(row)
    return rows


def _print(study: _Study) -> None:
    titles = ["coding", "m", "L", "error", "95 %", "decided early", "mean steps"]
    titles += ["LUT", "FF"] if study.sizes else []
    rows = [
        [
            r["coding"],
            r["components"],
            r["length"],
            _percent(r["error"]),
            f"{100 * r['low']:.2f} to {100 * r['high']:.2f}",
            _percent(r["early_error"]),
            f"{r['steps']:.0f}",
            *([r["lut"], r["ff"]] if study.sizes else []),
        ]
        for r in _rows(study)
    ]
    print_table(
        f"{study.name} on {digits(study.samples)} samples; in floating point "
        f"{_percent(study.float_error)} errors",
        titles,
        rows,
    )
    if study.sizes:
        for method in dict.fromkeys(size.method for size in study.sizes.values()):
            print(f"area: {method}; a clock a step")
    title = (
        f"fixed point with the same weights, {study.fixed.bits} bits: "
        f"{_percent(study.fixed.error)} errors"
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
            ("network", *(f"{100 * share:g} %" for share in FAULTS)),
            [[what, *map(_percent, errors)] for what, errors in study.faults.items()],
        )


# -- files ---------------------------------------------------------------------------------------


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


def _write(study: _Study, out: Path) -> list[Path]:
    files: dict[str, bytes] = {"surface.csv": _csv(_rows(study))}
    plots = {"surface.png": _plot_surface(study)}
    if study.sizes:
        files["area.csv"] = _csv(_areas(study))
    if study.faults:
        files["faults.csv"] = _csv(
            [
                {"network": what, "flips": share, "error": error}
                for what, errors in study.faults.items()
                for share, error in zip(FAULTS, errors, strict=True)
            ]
        )
        plots["faults.png"] = _plot_faults(study)
    files |= plots
    files["report.html"] = _page(study, plots).encode()
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        _write_whole(out / name, content)
    return [out / name for name in files]


def _write_whole(path: Path, content: bytes) -> None:
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(partial).chmod(0o644)
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)


def _areas(study: _Study) -> list[dict[str, object]]:
    rows = []
    for (coding, m), size in study.sizes.items():
        rows.append({"network": coding, "components": m, **_size_row(size)})
    for what, size in study.fixed_sizes.items():
        rows.append({"network": f"fixed point, {what}", "components": "", **_size_row(size)})
    return rows


def _size_row(size: Size) -> dict[str, object]:
    return {
        **asdict(size.area),
        "interval": size.interval,
        "latency": size.latency or "",
        "method": size.method,
    }


def _csv(rows: Sequence[Mapping[str, object]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _figure(width: float, height: float, columns: int = 1):
    """A figure without a window or a global state, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns, sharey=True, squeeze=False)[0]


def _png(figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _plot_surface(study: _Study) -> bytes:
    codings = list(dict.fromkeys(p.coding for p in study.points))
    figure, axes = _figure(4.8 * len(codings), 4.2, len(codings))
    floor = 100 * study.float_error
    for axis, coding in zip(axes, codings, strict=True):
        mine = [p for p in study.points if p.coding == coding]
        for m in sorted({p.components for p in mine}):
            line = [p for p in mine if p.components == m]
            lengths = [p.length for p in line]
            size = study.sizes.get((coding, m))
            label = f"m = {m}" + (f", {size.area.lut / 1000:.1f} k LUT" if size else "")
            (drawn,) = axis.plot(lengths, [100 * p.error for p in line], "o-", label=label)
            axis.fill_between(
                lengths,
                [100 * p.low for p in line],
                [100 * p.high for p in line],
                color=drawn.get_color(),
                alpha=0.12,
                linewidth=0,
            )
            axis.plot(
                [p.steps for p in line],
                [100 * p.early_error for p in line],
                "x:",
                color=drawn.get_color(),
            )
        axis.axhline(floor, color="black", linewidth=0.8, linestyle="--", label="floating point")
        axis.plot([], [], "kx:", label="decided early, mean steps")
        axis.set(xscale="log", yscale="log", xlabel="clocks a frame (steps)", title=coding)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if value < 100 else "")
        axis.grid(alpha=0.3, which="both")
        axis.legend(fontsize=8)
    axes[0].set_ylabel("errors, %")
    figure.suptitle(f"{study.name}: error over latency, {digits(study.samples)} samples")
    return _png(figure)


def _plot_faults(study: _Study) -> bytes:
    figure, (axis,) = _figure(5.6, 4.0)
    for what, errors in study.faults.items():
        axis.plot([100 * share for share in FAULTS], [100 * e for e in errors], "o-", label=what)
    axis.set(xlabel="bits that flip, %", ylabel="errors, %", title=f"{study.name}: faults")
    axis.grid(alpha=0.3)
    axis.legend()
    return _png(figure)


def _page(study: _Study, plots: Mapping[str, bytes]) -> str:
    """One file with everything in it."""
    parts = [
        f"<h1>{html.escape(study.name)}: a stochastic network</h1>",
        f"<p>{digits(study.samples)} samples; {_percent(study.float_error)} errors in floating point; "
        f"{_percent(study.fixed.error)} in fixed point of {study.fixed.bits} bits. Shaded: 95 % "
        "confidence over the samples (Wilson). A step is a clock.</p>",
    ]
    for name, content in plots.items():
        code = base64.b64encode(content).decode()
        parts.append(f'<p><img alt="{name}" src="data:image/png;base64,{code}"></p>')
    parts += ["<h2>Error, latency, area</h2>", _html_table(_rows(study))]
    if study.sizes:
        parts += ["<h2>Area, and the fixed-point network's</h2>", _html_table(_areas(study))]
    if study.faults:
        rows = [
            {"network": what, **{f"{100 * s:g} %": e for s, e in zip(FAULTS, errors, strict=True)}}
            for what, errors in study.faults.items()
        ]
        parts += ["<h2>Errors when bits flip</h2>", _html_table(rows)]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(study.name)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


_STYLE = (
    "body{font:15px sans-serif;max-width:75em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.2em .7em;border-bottom:1px solid #ccc;"
    "text-align:right}td:first-child,th:first-child{text-align:left}img{max-width:100%}"
)


def _html_table(rows: Sequence[Mapping[str, object]]) -> str:
    def cell(value: object) -> str:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        return html.escape(text)

    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in rows[0])
    body = "\n".join(
        "<tr>" + "".join(f"<td>{cell(v)}</td>" for v in row.values()) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>\n{body}</table>"
