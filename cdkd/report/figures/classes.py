"""Accuracy of each class in the most accurate rows, beside the row that they are compared with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import Evidence, rows_figure
from cdkd.report.figures.predictions import (
    Floats,
    RowPredictions,
    read_predictions,
    readable,
    reference_row,
    rows_by_accuracy,
)
from cdkd.report.figures.row_looks import Look, row_looks, row_names
from cdkd.report.figures.style import PAPER, Drawing, legend_below, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUM_ROWS = 3
"""Beside the reference; more whiskers than these cover one another."""
_NUM_CLASSES = 24


def _drawing(stem: str, report: Report, rows: Sequence[TableRow], evidence: Evidence) -> Drawing | None:
    reference = reference_row(rows)
    best = [row for row in rows_by_accuracy(rows) if row is not reference][:_NUM_ROWS]
    # In the table's order, so that a row looks alike in every figure.
    chosen = [row for row in rows if row is reference or row in best]
    found = read_predictions(chosen, evidence)
    if not found:
        return None
    place = chosen.index(reference)
    shown = _classes(found, place)
    some = ""
    if len(shown) < len(found[0].classes):
        some = f" Of {len(found[0].classes)} classes the {len(shown)} in which the most accurate row differs most."
    looks = row_looks(rows)
    return Drawing(
        name=stem,
        title=f"Accuracy by class on {report.dataset}",
        caption=(
            "Share of each class's test videos that is recognised, in the most accurate rows and in the one that they "
            "are compared with. Marks are means over seeds, whiskers reach from the lowest seed to the highest; "
            f"classes are sorted by the most accurate row's gain.{some}"
        ),
        alt=_finding(found, place),
        height=1.3 + (0.13 + 0.085 * len(found)) * len(shown),
        draw=lambda figure: _draw(figure, report, found, shown, [looks[rows.index(row)] for row in chosen]),
    )


def _gains(found: Sequence[RowPredictions], reference: int) -> tuple[int, Floats]:
    """The place of the most accurate row but the reference, and its gain over the reference by class, in points."""
    others = [place for place in range(len(found)) if place != reference] or [reference]
    best = max(others, key=lambda place: float(found[place].by_class.mean()))
    return best, np.asarray(found[best].by_class.mean(axis=0) - found[reference].by_class.mean(axis=0))


def _classes(found: Sequence[RowPredictions], reference: int) -> list[int]:
    """Those drawn, from the greatest loss to the greatest gain."""
    _, gains = _gains(found, reference)
    tested = np.flatnonzero(found[0].num_videos)
    largest = tested[np.argsort(-np.abs(gains[tested]), kind="stable")][:_NUM_CLASSES]
    return [int(k) for k in largest[np.argsort(gains[largest], kind="stable")]]


def _finding(found: Sequence[RowPredictions], reference: int) -> str:
    best, gains = _gains(found, reference)
    names = row_names([each.row for each in found])
    classes = [readable(name) for name in found[0].classes]
    hardest = int(found[best].by_class.mean(axis=0).argmin())
    text = f"Row {names[best]} recognises {classes[hardest]} worst, {found[best].by_class.mean(axis=0)[hardest]:.0f} %."
    if best == reference:
        return text
    up, down = int(gains.argmax()), int(gains.argmin())
    num_up, num_down = int((gains > 0).sum()), int((gains < 0).sum())
    return (
        f"Over row {names[reference]}, row {names[best]} gains in {num_up} of {len(gains)} classes and loses in "
        f"{num_down}: most in {classes[up]} ({gains[up]:+.0f} points), least in {classes[down]} "
        f"({gains[down]:+.0f}). {text}"
    )


def _draw(
    figure: "Figure", report: Report, found: Sequence[RowPredictions], shown: Sequence[int], looks: Sequence[Look]
) -> None:
    axes = figure.subplots()
    names = row_names([each.row for each in found])
    step = 0.62 / len(found)
    for place, (each, look, name) in enumerate(zip(found, looks, names, strict=True)):
        values = each.by_class[:, shown]
        mean = values.mean(axis=0)
        heights = np.arange(len(shown)) + (len(found) / 2 - 0.5 - place) * step
        reach = np.stack([mean - values.min(axis=0), values.max(axis=0) - mean])
        axes.errorbar(
            mean,
            heights,
            xerr=reach if len(values) > 1 else None,
            fmt=look.marker,
            color=look.colour,
            markerfacecolor=look.colour if look.line == "-" else PAPER,
            markersize=5,
            linewidth=1,
            label=name,
        )
    axes.set_yticks(range(len(shown)), [readable(found[0].classes[k]) for k in shown])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlim(-2, 102)
    axes.set_xlabel(f"recognised on {report.dataset} (% of the class's test videos)")
    tidy(axes, "both")
    legend_below(figure, [axes], columns=3)


CLASSES = rows_figure("classes", "accuracy by class in the most accurate rows", _drawing)
