"""Accuracy against multiply-adds: rows where their costs are, teachers once, published methods on their data set."""

from matplotlib.figure import Figure
from support.report_runs import METADATA, PLAIN, SPATIAL, RunTable

from cdkd.report.assemble import build_reports
from cdkd.report.figures.catalog import FIGURES
from cdkd.report.figures.definition import Evidence
from cdkd.report.figures.style import Drawing
from cdkd.report.tracked import read_runs

_COSTS = {"num_views": "2", "parameters": "1000"}
_TEACHER = {"teacher_gmacs_per_view": "50", "teacher_parameters": "9", "teacher_test_top1": "81.5"}


def _drawing(dataset: str, table: str) -> Drawing:
    runs = RunTable()
    for seed in range(2):
        for settings, top1, gmacs in ((PLAIN, 60.0, "30"), (SPATIAL, 66.0, "40"), ({}, 70.0, "40")):
            metadata = {**METADATA, **_COSTS, **_TEACHER, "teacher_test_top5": "99", "gmacs_per_view": gmacs}
            runs.add({**settings, "data.name": dataset}, seed, top1 + seed, metadata=metadata)
    (drawing,) = FIGURES["costs"].drawings(Evidence(build_reports(table, read_runs(runs.frame()))))
    return drawing


def test_rows_stand_where_their_costs_are() -> None:
    drawing = _drawing("shapes", "4")
    figure = Figure()
    drawing.draw(figure)
    (axes,) = figure.axes
    marks = {str(line.get_label()): (line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines}
    assert marks["TSM, three streams"] == (60.0, 60.5)
    assert marks["TSM + ours (spatial yes, temporal yes)"] == (80.0, 70.5)
    assert marks["teacher"] == (100.0, 81.5)
    low, high = axes.get_ylim()
    assert all(low < y < high for _, y in marks.values())
    assert axes.get_xlim()[0] == 0 and axes.get_xlim()[1] > 100
    assert "published" not in drawing.caption
    assert drawing.alt == (
        "Top-1 on shapes. Most accurate: TSM + ours (spatial yes, temporal yes), 70.5 % for 80 billion multiply-adds. "
        "Cheapest: TSM, three streams, 60.5 % for 60 billion multiply-adds. "
        "Teacher TSM, 81.5 % for 100 billion multiply-adds."
    )


def test_published_methods_stand_beside_on_their_own_data_set() -> None:
    drawing = _drawing("ssv2", "4")
    figure = Figure()
    drawing.draw(figure)
    (axes,) = figure.axes
    marks = {str(line.get_label()): (line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines}
    assert marks["i MM-ViT"] == (2250.0, 64.9)
    assert [text.get_text() for text in axes.texts[1:]] == list("abcdefghijk")
    assert axes.get_xscale() == "log"
    assert "published on the same data set" in drawing.caption
