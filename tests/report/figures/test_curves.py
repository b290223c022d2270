"""Learning curves: a panel per term, a line per row, a band over seeds, and the words on where they end."""

import pytest
from matplotlib.figure import Figure
from support.report_runs import PLAIN, SPATIAL, RunTable

from cdkd.report.assemble import build_reports
from cdkd.report.figures.catalog import FIGURES
from cdkd.report.figures.definition import Evidence
from cdkd.report.figures.style import GREY
from cdkd.report.tracked import read_runs

_TERMS = ("train/loss", "train/cross_entropy", "validation/cross_entropy", "validation/top1")


def _evidence() -> Evidence:
    """Two seeds of two rows; the distilled one's validation is best in epoch 4 of 6, its spatial term falls to 1/64."""
    runs = RunTable()
    curves: dict[str, dict[str, dict[int, float]]] = {}
    for settings, names in ((PLAIN, _TERMS), (SPATIAL, (*_TERMS, "train/spatial"))):
        for seed in range(2):
            run_id = runs.add(settings, seed, 60.0, metrics=dict.fromkeys(names, 1.0))
            curves[run_id] = {
                "train/loss": {epoch: 10.0 - epoch + seed for epoch in range(1, 7)},
                "train/cross_entropy": {epoch: 3.0 - epoch / 4 for epoch in range(1, 7)},
                "validation/cross_entropy": {2: 2.0, 4: 1.0, 6: 1.5} if "train/spatial" in names else {2: 2.0, 6: 1.75},
                "validation/top1": {2: 30.0, 6: 40.0 + 4 * seed},
                "train/spatial": {epoch: 256.0 / 2**epoch for epoch in range(1, 7)},
            }
    reports = build_reports("4", read_runs(runs.frame()))
    return Evidence(reports, curves=lambda wanted: {i: {n: curves[i][n] for n in wanted[i]} for i in wanted})


def test_a_panel_per_term_a_line_per_row_and_a_band_over_seeds() -> None:
    (drawing,) = FIGURES["curves"].drawings(_evidence())
    assert drawing.name == "table4-curves"
    figure = Figure()
    drawing.draw(figure)
    panels = {axes.get_title(loc="left") or axes.get_title(): axes for axes in figure.axes if axes.lines}
    assert list(panels) == [
        "training loss (weighted sum)",
        "cross-entropy, training",
        "cross-entropy, validation",
        "spatial KD",
        "top-1, validation (%)",
    ]
    total = panels["training loss (weighted sum)"]
    plain, spatial = total.lines
    assert list(plain.get_ydata()) == [9.5, 8.5, 7.5, 6.5, 5.5, 4.5]
    assert plain.get_color() == GREY != spatial.get_color()
    band = total.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (4.0, 10.0)
    # A term that only one row has; over more than a factor of thirty the axis is logarithmic.
    (line,) = panels["spatial KD"].lines
    assert line.get_label() == spatial.get_label()
    assert (panels["spatial KD"].get_yscale(), total.get_yscale()) == ("log", "linear")
    beside = panels["cross-entropy, training"], panels["cross-entropy, validation"]
    assert beside[0].get_ylim() == beside[1].get_ylim()


def test_the_words_say_where_validation_was_best() -> None:
    (drawing,) = FIGURES["curves"].drawings(_evidence())
    assert drawing.alt == (
        "Cross-entropy at the last epoch: TSM, three streams 1.50 in training and 1.75 in validation; TSM + ours "
        "(spatial yes, temporal no) 1.50 in training and 1.50 in validation, where it was lowest in epoch 4 at 1.00."
    )
    assert "bands reach from the lowest seed to the highest" in drawing.caption


@pytest.mark.parametrize("known", [{}, {"train/loss": {1: float("nan")}}])
def test_runs_without_curves_have_no_figure(known: dict[str, dict[int, float]]) -> None:
    evidence = _evidence()
    assert not [*FIGURES["curves"].drawings(Evidence(evidence.reports))]
    assert not [*FIGURES["curves"].drawings(Evidence(evidence.reports, curves=lambda ids: dict.fromkeys(ids, known)))]
