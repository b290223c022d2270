"""What is taken for what: confusion of the most accurate row, beside that of the row that it is compared with."""

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
from cdkd.report.figures.row_looks import row_names
from cdkd.report.figures.style import INK, PAPER, Drawing, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

_NUM_CLASSES = 20
_NUM_WITH_NUMBERS = 12
"""Up to so many classes each share fits into its cell as a number."""
_NUM_NAMED = 3
"""Confusions that the words name."""


def _drawing(stem: str, report: Report, rows: Sequence[TableRow], evidence: Evidence) -> Drawing | None:
    best, reference = rows_by_accuracy(rows)[0], reference_row(rows)
    found = read_predictions([best] if best is reference else [reference, best], evidence)
    if not found:
        return None
    shown = _classes(found[-1])
    some = f" The {len(shown)} of {len(found[0].classes)} classes that it confuses most." * (
        len(shown) < len(found[0].classes)
    )
    names = row_names(rows)
    titles = [names[rows.index(each.row)] for each in found]
    return Drawing(
        name=stem,
        title=f"Confusions on {report.dataset}",
        caption=(
            "Rows: the true class of a test video; columns: what the network takes it for, in percent of the class's "
            "videos, averaged over seeds; no interval is drawn. Right: the most accurate row; left: the row that it is "
            f"compared with.{some}"
            if len(found) > 1
            else "Rows: the true class of a test video; columns: what the network takes it for, in percent of the "
            f"class's videos, averaged over seeds; no interval is drawn.{some}"
        ),
        alt=_finding(found[-1], titles[-1]),
        height=4.9,
        draw=lambda figure: _draw(figure, found, titles, shown),
    )


def _mean(each: RowPredictions) -> Floats:
    """(K, K)."""
    return np.asarray(each.shares.mean(axis=0))


def _classes(each: RowPredictions) -> list[int]:
    """Those with the largest shares off the diagonal, in the data set's order."""
    mean = _mean(each)
    np.fill_diagonal(mean, 0.0)
    worst = np.argsort(-np.maximum(mean.max(axis=0), mean.max(axis=1)), kind="stable")[:_NUM_CLASSES]
    return sorted(int(k) for k in worst)


def _finding(each: RowPredictions, name: str) -> str:
    mean = _mean(each)
    np.fill_diagonal(mean, 0.0)
    order = np.argsort(-mean, axis=None, kind="stable")[:_NUM_NAMED]
    pairs = [np.unravel_index(index, mean.shape) for index in order]
    told = [
        f"{readable(each.classes[i])} for {readable(each.classes[j])} ({mean[i, j]:.0f} % of its videos)"
        for i, j in pairs
        if mean[i, j] > 0
    ]
    return f"Row {name} most often takes {', '.join(told)}." if told else f"Row {name} confuses nothing."


def _draw(figure: "Figure", found: Sequence[RowPredictions], titles: Sequence[str], shown: Sequence[int]) -> None:
    # Square panels leave room beside them, which this layout gives back.
    figure.set_layout_engine("compressed")
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    meshes = []
    for axes, each, title in zip(panels, found, titles, strict=True):
        meshes.append(_draw_one(axes, _mean(each)[np.ix_(shown, shown)]))
        axes.set_title(title)
        labels = [readable(each.classes[k]) for k in shown]
        axes.set_xticks(range(len(shown)), labels, rotation=90, fontsize=7.5)
        axes.set_yticks(range(len(shown)), labels, fontsize=7.5)
        axes.set_xlabel("taken for")
    figure.supylabel("true class", fontsize=9.5)
    bar = figure.colorbar(meshes[0], ax=list(panels), shrink=0.7, pad=0.01)
    bar.set_label("% of the class's videos")
    bar.outline.set_visible(False)


def _draw_one(axes: "Axes", shares: Floats) -> "QuadMesh":
    # Cells as vectors, which stay sharp in a PDF.
    edges = np.arange(len(shares) + 1) - 0.5
    mesh = axes.pcolormesh(edges, edges, shares, cmap=shades(), vmin=0, vmax=100, edgecolors=PAPER, linewidth=0.5)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if len(shares) <= _NUM_WITH_NUMBERS:
        for (i, j), share in np.ndenumerate(shares):
            if share >= 0.5:
                colour = PAPER if share > 55 else INK
                axes.text(j, i, f"{share:.0f}", ha="center", va="center", fontsize=6.5, color=colour)
    return mesh


CONFUSION = rows_figure("confusion", "which classes are taken for which", _drawing)
