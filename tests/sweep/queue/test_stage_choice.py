"""The choice between stages, on results written by hand."""

import json
from pathlib import Path

import pytest

from cdkd.errors import CdkdError
from cdkd.sweep.queue.stage_cells import resolve_stages
from cdkd.sweep.queue.stage_choice import ChoiceError, choose, freeze, frozen_choice
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.expansion import expand
from cdkd.sweep.study.reading import load_study
from cdkd.sweep.study.records import Best, LabelFilter

EVERYTHING = LabelFilter(())


@pytest.fixture
def cells(tmp_path: Path) -> tuple[Cell, ...]:
    file = tmp_path / "s.yaml"
    file.write_text("study: s\nseeds: 2\nstages:\n  - name: a\n    axes: {distill.spatial.weight: [0.01, 0.1, 1]}\n")
    study = load_study(file)
    return expand(study, study.stages[0])


def trials_of(cells: tuple[Cell, ...], values: list[float | None], metric: str = "validation/top1") -> dict[str, Trial]:
    """One trial per cell; None: it diverged."""
    trials = {}
    for number, (cell, value) in enumerate(zip(cells, values, strict=True)):
        metrics = {"test/top1": 99.0 - number} | ({} if value is None else {metric: value})
        status = "diverged" if value is None else "finished"
        task = QueuedTask(cell.id, "cell", "a")
        trials[cell.id] = Trial(number, task, status, 1, f"run{number}", metrics, "", "", "", None, None)
    return trials


def best(metric: str = "validation/top1", mode: str = "max", among: LabelFilter = EVERYTHING, *take: str) -> Best:
    return Best("a", metric, mode, among, take or ("distill.spatial.weight",))  # type: ignore[arg-type]


def test_the_best_mean_over_the_seeds_wins(cells: tuple[Cell, ...]) -> None:
    # Means 50, 61, 60: the highest single value (90) does not decide.
    choice = choose(best(), cells, trials_of(cells, [10.0, 90.0, 62.0, 60.0, 60.0, 60.0]))
    assert choice.values == {"distill.spatial.weight": 0.1}
    assert choice.chosen == "spatial.weight 0.1"
    assert [candidate.mean for candidate in choice.candidates] == [50.0, 61.0, 60.0]
    assert choice.candidates[1].by_seed == {"0": 62.0, "1": 60.0}
    assert choice.candidates[1].run_ids == ("run2", "run3")
    assert choice.tie_rule == "of equal means, the first in the study's order"


def test_a_lower_metric_can_be_better(cells: tuple[Cell, ...]) -> None:
    trials = trials_of(cells, [3.0, 3.0, 2.0, 2.5, 2.0, 2.0], "validation/loss")
    assert choose(best("validation/loss", "min"), cells, trials).values == {"distill.spatial.weight": 1.0}


def test_of_equals_the_first_wins(cells: tuple[Cell, ...]) -> None:
    trials = trials_of(cells, [60.0, 62.0, 61.0, 61.0, 61.0, 61.0])
    assert choose(best(), cells, trials).values == {"distill.spatial.weight": 0.01}


def test_a_diverged_candidate_cannot_win(cells: tuple[Cell, ...]) -> None:
    choice = choose(best(), cells, trials_of(cells, [1.0, 1.0, 99.0, None, 2.0, 2.0]))
    assert choice.values == {"distill.spatial.weight": 1.0}
    assert choice.candidates[1].mean is None
    assert choice.candidates[1].by_seed == {"0": 99.0, "1": None}
    with pytest.raises(ChoiceError, match=r"^stage 'a': nothing to choose from, every candidate diverged$"):
        choose(best(), cells, trials_of(cells, [None] * 6))


def test_only_the_named_cells_are_candidates(cells: tuple[Cell, ...]) -> None:
    among = LabelFilter((("distill.spatial.weight", frozenset({"0.01", "1"})),))
    choice = choose(best("validation/top1", "max", among), cells, trials_of(cells, [1.0, 1.0, 9.0, 9.0, 2.0, 2.0]))
    assert choice.values == {"distill.spatial.weight": 1.0}
    assert len(choice.candidates) == 2


def test_a_group_of_settings_can_be_taken_over(cells: tuple[Cell, ...]) -> None:
    choice = choose(
        best("validation/top1", "max", EVERYTHING, "distill.spatial"), cells, trials_of(cells, [1.0, 1, 2, 2, 3, 3])
    )
    assert choice.values == {
        "distill.spatial.enabled": True,
        "distill.spatial.form": "normalised",
        "distill.spatial.weight": 1.0,
    }


def test_nothing_is_chosen_while_a_candidate_has_no_result(cells: tuple[Cell, ...]) -> None:
    trials = trials_of(cells, [1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    last = trials.pop(cells[5].id)
    with pytest.raises(ChoiceError, match=r"cannot choose while 'spatial\.weight 1', seed 1, is missing$"):
        choose(best(), cells, trials)
    trials[cells[5].id] = Trial(5, last.task, "failed", 1, None, {}, "x", "", "", None, None)
    with pytest.raises(ChoiceError, match=r"is failed$"):
        choose(best(), cells, trials)
    trials[cells[5].id] = last
    with pytest.raises(ChoiceError, match=r"no metric 'validation/f1'; runs have: validation/top1$"):
        choose(best("validation/f1"), cells, trials)


def test_a_choice_is_made_once_for_the_same_question(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    assert frozen_choice(folder, best(), cells) is None
    first = choose(best(), cells, trials_of(cells, [1.0, 1.0, 3.0, 3.0, 2.0, 2.0]))
    assert freeze(folder, best(), cells, first) == first
    # Results that changed since do not change what was chosen.
    other = choose(best(), cells, trials_of(cells, [9.0, 9.0, 3.0, 3.0, 2.0, 2.0]))
    assert freeze(folder, best(), cells, other) == first
    assert frozen_choice(folder, best(), cells) == first
    # Fewer seeds are another question.
    assert frozen_choice(folder, best(), cells[::2]) is None
    (file,) = (tmp_path / "choices").iterdir()
    assert json.loads(file.read_text())["values"] == {"distill.spatial.weight": 0.1}
    file.write_text("{")
    with pytest.raises(CdkdError, match=r"a-[0-9a-f]{8}\.json: cannot be read .*remove it and run the sweep again$"):
        frozen_choice(folder, best(), cells)


def test_a_choice_without_validation_videos_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        "study: s\nbase: {data: {name: ucf101, validation_share: 0}}\nstages:\n"
        "  - name: a\n    axes: {distill.spatial.weight: [0.1, 1]}\n"
        "  - name: b\n    best: {stage: a, metric: validation/top1, take: [distill.spatial.weight]}\n"
    )
    with pytest.raises(ChoiceError, match=r"s\.yaml:6: chooses by validation/top1.*validation_share is 0"):
        resolve_stages(load_study(file), StudyFolder(tmp_path / "folder"))
    file.write_text(file.read_text().replace("validation_share: 0", "validation_share: 0.1"))
    assert [known.stage.name for known in resolve_stages(load_study(file), StudyFolder(tmp_path / "folder"))] == ["a"]
