"""Figures: which tables have one, that they show what was measured, and that they repeat byte for byte."""

import io

import matplotlib.image
import pytest
from support.report_runs import NO_KD, PLAIN, SPATIAL, RunTable

from cdkd.report import figures
from cdkd.report.assemble import Report, build_reports
from cdkd.report.tracked import read_runs


def _report(table: str) -> Report:
    runs = RunTable()
    for seed in range(2):
        runs.add(PLAIN, seed, 60.0 + seed)
        runs.add(SPATIAL, seed, 66.0 + seed, validation=65.0)
        runs.add({**SPATIAL, "distill.spatial.weight": 1.0}, seed, 61.0 + seed)
    runs.add(NO_KD, 0, None, status="diverged")
    return build_reports(table, read_runs(runs.frame()))[0]


@pytest.mark.parametrize("table", ["4", "5"])
def test_picture_of_a_table(table: str) -> None:
    picture = figures.figure_bytes(_report(table), "png")
    assert picture is not None
    pixels = matplotlib.image.imread(io.BytesIO(picture))
    assert pixels.shape == (630, 1350, 4)
    assert 0.01 < (pixels[..., :3].min(axis=2) < 0.5).mean() < 0.5
    assert figures.figure_bytes(_report(table), "png") == picture


def test_no_picture_without_runs_or_for_other_tables() -> None:
    assert figures.figure_bytes(build_reports("4", ())[0], "png") is None
    assert figures.figure_bytes(_report("1"), "png") is None


def test_bars_stand_on_the_baseline() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figures._FIGURES["4"](figure, _report("4"))
    tsm = figure.axes[0]
    # 66 and 67 above 60 and 61.
    assert [(bar.get_y(), bar.get_height()) for bar in tsm.patches] == [(60.5, 6.0)]
    assert [text.get_text() for text in tsm.texts] == ["diverged", "no run", "no run"]


def test_curves_of_the_lambda_search() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figures._FIGURES["5"](figure, _report("5"))
    above, below = figure.axes[0], figure.axes[2]
    assert [label.get_text() for label in below.get_xticklabels()] == ["0\n(decoder, no KD)", "0.01", "0.1", "1"]
    curve = above.containers[0].lines[0]
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == ([2, 3], [66.5, 61.5])
    gains = {line.get_label(): [round(float(y), 1) for y in line.get_ydata()] for line in below.lines}
    assert gains["UCF-101"] == [1.5, 2.3, 1.4]
