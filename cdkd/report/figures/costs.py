"""Accuracy against multiply-adds: every row and its teacher, beside the published methods on the same data set."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import TYPE_CHECKING

from cdkd.data.annotations.catalog import DATASETS
from cdkd.report.aggregate import TableRow, cost_of
from cdkd.report.assemble import Report
from cdkd.report.figures.definition import Evidence, FigureDefinition
from cdkd.report.figures.row_looks import MAX_ROWS, left_out, row_looks, row_names
from cdkd.report.figures.style import INK, MUTED, PAPER, Drawing, legend_below, tidy
from cdkd.report.published import PublishedFigure, published_figures
from cdkd.report.teachers import one_per_teacher_seed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TABLES_WITH_COSTS = ("2", "3")
_COLUMNS = 4
_MANY_TIMES = 8.0
"""Costs that differ by more than this stand over a logarithmic axis."""


@dataclass(frozen=True)
class _Point:
    name: str
    gmacs: float
    """10^9 multiply-adds per video, all views of the test."""
    top1: float
    """Percent."""
    deviation: float = 0.0
    """Over seeds, in points; 0 where there is one."""


def _drawings(evidence: Evidence) -> Iterable[Drawing]:
    for report in evidence.of_rows:
        rows = [row for row in report.rows if row.finished and row.top1 and row.cost]
        if rows:
            yield _drawing(report, rows)


def _drawing(report: Report, rows: Sequence[TableRow]) -> Drawing:
    shown = rows[:MAX_ROWS]
    published = _published(report.dataset)
    beside = ", teachers (stars)" if _teachers(shown) else ""
    beside += (
        ", and what was published on the same data set, as the paper's tables have it (circles with letters)"
        if published
        else ""
    )
    return Drawing(
        name=f"{report.table.file_stem}-costs",
        title=f"Accuracy against multiply-adds on {report.dataset}",
        caption=(
            "Top-1 test accuracy over the multiply-adds that a network takes for a video, all views of the test "
            f"together; decoding is not counted. Rows{beside}. Marks are means, whiskers the sample deviation over "
            f"seeds; rows that cost the same stand beside each other.{left_out(rows)}"
        ),
        alt=_finding(report, shown),
        height=3.5 + 0.22 * math.ceil((len(shown) + 1 + len(published)) / _COLUMNS),
        draw=lambda figure: _draw(figure, report, shown, published),
    )


def _points(rows: Sequence[TableRow]) -> list[_Point]:
    return [
        _Point(name, row.cost.gflops, row.top1.mean, row.top1.deviation or 0.0)
        for name, row in zip(row_names(rows), rows, strict=True)
        if row.cost and row.top1
    ]


def _teachers(rows: Sequence[TableRow]) -> list[_Point]:
    """Those that the rows' runs have learnt from, one for each kind and cost."""
    found: dict[tuple[str, float], list[float]] = {}
    for row in rows:
        for teacher in one_per_teacher_seed(row.finished) if row.weights else ():
            cost = cost_of(teacher.run.metadata, "teacher_")
            if cost is not None:
                name = f"teacher {str(teacher.run.settings.get('teacher.arch', '')).upper()}".rstrip()
                values = found.setdefault((name, cost.gflops), [])
                if teacher.top1 not in values:
                    values.append(teacher.top1)
    return [_Point(name, gmacs, sum(values) / len(values)) for (name, gmacs), values in found.items()]


def _published(dataset: str | None) -> list[PublishedFigure]:
    spec = DATASETS.get(dataset or "")
    name = spec.published_name if spec else ""
    every = [figure for table in _TABLES_WITH_COSTS for figure in published_figures(table)]
    return [figure for figure in every if name and figure.dataset == name and figure.gflops and figure.top1 is not None]


