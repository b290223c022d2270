"""Figures over numbers of clips, a line per row, solid with unlabelled ones; and what a table says of such rows."""

from matplotlib.figure import Figure
from support.report_runs import METADATA, PLAIN, SPATIAL, RunTable

from cdkd.report.assemble import Report, build_reports
from cdkd.report.figures.catalog import drawing_of_table
from cdkd.report.render import render_text
from cdkd.report.study_table import study_report
from cdkd.report.tracked import read_runs
from cdkd.tracking.plans import PlannedCell

_MORE = {**METADATA, "unlabelled": "12 a step of the 1,200 of pretrain"}
_PRETRAIN = {**SPATIAL, "data.unlabelled": "pretrain"}
_ROWS = (
    ("baseline", PLAIN, METADATA, 40.0),
    ("spatial", SPATIAL, METADATA, 50.0),
    ("spatial, unlabelled", _PRETRAIN, _MORE, 60.0),
)


def _report() -> Report:
    runs = RunTable()
    for clips in (4, 16):
        for name, settings, metadata, top1 in _ROWS:
            for seed in range(2):
                size = {"data.shapes.train_clips_per_class": clips}
                labels = {"labels per class": str(clips), "row": name}
                runs.add({**settings, **size}, seed, top1 + clips + 2 * seed, labels=labels, metadata=metadata)
    found = read_runs(runs.frame())
    return study_report("unlabelled", found, [PlannedCell(r.stage, r.labels, r.seed, r.cell) for r in found])


def test_a_line_per_row_with_its_spread() -> None:
    drawing = drawing_of_table(_report())
    assert drawing is not None
    figure = Figure()
    drawing.draw(figure)
    (axes,) = figure.axes
    lines = {bars.get_label(): bars.lines[0] for bars in axes.containers}
    assert {name: list(line.get_ydata()) for name, line in lines.items()} == {
        "baseline": [45.0, 57.0],
        "spatial": [55.0, 67.0],
        "spatial, unlabelled": [65.0, 77.0],
    }
    assert [line.get_linestyle() for line in lines.values()] == ["--", "--", "-"]
    assert lines["spatial"].get_color() == lines["spatial, unlabelled"].get_color() != lines["baseline"].get_color()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "16"]
    assert "spatial, unlabelled 4: 65.0 %, 16: 77.0 %" in drawing.alt


def test_an_archive_grows_from_nothing_on() -> None:
    runs = RunTable()
    for place, (number, videos) in enumerate((("0", None), ("300", 300), ("1200", "all"))):
        found = _PRETRAIN | {"data.unlabelled_videos": videos} if videos else SPATIAL
        labels = {"unlabelled videos": number, "row": "spatial"}
        runs.add(found, 0, 50.0 + place, labels=labels, metadata=_MORE if videos else METADATA)
    runs.add(PLAIN, 0, 40.0, labels={"unlabelled videos": "0", "row": "baseline"})
    read = read_runs(runs.frame())
    report = study_report("archive", read, [PlannedCell(r.stage, r.labels, r.seed, r.cell) for r in read])
    # All are compared with the one row that learns from no teacher, whatever they have seen.
    assert [row.differences["three streams"].mean for row in report.rows[:3]] == [10.0, 11.0, 12.0]
    drawing = drawing_of_table(report)
    assert drawing is not None
    figure = Figure()
    drawing.draw(figure)
    (axes,) = figure.axes
    spatial = next(bars.lines[0] for bars in axes.containers if bars.get_label() == "spatial")
    assert list(spatial.get_ydata()) == [50.0, 51.0, 52.0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "300", "1,200"]
    assert "unlabelled clips that the student learns from" in axes.get_xlabel()


def test_a_table_says_which_rows_have_seen_more_videos() -> None:
    text = " ".join(render_text(_report()).split())
    assert "also learn from unlabelled clips: not the paper's protocol." in text
    assert "distillation alone learns: 12 a step of the 1,200 of pretrain (" in text


def test_rows_with_and_without_never_stand_in_one_table_and_the_baseline_beside_both() -> None:
    runs = RunTable()
    for seed in range(2):
        runs.add(PLAIN, seed, 40.0)
        runs.add(SPATIAL, seed, 50.0)
    runs.add({**_PRETRAIN, "distill.temporal.enabled": True}, 0, 60.0, metadata=_MORE)
    text = " ".join(render_text(build_reports("4", read_runs(runs.frame()))[0]).split())
    assert "not the paper's protocol" not in text
    assert "left out and never pooled: 1 (1 with data.unlabelled pretrain instead of none" in text
