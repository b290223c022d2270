"""Temporal graphs of teacher and student side by side, and how much of the class each tells."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import Evidence, rows_figure
from cdkd.report.figures.inspections import inspections_of
from cdkd.report.figures.predictions import Floats, rows_by_accuracy
from cdkd.report.figures.row_looks import row_names
from cdkd.report.figures.style import INK, PAPER, Drawing, shades
from cdkd.tracking.inspection import Inspection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

_PROBE = "graph/nearest_neighbour"
_MANY = 12
"""Above so many time steps not each is numbered."""


def _drawing(stem: str, report: Report, rows: Sequence[TableRow], evidence: Evidence) -> Drawing | None:
    # The row that learns from graphs shows what it has learnt of them; else whichever has graphs of both networks.
    ordered = rows_by_accuracy(rows)
    ordered.sort(key=lambda row: "temporal" not in row.weights)
    for row in ordered:
        found = [one for one in inspections_of(row, evidence) if len(one.teacher_edges) and len(one.student_edges)]
        if found:
            break
    else:
        return None
    name = row_names(rows)[list(rows).index(row)]
    probe = [run.metrics[_PROBE] for run in row.finished if _PROBE in run.metrics]
    chance = _chance(found[0])
    told = (
        f"Below each matrix: how often the nearest of the other clips' edges belongs to a clip of the same class; "
        f"guessing would give {chance:.0f} %. "
    )
    return Drawing(
        name=stem,
        title=f"Temporal graphs of row {name} and its teacher on {report.dataset}",
        caption=(
            f"Edges A(i, j) between time steps (Eq. 3) under each mapping of Eq. 5, mean over {len(found[0].labels)} "
            f"test clips and {len(found)} seed{'s' * (len(found) > 1)}, in units of the teacher's largest edge; above "
            f"the teacher, below row {name}. {told}No interval is drawn."
        ),
        alt=_finding(found, name, probe),
        height=4.9,
        draw=lambda figure: _draw(figure, found, name),
    )


def _chance(one: Inspection) -> float:
    """Percent that a random other clip is of the same class."""
    _, counts = np.unique(one.labels, return_counts=True)
    num = int(counts.sum())
    return float(100.0 * (counts * (counts - 1)).sum() / max(num * (num - 1), 1))


def _means(found: Sequence[Inspection]) -> Mapping[str, tuple[Floats, Floats]]:
    """Network -> edges (M, T, T) and what they tell (M,), over seeds."""

    def mean(field: str) -> Floats:
        return np.asarray(np.mean([getattr(one, field) for one in found], axis=0), dtype=np.float64)

    return {who: (mean(f"{who}_edges"), mean(f"{who}_tells")) for who in ("teacher", "student")}


def _finding(found: Sequence[Inspection], name: str, probe: Sequence[float]) -> str:
    known = _means(found)
    (theirs, teacher_tells), (ours, student_tells) = known["teacher"], known["student"]
    graphs = [str(graph) for graph in found[0].graphs]
    best = int(teacher_tells.argmax())
    away = [
        float(np.abs(own - other).mean() / max(other.mean(), 1e-12)) for own, other in zip(ours, theirs, strict=True)
    ]
    nearest = int(np.argmin(away))
    text = (
        f"The teacher's graphs tell the class best under the mapping {graphs[best]}: {teacher_tells[best]:.0f} % of "
        f"the clips by their nearest neighbour, {student_tells[best]:.0f} % of row {name}'s, {_chance(found[0]):.0f} % "
        f"by guessing. The student's mean edges come nearest to the teacher's under {graphs[nearest]}, "
        f"{100 * away[nearest]:.0f} % away."
    )
    if probe:
        text += (
            f" Among training clips the teacher's plain edges find {fmean(probe):.0f} % of the validation's classes."
        )
    return text


def _draw(figure: "Figure", found: Sequence[Inspection], name: str) -> None:
    graphs = [str(graph) for graph in found[0].graphs]
    panels = figure.subplots(2, len(graphs), squeeze=False, sharex=True, sharey=True)
    for axes_row, (who, (edges, tells)) in zip(panels, _means(found).items(), strict=True):
        for axes, matrix, tell in zip(axes_row, edges, tells, strict=True):
            mesh = _draw_one(axes, matrix)
            axes.set_xlabel(f"tells {tell:.0f} %", color=INK)
        axes_row[0].set_ylabel("teacher" if who == "teacher" else name)
    for axes, graph in zip(panels[0], graphs, strict=True):
        axes.set_title(graph)
    bar = figure.colorbar(mesh, ax=list(panels.flat), shrink=0.7, pad=0.01)
    bar.set_label("edge / the teacher's largest")
    bar.outline.set_visible(False)


def _draw_one(axes: "Axes", matrix: Floats) -> "QuadMesh":
    num = len(matrix)
    mesh = axes.pcolormesh(
        np.arange(num + 1) + 0.5,
        np.arange(num + 1) + 0.5,
        matrix,
        cmap=shades(),
        vmin=0,
        vmax=1,
        edgecolors=PAPER,
        linewidth=0.5,
    )
    axes.set_ylim(num + 0.5, 0.5)
    axes.set_aspect("equal")
    ticks = range(1, num + 1, 1 if num <= _MANY else num // 6)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(length=0, labelsize=7.5, labelbottom=True)
    axes.spines[:].set_visible(False)
    return mesh


GRAPHS = rows_figure("graphs", "temporal graphs of teacher and student, and what they tell of the class", _drawing)