def _finding(report: Report, rows: Sequence[TableRow]) -> str:
    points = _points(rows)
    best = max(points, key=lambda point: point.top1)
    cheapest = min(points, key=lambda point: (point.gmacs, -point.top1))
    text = f"Top-1 on {report.dataset}. Most accurate: {_words(best)}. "
    if cheapest.gmacs < best.gmacs:
        text += f"Cheapest: {_words(cheapest)}. "
    for teacher in _teachers(rows):
        text += f"{teacher.name[:1].upper()}{_words(teacher)[1:]}. "
    return text.rstrip()


def _words(point: _Point) -> str:
    return f"{point.name}, {point.top1:.1f} % for {point.gmacs:.3g} billion multiply-adds"


def _draw(figure: "Figure", report: Report, rows: Sequence[TableRow], published: Sequence[PublishedFigure]) -> None:
    axes = figure.subplots()
    _draw_rows(figure, axes, rows)
    teachers = _teachers(rows)
    for index, point in enumerate(teachers):
        axes.plot(point.gmacs, point.top1, "*", color=INK, markersize=11, label="" if index else "teacher")
        name = point.name.removeprefix("teacher ")
        axes.annotate(name, (point.gmacs, point.top1), xytext=(7, 3), textcoords="offset points", fontsize=7.5)
    _draw_published(axes, published)
    points = [*_points(rows), *teachers]
    costs = [point.gmacs for point in points] + [each.gflops for each in published if each.gflops]
    heights = [point.top1 + sign * point.deviation for point in points for sign in (-1, 1)]
    heights += [each.top1 for each in published if each.top1 is not None]
    if max(costs) > _MANY_TIMES * min(costs):
        axes.set_xscale("log")
    else:
        axes.set_xlim(0, 1.15 * max(costs))
    # By hand: marks that stand beside their place are none that axes follow.
    room = max(1.0, 0.1 * (max(heights) - min(heights)))
    axes.set_ylim(min(heights) - room, max(heights) + room)
    axes.set_xlabel("multiply-adds per video (billions)")
    axes.set_ylabel(f"top-1 on {report.dataset} (%)")
    tidy(axes, "both")
    legend_below(figure, [axes], columns=_COLUMNS)


def _draw_rows(figure: "Figure", axes: "Axes", rows: Sequence[TableRow]) -> None:
    from matplotlib.transforms import offset_copy

    points = _points(rows)
    costs = [point.gmacs for point in points]
    for index, (point, look) in enumerate(zip(points, row_looks(rows), strict=True)):
        # Beside each other, or the whiskers of rows that cost the same would hide one another.
        shift = costs[:index].count(point.gmacs) - (costs.count(point.gmacs) - 1) / 2
        place = offset_copy(axes.transData, figure, x=8 * shift, units="points")
        # Of rows that share a colour every second one is hollow.
        face = look.colour if look.line == "-" else PAPER
        if point.deviation:
            axes.errorbar(
                point.gmacs, point.top1, point.deviation, fmt="none", ecolor=look.colour, capsize=3, transform=place
            )
        axes.plot(
            point.gmacs,
            point.top1,
            look.marker,
            color=look.colour,
            markerfacecolor=face,
            markersize=7,
            label=point.name,
            transform=place,
        )


def _draw_published(axes: "Axes", published: Sequence[PublishedFigure]) -> None:
    """A circle with a letter each: names beside them would lie over one another."""
    for letter, one in zip(ascii_lowercase, published, strict=False):
        assert one.gflops and one.top1 is not None
        axes.plot(
            one.gflops,
            one.top1,
            "o",
            color=MUTED,
            markerfacecolor=PAPER,
            markersize=10,
            markeredgewidth=0.8,
            zorder=1.9,
            label=f"{letter} {one.method}",
        )
        axes.annotate(letter, (one.gflops, one.top1), ha="center", va="center", fontsize=7, color=INK, zorder=1.95)


COSTS = FigureDefinition("costs", "accuracy against multiply-adds, with published methods", _drawings)
