"""What a study found, and the files that it leaves: tables, plots, and one page that holds them all."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..files import write_whole
from ..study.areas import Size
from ..study.fixed_point import FixedPoint
from ..study.stochastic import Point
from .table import digits

__all__ = ["Study", "percent", "points_of", "write_study"]


@dataclass
class Study:
    """What a study of a stochastic network found so far.

    Attributes
    ----------
    float_error
        Of the same weights in floating point.
    samples
        How many errors were counted over.
    reference
        Components and steps of the point at which networks are compared.
    points
        The surface.
    shares
        Probabilities with which bits flip.
    sizes
        Hardware, by coding and components.
    fixed, fixed_sizes
        The fixed-point network, and its hardware by what it is made for.
    faults
        Errors at all ``shares``, by network.
    """

    name: str
    float_error: float
    samples: int
    reference: tuple[int, int]
    points: list[Point]
    shares: tuple[float, ...]
    sizes: dict[tuple[str, int], Size] = field(default_factory=dict)
    fixed: FixedPoint | None = None
    fixed_sizes: dict[str, Size] = field(default_factory=dict)
    faults: dict[str, list[float]] = field(default_factory=dict)


def percent(share: float) -> str:
    """A share as tables show it."""
    return f"{100 * share:.2f} %"


def points_of(study: Study) -> list[dict[str, object]]:
    """A row a point of the surface, with what it takes of a device."""
    rows = []
    for p in study.points:
        size = study.sizes.get((p.coding, p.components))
        row = asdict(p)
        row["lut"] = size.area.lut if size else ""
        row["ff"] = size.area.ff if size else ""
        rows.append(row)
    return rows


def write_study(study: Study, out: Path) -> list[Path]:
    """Write tables, plots and the page into a folder, made if need be; gives the files."""
    files: dict[str, bytes] = {"surface.csv": _csv(points_of(study))}
    plots = {"surface.png": _plot_surface(study)}
    if study.sizes:
        files["area.csv"] = _csv(_areas(study))
    if study.faults:
        files["faults.csv"] = _csv(
            [
                {"network": what, "flips": share, "error": error}
                for what, errors in study.faults.items()
                for share, error in zip(study.shares, errors, strict=True)
            ]
        )
        plots["faults.png"] = _plot_faults(study)
    files |= plots
    files["report.html"] = _page(study, plots).encode()
    for name, content in files.items():
        write_whole(out / name, content)
    return [out / name for name in files]


def _areas(study: Study) -> list[dict[str, object]]:
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


def _plot_surface(study: Study) -> bytes:
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


def _plot_faults(study: Study) -> bytes:
    figure, (axis,) = _figure(5.6, 4.0)
    for what, errors in study.faults.items():
        axis.plot(
            [100 * share for share in study.shares], [100 * e for e in errors], "o-", label=what
        )
    axis.set(xlabel="bits that flip, %", ylabel="errors, %", title=f"{study.name}: faults")
    axis.grid(alpha=0.3)
    axis.legend()
    return _png(figure)


def _page(study: Study, plots: Mapping[str, bytes]) -> str:
    """One file with everything in it."""
    parts = [
        f"<h1>{html.escape(study.name)}: a stochastic network</h1>",
        f"<p>{digits(study.samples)} samples; {percent(study.float_error)} errors in floating point; "
        f"{percent(study.fixed.error)} in fixed point of {study.fixed.bits} bits. Shaded: 95 % "
        "confidence over the samples (Wilson). A step is a clock.</p>",
    ]
    for name, content in plots.items():
        code = base64.b64encode(content).decode()
        parts.append(f'<p><img alt="{name}" src="data:image/png;base64,{code}"></p>')
    parts += ["<h2>Error, latency, area</h2>", _html_table(points_of(study))]
    if study.sizes:
        parts += ["<h2>Area, and the fixed-point network's</h2>", _html_table(_areas(study))]
    if study.faults:
        rows = [
            {
                "network": what,
                **{f"{100 * s:g} %": e for s, e in zip(study.shares, errors, strict=True)},
            }
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
