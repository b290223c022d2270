"""The figure of what students know of temporal graphs, from the metrics that runs log."""

from matplotlib.figure import Figure
from support.report_runs import BOTH, PLAIN, SPATIAL, RunTable

from cdkd.report.assemble import build_reports
from cdkd.report.figures.catalog import FIGURES
from cdkd.report.figures.definition import Evidence
from cdkd.report.figures.style import Drawing
from cdkd.report.tracked import read_runs

_TEACHER = {
    "graph/error_constant": 0.2,
    "graph/error_class_mean": 0.08,
    "graph/nearest_neighbour": 73.0,
    "graph/logistic_regression": 66.0,
    "graph/between_classes": 0.57,
}


def _drawings(runs: RunTable) -> list[Drawing]:
    return list(FIGURES["graph-errors"].drawings(Evidence(build_reports("4", read_runs(runs.frame())))))


def test_students_stand_beside_what_can_be_guessed() -> None:
    runs = RunTable()
    for seed in range(2):
        runs.add(PLAIN, seed, 60.0)
        runs.add(SPATIAL, seed, 65.0, metrics={**_TEACHER, "graph/error_student": 0.09 + 0.02 * seed})
        runs.add(BOTH, seed, 66.0, metrics={**_TEACHER, "graph/error_student": 0.06})
    (drawing,) = _drawings(runs)
    assert drawing.alt == (
        "Error of the students' graphs: TSM + ours (spatial yes, temporal no) 0.100 (class mean 0.080); TSM + ours "
        "(spatial yes, temporal yes) 0.060 (class mean 0.080). The teacher's edges tell the class of 73.0 and 66.0 %; "
        "57 % of their variance lies between classes."
    )
    figure = Figure()
    drawing.draw(figure)
    left, right = figure.axes
    # The row without teacher has no graphs; the first of the others stands above.
    names = ["TSM + ours (spatial yes, temporal no)", "TSM + ours (spatial yes, temporal yes)"]
    assert [label.get_text() for label in left.get_yticklabels()] == names
    marks = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in (*left.lines, *right.lines)}
    assert marks == {
        "one graph for all clips": ([0.2, 0.2], [1, 0]),
        "one graph for each class": ([0.08, 0.08], [1, 0]),
        "student": ([0.1, 0.06], [1, 0]),
        "nearest neighbour": ([73.0, 73.0], [1, 0]),
        "logistic regression": ([66.0, 66.0], [1, 0]),
    }
    assert len(left.collections[-1].get_offsets()) == 4  # the students' seeds


def test_runs_that_logged_no_graphs_have_no_such_figure() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    runs.add(SPATIAL, 0, 65.0)
    assert _drawings(runs) == []
