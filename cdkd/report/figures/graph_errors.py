"""How much of the teacher's temporal graphs each row's students know of new videos, and what those graphs tell."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from cdkd.report.aggregate import TableRow
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import Evidence, rows_figure
from cdkd.report.figures.row_looks import row_names
from cdkd.report.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, Drawing, legend_below, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STUDENT = "graph/error_student"
_GUESSES = {
    "graph/error_constant": ("one graph for all clips", GREY, "s"),
    "graph/error_class_mean": ("one graph for each class", ORANGE, "D"),
}
_PROBES = {
    "graph/nearest_neighbour": ("nearest neighbour", GREEN, "^"),
    "graph/logistic_regression": ("logistic regression", PURPLE, "v"),
}
_BETWEEN = "graph/between_classes"


def _drawing(stem: str, report: Report, rows: Sequence[TableRow], evidence: Evidence) -> Drawing | None:
    # What its teacher's graphs are, every row with a teacher knows; what its own are, those with a pseudo-decoder.
    known = [row for row in rows if _values(row, "graph/error_constant")]
    if not any(_values(row, _STUDENT) for row in known):
        return None
    names = [name for row, name in zip(rows, row_names(rows), strict=True) if row in known]
    return Drawing(
        name=stem,
        title=f"Temporal graphs on {report.dataset}: what students know of them, and what they tell",
        caption=(
            "Graphs of Eq. 3 on validation clips, of the vertices that the row has. Left: mean squared error of the "
            "student's graph against its teacher's, in units of the teacher's largest edge, beside what one graph for "
            "all clips and one for each class would err by; a student beyond the latter knows less of a clip's graph "
            "than its label says. Right: how often the teacher's edges tell a clip's class. Large marks are means over "
            "seeds, small dots the students' seeds."
        ),
        alt=_finding(known, names),
        height=1.5 + 0.3 * len(known),
        draw=lambda figure: _draw(figure, known, names),
    )


def _values(row: TableRow, metric: str) -> list[float]:
    return [run.metrics[metric] for run in row.finished if metric in run.metrics]


def _finding(rows: Sequence[TableRow], names: Sequence[str]) -> str:
    # Whoever logs one of these figures logs all but the student's.
    known = [
        f"{name} {fmean(own):.3f} (class mean {fmean(_values(row, 'graph/error_class_mean')):.3f})"
        for row, name in zip(rows, names, strict=True)
        if (own := _values(row, _STUDENT))
    ]
    told = " and ".join(f"{fmean(_values(rows[0], metric)):.1f}" for metric in _PROBES)
    return (
        f"Error of the students' graphs: {'; '.join(known)}. The teacher's edges tell the class of {told} %; "
        f"{100 * fmean(_values(rows[0], _BETWEEN)):.0f} % of their variance lies between classes."
    )


def _draw(figure: "Figure", rows: Sequence[TableRow], names: Sequence[str]) -> None:
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    # As a table reads: the first row above.
    heights = [len(rows) - 1 - place for place in range(len(rows))]
    for metric, (label, colour, marker) in _GUESSES.items():
        _draw_marks(left, rows, heights, metric, label, colour, marker)
    _draw_marks(left, rows, heights, _STUDENT, "student", BLUE, "o")
    for metric, (label, colour, marker) in _PROBES.items():
        _draw_marks(right, rows, heights, metric, label, colour, marker)
    left.set_yticks(heights, list(names))
    left.set_ylim(-0.6, len(rows) - 0.4)
    left.set_xlim(left=0.0)
    right.set_xlim(0.0, 100.0)
    left.set_xlabel("squared error of graphs")
    right.set_xlabel("class told by the edges (%)")
    for axes in (left, right):
        tidy(axes, "both")
    legend_below(figure, [left, right], columns=3)


def _draw_marks(
    axes: "Axes",
    rows: Sequence[TableRow],
    heights: Sequence[float],
    metric: str,
    label: str,
    colour: str,
    marker: str,
) -> None:
    found = [(values, height) for row, height in zip(rows, heights, strict=True) if (values := _values(row, metric))]
    means, places = [fmean(values) for values, _ in found], [height for _, height in found]
    axes.plot(means, places, marker, color=colour, markersize=6, label=label)
    # The other figures are the teacher's: rows of one teacher would repeat its seeds.
    if metric == _STUDENT:
        across, up = zip(*((value, height) for values, height in found for value in values), strict=True)
        axes.scatter(across, up, s=7, color=INK, alpha=0.6, linewidths=0, zorder=4)


GRAPH_ERRORS = rows_figure(
    "graph-errors", "what students know of their teachers' temporal graphs, and what these tell", _drawing
)
