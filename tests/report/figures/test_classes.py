"""Accuracy by class and confusions, counted from per-video scores."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from support.report_runs import PLAIN, SPATIAL, RunTable

from cdkd.errors import CdkdError
from cdkd.report.assemble import build_reports
from cdkd.report.figures.catalog import FIGURES
from cdkd.report.figures.definition import Evidence
from cdkd.report.tracked import read_runs

_CLASSES = ("cat", "dog", "big_horse")
_LABELS = (0, 0, 0, 0, 1, 1, 2, 2)


def _scores(predictions: Sequence[int]) -> pd.DataFrame:
    logits = {f"score_{k}": [float(k == predicted) for predicted in predictions] for k in range(3)}
    frame = pd.DataFrame({"video": [f"v{n}" for n in range(8)], "label": _LABELS, **logits})
    frame.attrs["classes"] = list(_CLASSES)
    return frame


def _evidence() -> Evidence:
    runs = RunTable()
    kept = {
        # Three streams: half of the cats are dogs; with the second seed all of them.
        runs.add(PLAIN, 0, 50.0): _scores([0, 0, 1, 1, 1, 1, 2, 2]),
        runs.add(PLAIN, 1, 50.0): _scores([1, 1, 1, 1, 1, 1, 2, 2]),
        # Spatial: all cats, but a horse is a dog.
        runs.add(SPATIAL, 0, 90.0): _scores([0, 0, 0, 0, 1, 1, 2, 1]),
        runs.add(SPATIAL, 1, 90.0): _scores([0, 0, 0, 1, 1, 1, 2, 1]),
    }
    return Evidence(build_reports("4", read_runs(runs.frame())), scores=kept.__getitem__)


def test_classes_by_gain_with_the_reach_of_the_seeds() -> None:
    (drawing,) = FIGURES["classes"].drawings(_evidence())
    figure = Figure()
    drawing.draw(figure)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["big horse", "dog", "cat"]
    plain, spatial = axes.containers
    assert list(plain.lines[0].get_xdata()) == [100.0, 100.0, 25.0]
    assert list(spatial.lines[0].get_xdata()) == [50.0, 100.0, 87.5]
    whisker = spatial.lines[2][0].get_segments()[2]
    assert whisker[:, 0].tolist() == [75.0, 100.0]
    best = "TSM + ours (spatial yes, temporal no)"
    assert drawing.alt == (
        f"Over row TSM, three streams, row {best} gains in 1 of 3 classes and loses in 1: most in cat (+62 points), "
        f"least in big horse (-50). Row {best} recognises big horse worst, 50 %."
    )


def test_confusions_of_the_best_row_beside_its_reference() -> None:
    (drawing,) = FIGURES["confusion"].drawings(_evidence())
    figure = Figure()
    drawing.draw(figure)
    left, right, _ = figure.axes
    assert left.get_title(loc="left") == "" or "three streams" in left.get_title(loc="left")
    shares = [np.asarray(axes.collections[0].get_array()).reshape(3, 3) for axes in (left, right)]
    assert shares[0].tolist() == [[25, 75, 0], [0, 100, 0], [0, 0, 100]]
    assert shares[1].tolist() == [[87.5, 12.5, 0], [0, 100, 0], [0, 50, 50]]
    # The first class stands above.
    assert left.get_ylim()[0] > left.get_ylim()[1]
    assert drawing.alt == (
        "Row TSM + ours (spatial yes, temporal no) most often takes big horse for dog (50 % of its videos), cat for "
        "dog (12 % of its videos)."
    )


def test_runs_without_scores_have_no_such_figure() -> None:
    def missing(run_id: str) -> pd.DataFrame:
        raise CdkdError(f"run {run_id} keeps no scores")

    evidence = _evidence()
    for name in ("classes", "confusion"):
        assert not [*FIGURES[name].drawings(Evidence(evidence.reports))]
        assert not [*FIGURES[name].drawings(Evidence(evidence.reports, scores=missing))]
