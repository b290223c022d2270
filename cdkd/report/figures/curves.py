"""Learning curves: how each term of the loss, and the validation, went from epoch to epoch in every row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from cdkd.distill.losses.table import LOSSES
from cdkd.metric_names import (
    TRAIN,
    TRAIN_CROSS_ENTROPY,
    TRAIN_LOSS,
    VALIDATION_CROSS_ENTROPY,
    VALIDATION_TOP1,
)
from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import Evidence, rows_figure
from cdkd.report.figures.row_looks import MAX_ROWS, Look, left_out, row_looks, row_names
from cdkd.report.figures.style import Drawing, legend_below, tidy
from cdkd.tracking.curves import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ALWAYS = {
    TRAIN_LOSS: "training loss (weighted sum)",
    TRAIN_CROSS_ENTROPY: "cross-entropy, training",
    VALIDATION_CROSS_ENTROPY: "cross-entropy, validation",
}
_LAST = {VALIDATION_TOP1: "top-1, validation (%)"}
_COLUMNS = 3
_MANY_TIMES = 30.0
"""A term that falls by more than this is drawn over a logarithmic axis."""


@dataclass(frozen=True)
class _Line:
    """One row's curve of one metric over its seeds."""

    epochs: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
    num_seeds: int


_Panels = Mapping[str, Mapping[int, _Line]]
"""Metric -> place of a row -> its curve."""


def _drawing(stem: str, report: Report, rows: Sequence[TableRow], evidence: Evidence) -> Drawing | None:
    if evidence.curves is None:
        return None
    shown = rows[:MAX_ROWS]
    titles = _titles(shown)
    panels = _read(shown, titles, evidence)
    if not panels:
        return None
    num_rows = math.ceil(len(panels) / _COLUMNS)
    return Drawing(
        name=stem,
        title=f"Learning curves on {report.dataset}",
        caption=(
            "Each term of the loss over epochs, without its weight, and the validation part through one view, with the "
            "cross-entropy of the training beside the validation's on one scale. Lines are means over seeds, bands "
            "reach from the lowest seed to the highest. Grey: rows that learn from no teacher." + left_out(rows)
        ),
        alt=_finding(shown, panels),
        height=1.2 + 2.1 * num_rows + 0.22 * math.ceil(len(shown) / 3),
        draw=lambda figure: _draw(figure, shown, panels, titles),
    )


def _titles(rows: Sequence[TableRow]) -> dict[str, str]:
    """Metrics in the order of their panels."""
    used = [name for name in LOSSES if any(name in row.weights for row in rows)]
    return {**_ALWAYS, **{TRAIN + name: LOSSES[name].title for name in used}, **_LAST}


def _read(rows: Sequence[TableRow], titles: Mapping[str, str], evidence: Evidence) -> _Panels:
    assert evidence.curves is not None
    # Only what a run has ever logged is asked for.
    wanted = {run.run_id: [name for name in titles if name in run.metrics] for row in rows for run in row.finished}
    curves = evidence.curves(wanted)
    panels: dict[str, dict[int, _Line]] = {}
    for name in titles:
        for place, row in enumerate(rows):
            own = [curves[run.run_id][name] for run in row.finished if name in curves.get(run.run_id, {})]
            if line := _over_seeds(own):
                panels.setdefault(name, {})[place] = line
    return panels


def _over_seeds(curves: Sequence[Curve]) -> _Line | None:
    """At the epochs that all seeds have, where a mean is one of the same runs all along."""
    finite = [{epoch for epoch, value in curve.items() if math.isfinite(value)} for curve in curves]
    common = sorted(set.intersection(*finite)) if finite else []
    if not common:
        return None
    values = [[curve[epoch] for curve in curves] for epoch in common]
    return _Line(common, [fmean(v) for v in values], [min(v) for v in values], [max(v) for v in values], len(curves))


def _finding(rows: Sequence[TableRow], panels: _Panels) -> str:
    """Where training and validation end, and whose validation grows worse before the end."""
    training, validation = panels.get(TRAIN_CROSS_ENTROPY, {}), panels.get(VALIDATION_CROSS_ENTROPY, {})
    sentences = []
    for place, name in enumerate(row_names(rows)):
        if place in training and place in validation:
            line = validation[place]
            best = min(range(len(line.mean)), key=line.mean.__getitem__)
            text = f"{name} {training[place].mean[-1]:.2f} in training and {line.mean[-1]:.2f} in validation"
            if best < len(line.mean) - 1:
                text += f", where it was lowest in epoch {line.epochs[best]} at {line.mean[best]:.2f}"
            sentences.append(text)
    if not sentences:
        shown = next(iter(panels.values()))
        ends = [f"{name} {shown[place].mean[-1]:.2f}" for place, name in enumerate(row_names(rows)) if place in shown]
        return f"The training loss ends at: {'; '.join(ends)}."
    return f"Cross-entropy at the last epoch: {'; '.join(sentences)}."


def _draw(figure: "Figure", rows: Sequence[TableRow], panels: _Panels, titles: Mapping[str, str]) -> None:
    num_rows = math.ceil(len(panels) / _COLUMNS)
    grid = figure.subplots(num_rows, min(_COLUMNS, len(panels)), squeeze=False)
    looks, names = row_looks(rows), row_names(rows)
    shown: dict[str, Axes] = dict(zip(panels, grid.flat, strict=False))
    for name, axes in shown.items():
        _draw_panel(axes, panels[name], looks, names)
        axes.set_title(titles[name], fontsize=9)
    if TRAIN_CROSS_ENTROPY in shown and VALIDATION_CROSS_ENTROPY in shown:
        _same_scale(shown[TRAIN_CROSS_ENTROPY], shown[VALIDATION_CROSS_ENTROPY])
    for spare in list(grid.flat)[len(panels) :]:
        spare.set_axis_off()
    for axes in list(shown.values())[-min(_COLUMNS, len(panels)) :]:
        axes.set_xlabel("epoch")
    legend_below(figure, shown.values(), columns=3)


def _draw_panel(axes: "Axes", lines: Mapping[int, _Line], looks: Sequence[Look], names: Sequence[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    for place, line in lines.items():
        look = looks[place]
        # A single epoch is a point, which a line would not show.
        marker = look.marker if len(line.epochs) == 1 else ""
        axes.plot(
            line.epochs, line.mean, look.line, marker=marker, color=look.colour, linewidth=1.3, label=names[place]
        )
        if line.num_seeds > 1:
            axes.fill_between(line.epochs, line.low, line.high, color=look.colour, alpha=0.18, linewidth=0)
    low = min(min(line.low) for line in lines.values())
    high = max(max(line.high) for line in lines.values())
    if low > 0 and high / low > _MANY_TIMES:
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    tidy(axes)


def _same_scale(one: "Axes", other: "Axes") -> None:
    low = min(one.get_ylim()[0], other.get_ylim()[0])
    high = max(one.get_ylim()[1], other.get_ylim()[1])
    for axes in (one, other):
        axes.set_yscale("log" if "log" in (one.get_yscale(), other.get_yscale()) else "linear")
        axes.set_ylim(low, high)


CURVES = rows_figure("curves", "learning curves by term of the loss, with validation", _drawing)
