"""Figures of tables: which have one, that they show what was measured, and that they repeat byte for byte."""

import io

import matplotlib.image
import pytest
from matplotlib.figure import Figure
from support.report_runs import NO_KD, PLAIN, SPATIAL, RunTable

from cdkd.report.assemble import Report, build_reports
from cdkd.report.figures.catalog import FIGURES, drawing_of_table, figure_bytes, find_figure
from cdkd.report.tracked import ReportError, read_runs


def _report(table: str) -> Report:
    runs = RunTable()
    for seed in range(2):
        runs.add(PLAIN, seed, 60.0 + seed)
        runs.add(SPATIAL, seed, 66.0 + 3 * seed, validation=65.0)
        runs.add({**SPATIAL, "distill.spatial.weight": 1.0}, seed, 61.0 + seed)
    runs.add(NO_KD, 0, None, status="diverged")
    return build_reports(table, read_runs(runs.frame()))[0]


def _drawn(table: str) -> Figure:
    drawing = drawing_of_table(_report(table))
    assert drawing is not None
    figure = Figure()
    drawing.draw(figure)
    return figure


@pytest.mark.parametrize("table", ["4", "5"])
def test_picture_of_a_table(table: str) -> None:
    picture = figure_bytes(_report(table), "png")
    assert picture is not None
    pixels = matplotlib.image.imread(io.BytesIO(picture))
    assert pixels.shape[1] == 1200
    assert 0.01 < (pixels[..., :3].min(axis=2) < 0.5).mean() < 0.5
    assert figure_bytes(_report(table), "png") == picture


def test_no_picture_without_runs_or_for_other_tables() -> None:
    assert figure_bytes(build_reports("4", ())[0], "png") is None
    assert figure_bytes(_report("1"), "png") is None


def test_bars_stand_on_the_baseline_with_the_interval_of_the_difference() -> None:
    (tsm,) = _drawn("4").axes  # of TDN nothing was measured
    # 66 and 69 above 60 and 61: differences 6 and 8.
    assert [(bar.get_y(), bar.get_height()) for bar in tsm.patches] == [(60.5, 7.0)]
    assert [text.get_text() for text in tsm.texts] == ["diverged", "no run", "no run"]
    (whisker,) = [each for each in tsm.containers if type(each).__name__ == "ErrorbarContainer"]
    (segment,) = whisker.lines[2][0].get_segments()
    # Deviation sqrt(2) of two, Student's t of one degree of freedom 12.706: 7 +- 12.706.
    assert segment[:, 1].round(3).tolist() == [round(67.5 - 12.706, 3), round(67.5 + 12.706, 3)]


def test_the_words_of_a_figure_say_its_finding() -> None:
    drawing = drawing_of_table(_report("4"))
    assert drawing is not None
    assert "TSM + ours (spatial yes, temporal no): +7.0 points over three streams" in drawing.alt
    assert "95 % interval" in drawing.caption


def test_curves_of_the_lambda_search() -> None:
    above, _, below, beside = _drawn("5").axes
    assert [label.get_text() for label in below.get_xticklabels()] == ["0\n(decoder, no KD)", "0.01", "0.1", "1"]
    curve = above.containers[0].lines[0]
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == ([2, 3], [67.5, 61.5])
    gains = {line.get_label(): [round(float(y), 1) for y in line.get_ydata()] for line in below.lines}
    assert gains["UCF-101 (published)"] == [1.5, 2.3, 1.4]
    assert beside.get_xlabel() == "λ2 (λ1 = 0.1)"


def test_a_second_network_has_curves_of_its_own_beside_the_papers() -> None:
    runs = RunTable()
    tdn = {"student.arch": "tdn", "teacher.arch": "tdn"}
    runs.add({**tdn, **PLAIN}, 0, 70.0)
    runs.add({**SPATIAL, "distill.spatial.weight": 1.0}, 0, 61.0)
    for weight in (0.01, 0.03):
        runs.add({**tdn, **SPATIAL, "distill.spatial.weight": weight}, 0, 72.0 + weight)
    runs.add({**tdn, "distill.spatial.weight": 0.03}, 0, 75.0)
    drawing = drawing_of_table(build_reports("5", read_runs(runs.frame()))[0])
    assert drawing is not None
    assert "TSM, top-1 by λ1 (λ2 = 0): 1: 61.0 %; TDN, top-1 by λ1 (λ2 = 0): 0.01: 72.0 %, 0.03: 72.0 %;" in drawing.alt
    figure = Figure()
    drawing.draw(figure)
    above, right, below, beside = figure.axes
    assert [label.get_text() for label in below.get_xticklabels()] == [
        "0\n(decoder, no KD)",
        "0.01",
        "0.03",
        "0.1",
        "1",
    ]
    curves = [container.lines[0] for container in above.containers]
    assert [([round(float(x), 2) for x in line.get_xdata()], list(line.get_ydata())) for line in curves] == [
        ([3.8], [61.0]),
        ([1.2, 2.2], [72.01, 72.03]),
    ]
    assert [line.get_ydata()[0] for line in above.lines if line.get_label() == "TDN, three streams, no KD"] == [70.0]
    # What the paper prints stands over its own weights, between which TDN's 0.03 lies.
    gains = {line.get_label(): list(line.get_xdata()) for line in below.lines}
    assert gains["UCF-101 (published)"] == [1, 3, 4]
    assert beside.get_xlabel() == "λ2 (λ1 = 0.1, TDN 0.03)"
    assert list(right.containers[0].lines[0].get_ydata()) == [72.03, 75.0]


def test_the_search_of_lambda2_never_stands_at_lambda1_0() -> None:
    runs = RunTable()
    for weight in (0.1, 1.0, 5.0):
        settings = {"distill.spatial.enabled": False, "distill.temporal.weight": weight}
        runs.add(settings, 0, 60.0 + weight)
    drawing = drawing_of_table(build_reports("5", read_runs(runs.frame()))[0])
    assert drawing is not None
    figure = Figure()
    drawing.draw(figure)
    _, right, _, below = figure.axes
    assert below.get_xlabel() == "λ2 (λ1 = 0.1)"
    assert [text.get_text() for text in right.texts] == ["no run"]


def test_an_unknown_figure_names_the_known_ones() -> None:
    assert find_figure("lambda") is FIGURES["lambda"]
    with pytest.raises(ReportError, match=r"figure lamda: no such figure; did you mean 'lambda'\?"):
        find_figure("lamda")
