"""Figures of what runs keep of some test clips: gate, graphs, features and a contact sheet."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from support.inspections import an_inspection
from support.report_runs import PLAIN, TEMPORAL, RunTable

from cdkd.errors import CdkdError
from cdkd.report.assemble import build_reports
from cdkd.report.figures.catalog import FIGURES
from cdkd.report.figures.definition import Evidence
from cdkd.report.figures.style import Drawing, picture
from cdkd.report.tracked import read_runs
from cdkd.tracking.inspection import Inspection


def _evidence() -> Evidence:
    """Three streams without gate or teacher, and a row with temporal knowledge."""
    runs = RunTable()
    kept = {
        runs.add(PLAIN, 0, 50.0): an_inspection(teacher=False, gate=False),
        runs.add(TEMPORAL, 0, 60.0, metrics={"graph/nearest_neighbour": 31.0}): an_inspection(),
    }
    return Evidence(build_reports("4", read_runs(runs.frame())), inspections=kept.__getitem__)


def _drawn(name: str) -> tuple[Drawing, Figure]:
    (drawing,) = FIGURES[name].drawings(_evidence())
    figure = Figure()
    drawing.draw(figure)
    return drawing, figure


def test_the_gate_above_the_frames_that_it_weighs() -> None:
    drawing, figure = _drawn("gate")
    first, second, frames, _ = figure.axes
    # Time steps 1, 2 and 4 of the last two clips.
    assert [bar.get_y() + bar.get_height() for bar in first.patches] == [1.0, 2.0, 0.5]
    assert [bar.get_y() + bar.get_height() for bar in second.patches] == [2.0, 1.0, 0.5]
    assert [label.get_text() for label in frames.get_xticklabels()] == ["1", "2", "4"]
    assert first.get_xlim() == frames.get_xlim()
    assert (first.get_title(), second.get_title()) == ("cat", "horse")
    assert (
        "weighs time step 2 most, 1.833 on average, and step 3 least, 0.500; equal weights would be 1.000"
        in drawing.alt
    )
    assert "from their 10th to their 90th percentile" in drawing.caption


def test_graphs_side_by_side_with_what_they_tell() -> None:
    drawing, figure = _drawn("graphs")
    theirs, _, ours, _ = (axes for axes in figure.axes if axes.collections and axes.get_ylim() == (4.5, 0.5))
    assert (theirs.get_xlabel(), ours.get_xlabel()) == ("tells 100 %", "tells 60 %")
    values = [np.asarray(axes.collections[0].get_array()).reshape(4, 4) for axes in (theirs, ours)]
    assert np.allclose(values[1], values[0] / 2) and values[0].max() == 1.0
    # Two clips of each of three classes: of the five others one is of the same.
    assert drawing.alt == (
        "The teacher's graphs tell the class best under the mapping plain: 100 % of the clips by their nearest "
        "neighbour, 60 % of row TSM + ours (spatial no, temporal yes)'s, 20 % by guessing. The student's mean edges "
        "come nearest to the teacher's under gaussian, 25 % away. Among training clips the teacher's plain edges find "
        "31 % of the validation's classes."
    )


def test_features_of_teacher_and_students_by_class() -> None:
    drawing, figure = _drawn("features")
    assert [axes.get_title() for axes in figure.axes] == [
        "teacher",
        "TSM, three streams",
        "TSM + ours (spatial no, temporal yes)",
    ]
    marks = [each for each in figure.axes[0].collections if each.get_label() == "dog"]
    assert marks[0].get_offsets().tolist() == [[9, 0], [9, 1]]
    assert drawing.alt.startswith(
        "Clips whose nearest neighbour in the plane is of their class: teacher 100 % (the plane holds 75 % of its "
        "variance); TSM, three streams 0 %"
    )


def test_a_contact_sheet_names_what_was_taken_for_what() -> None:
    drawing, figure = _drawn("confused")
    assert figure.axes[0].get_title() == "dog\ntaken for cat (98 %)"
    height, width, _ = figure.axes[0].images[0].get_array().shape
    assert (height, width) == (10, 33)
    assert drawing.alt == (
        "Row TSM + ours (spatial no, temporal yes) is most wrong about a video of dog, taken for cat with 98 %."
    )


@pytest.mark.parametrize("name", ["gate", "graphs", "features", "confused"])
def test_pictures_repeat_and_runs_that_keep_nothing_have_none(name: str) -> None:
    def damaged(run_id: str) -> Inspection | None:
        raise CdkdError(f"inspection of {run_id} cannot be read")

    evidence = _evidence()
    (drawing,) = FIGURES[name].drawings(evidence)
    assert picture(drawing, "svg") == picture(drawing, "svg")
    for loader in (None, lambda run_id: None, damaged):
        assert not [*FIGURES[name].drawings(Evidence(evidence.reports, inspections=loader))]
