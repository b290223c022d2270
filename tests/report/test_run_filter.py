"""Which runs a report is about."""

import pytest
from support.report_runs import BOTH, PLAIN, RunTable

from cdkd.report.run_filter import runs_of_study, runs_on_dataset, runs_where
from cdkd.report.tracked import ReportError, Run, read_runs


def _runs() -> tuple[Run, ...]:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    runs.add({**BOTH, "teacher.arch": "tdn"}, 0, 66.0)
    runs.add(BOTH, 0, 65.0, study="other")
    runs.add({**BOTH, "data.name": "ucf101", "train.epochs": 80}, 0, 65.0)
    return read_runs(runs.frame())


def _ids(runs: tuple[Run, ...]) -> list[int]:
    return [int(run.run_id.removeprefix("run")) for run in runs]


def test_by_study_and_by_data_set() -> None:
    assert _ids(runs_of_study(_runs(), "other")) == [2]
    assert _ids(runs_on_dataset(_runs(), "shapes")) == [0, 1, 2]
    with pytest.raises(ReportError, match="known data sets: shapes, ucf101"):
        runs_on_dataset(_runs(), "kitchen")


def test_by_setting_rows_stay_that_never_read_it() -> None:
    assert _ids(runs_where(_runs(), {"teacher.arch": "tdn"})) == [0, 1]
    assert _ids(runs_where(_runs(), {"train.epochs": 40, "teacher.arch": "tsm"})) == [0, 2]
    # What has no effect on a result is still a setting that a run has.
    assert _ids(runs_where(_runs(), {"runtime.device": "auto"})) == [0, 1, 2, 3]


def test_what_no_run_has() -> None:
    with pytest.raises(ReportError, match=r"train.epoch: no tracked run has this setting; did you mean 'train.epochs'"):
        runs_where(_runs(), {"train.epoch": 3})
    with pytest.raises(ReportError, match=r"train.epochs=3: no tracked run has this value; there are 40, 80"):
        runs_where(_runs(), {"train.epochs": 3})
    # Run 0 reads no teacher, so it is not what was asked for either.
    with pytest.raises(ReportError, match=r"teacher.arch=s3d: no tracked run has this value; there are tdn, tsm"):
        runs_where(_runs(), {"teacher.arch": "s3d"})


def test_an_empty_store_asks_for_a_study() -> None:
    for found in (lambda: runs_of_study((), "ablation"), lambda: runs_where((), {"train.epochs": 1})):
        with pytest.raises(ReportError, match=r"run a study first: cdkd sweep ablation.yaml"):
            found()
