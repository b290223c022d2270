"""Whole sweeps: real journal, real store, real processes; only the training is arithmetic."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from support.sweeps import FAKE, GRID, Bench, Recorder, is_alive, wait_until

from cdkd.sweep.study.opening import open_study
from cdkd.sweep.workers.inline import InlineWorker
from cdkd.sweep.workers.result import SweepOptions
from cdkd.sweep.workers.runner import _Sweep, run_sweep
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client, tracking_uri

SEARCH = """
study: search
seeds: [3, 7]
base: {student.arch: tsm}
stages:
  - name: first
    base: {distill: {temporal: {enabled: false}}}
    axes: {distill.spatial.weight: [0.01, 0.1, 1]}
  - name: second
    best: {stage: first, take: [distill.spatial.weight]}
    axes: {distill.temporal.weight: [0.1, 1]}
"""


def test_a_staged_sweep_runs_each_cell_once_and_a_second_one_runs_none(bench: Bench) -> None:
    file = bench.write(SEARCH)
    result = bench.sweep(file, workers=2)
    assert (result.num_cells, result.num_done, result.num_trained) == (10, 10, 10)
    assert result.is_complete and not result.failures
    assert bench.marks("teaching") == ["tsm"]
    assert len(bench.marks("started")) == len(set(bench.marks("started"))) == 10

    runs = load_runs(study="search")
    assert list(runs.status) == ["finished"] * 10
    assert sorted(set(runs.stage)) == ["first", "second"]
    second = runs[runs.stage == "second"]
    assert set(second["settings.distill.spatial.weight"]) == {0.1}
    # 60 + 5 for lambda1 = 0.1 + 2 for lambda2 = 1 + 7 hundredths for the seed, less 2 from validation to test.
    best = second[(second["settings.distill.temporal.weight"] == 1.0) & (second.seed == 7)]
    assert best["metrics.test/top1"].item() == pytest.approx(65.07)
    choice = json.loads(next((bench.folder / ".cdkd/search/choices").glob("first-*.json")).read_text())
    assert choice["values"] == {"distill.spatial.weight": 0.1}
    means = [candidate["mean"] for candidate in choice["candidates"]]
    assert means == pytest.approx([63.05, 65.05, 61.05])

    again = bench.sweep(file, workers=2)
    assert (again.num_done, again.num_trained, again.is_complete) == (10, 0, True)
    assert len(bench.marks("started")) == 10
    assert bench.marks("prepared") == ["shapes"]
    assert bench.display.texts == []

    statuses = {run.data.tags["cdkd.stage"]: run.info.status for run in _runs("search", "stage")}
    assert statuses == {"first": "FINISHED", "second": "FINISHED", "teachers": "FINISHED"}
    (teacher,) = _runs("search", "teacher")
    parents = {run.info.run_id: run for run in _runs("search", "stage")}
    assert parents[teacher.data.tags["mlflow.parentRunId"]].data.tags["cdkd.stage"] == "teachers"
    assert (teacher.data.metrics["test/top1"], teacher.data.tags["cdkd.metadata.dataset"]) == (87.0, "fake")
    (kept,) = open_client(tracking_uri()).list_artifacts(teacher.info.run_id, "checkpoint")
    assert kept.path.endswith(Path(teacher.data.tags["cdkd.metadata.checkpoint"]).name)


def _runs(study: str, role: str) -> list:
    client = open_client(tracking_uri())
    config = client.get_experiment_by_name(study).experiment_id
    return list(client.search_runs([config], f"tags.`cdkd.role` = '{role}'"))


def test_what_another_study_has_finished_is_reused_and_reported(bench: Bench) -> None:
    bench.sweep(bench.write(GRID))
    num_started = len(bench.marks("started"))
    other = GRID.replace("study: grid", "study: other").replace("[1, 2, 3]", "[2, 3, 4]")
    plan = bench.write(other, "other.yaml")
    result = bench.sweep(plan)
    assert (result.num_cells, result.num_done, result.num_reused, result.num_trained) == (6, 6, 4, 2)
    assert len(bench.marks("started")) == num_started + 2
    reused = [text for text in bench.display.texts if text.startswith("reused")]
    assert len(reused) == 4 and all("study grid has trained it" in text for text in reused)
    runs = load_runs(study="other")
    assert len(runs) == 6 and sorted(set(runs.study)) == ["grid", "other"]
    assert len(load_runs(study="grid")) == 6 and len(load_runs()) == 8

    again = bench.sweep(plan)
    assert (again.num_done, again.num_reused, again.num_trained) == (6, 0, 0)


def test_tables_4_and_5_share_the_rows_that_they_have_in_common(bench: Bench) -> None:
    options = SweepOptions(tracking_uri(), 0, runner=FAKE)
    ablation = run_sweep(open_study("ablation.yaml"), options, Recorder())
    assert (ablation.num_cells, ablation.num_trained) == (5, 5)
    # Without distillation, at the chosen lambda1, at the chosen lambda2: the paper's own choices, by the fake accuracy.
    result = run_sweep(open_study("lambda.yaml"), options, Recorder())
    assert (result.num_cells, result.num_reused, result.num_trained) == (9, 3, 6)
    assert len(bench.marks("started")) == 11


def test_a_sweep_says_where_its_studys_recipe_does_not_hold(bench: Bench) -> None:
    for name in ("a/1.mp4", "b/1.mp4"):
        (bench.folder / "videos" / name).parent.mkdir(parents=True)
        (bench.folder / "videos" / name).write_text(name)
    own = GRID.replace("[1, 2, 3]", "[1]").replace("study: grid", "study: grid\nrecipe: shapes2")
    own = own.replace("base: {", f"base: {{data: {{name: folder, root: {bench.folder}/videos}}, ")
    bench.sweep(bench.write(own))
    assert bench.display.texts[0] == (
        "the study's own recipe shapes2 is made for another data set: on folder the defaults hold (--recipe names one)"
    )
    runs = load_runs()
    assert set(runs["settings.train.batch_size"]) == {24} and "metadata.recipe" not in runs
    (stage,) = _runs("grid", "stage")
    assert "recipe" not in stage.data.params


def test_a_fresh_sweep_trains_what_another_study_has(bench: Bench) -> None:
    bench.sweep(bench.write(GRID))
    other = bench.write(GRID.replace("study: grid", "study: other"), "other.yaml")
    result = bench.sweep(other, is_fresh=True)
    assert (result.num_reused, result.num_trained) == (0, 6)
    assert set(load_runs(study="other").study) == {"other"}


def test_a_lost_study_folder_is_rebuilt_from_the_tracking_store(bench: Bench) -> None:
    file = bench.write(GRID)
    bench.sweep(file)
    num_started = len(bench.marks("started"))
    shutil.rmtree(bench.folder / ".cdkd")
    result = bench.sweep(file)
    assert (result.num_done, result.num_reused, result.num_trained) == (6, 6, 0)
    assert len(bench.marks("started")) == num_started
    assert len(load_runs(study="grid")) == 6


def test_an_edited_study_runs_only_what_is_new(bench: Bench) -> None:
    bench.sweep(bench.write(GRID.replace("[1, 2, 3]", "[1, 2]")))
    first = bench.marks("started")
    assert len(first) == 4
    result = bench.sweep(bench.write(GRID.replace("[1, 2, 3]", "[2, 3]")))
    assert (result.num_cells, result.num_trained) == (4, 2)
    assert len(bench.marks("started")) == len(set(bench.marks("started"))) == 6


def test_two_sweeps_at_once_and_a_killed_worker_run_each_cell_to_its_end_once(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    file = bench.write(GRID)
    sweeps = [bench.start(file, "--workers", "1") for _ in range(2)]
    wait_until(lambda: len(bench.marks("started")) == 2)
    wait_until(
        lambda: (
            len(runs := load_runs()) == 2 and "metrics.train/loss" in runs and runs["metrics.train/loss"].notna().all()
        )
    )
    os.kill(min(bench.worker_ids()), signal.SIGKILL)
    wait_until(lambda: len(bench.marks("started")) == 3)
    (bench.fake / "hold").unlink()
    outputs = [sweep.communicate(timeout=240)[0] for sweep in sweeps]
    assert [sweep.returncode for sweep in sweeps] == [0, 0], outputs
    assert "its process ended early" in "".join(outputs)
    assert "was killed by signal 9" in "".join(outputs)
    # Six cells, of which one was started a second time, by whichever worker came first.
    started = bench.marks("started")
    assert (len(started), len(set(started))) == (7, 6)
    assert len(bench.marks("finished")) == len(set(bench.marks("finished"))) == 6

    runs = load_runs()
    assert sorted(runs.status) == ["finished"] * 6 + ["killed"]
    killed = runs[runs.status == "killed"].iloc[0]
    resumed = runs[(runs.cell == killed.cell) & (runs.status == "finished")].iloc[0]
    assert (killed.attempt, resumed.attempt) == (1, 2)
    # Epoch 1 was logged, but no checkpoint of it written: the second attempt logs it again, in a run of its own.
    history = open_client(tracking_uri()).get_metric_history(resumed.run_id, "train/loss")
    assert sorted((point.step, point.value) for point in history) == [(1, 1.0), (2, 1 / 2), (3, 1 / 3), (4, 1 / 4)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_sweep_stops_its_workers_and_goes_on_later(bench: Bench, number: int) -> None:
    (bench.fake / "hold").touch()
    file = bench.write(GRID.replace("[1, 2, 3]", "[1]"))
    sweep = bench.start(file, "--workers", "2")
    wait_until(lambda: len(bench.marks("started")) == 2)
    workers = bench.worker_ids()
    sweep.send_signal(number)
    output, _ = sweep.communicate(timeout=240)
    wait_until(lambda: not any(is_alive(worker) for worker in workers))
    if number == signal.SIGKILL:
        assert sweep.returncode == -signal.SIGKILL
    else:
        assert sweep.returncode == 130
        assert "The same command goes on: cdkd sweep" in output
    assert sorted(load_runs().status) == ["killed", "killed"]
    assert {trial.status for trial in bench.queue().latest().values()} <= {"stale", "waiting"}

    (bench.fake / "hold").unlink()
    assert bench.sweep(file).is_complete
    assert len(bench.marks("finished")) == 2
    assert sorted(load_runs().status) == ["finished", "finished", "killed", "killed"]


def test_what_ends_while_stages_are_opened_is_told_at_the_sweeps_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_stages = _Sweep._open_stages

    def work_meanwhile(sweep: _Sweep, *arguments: Any) -> None:
        open_stages(sweep, *arguments)
        # As a worker of another process may: between a turn's look for news and its look for what is left.
        work(sweep.workers, 0.0)

    work = InlineWorker.wait
    monkeypatch.setattr(_Sweep, "_open_stages", work_meanwhile)
    monkeypatch.setattr(InlineWorker, "wait", lambda self, seconds: None)
    result = bench.sweep(bench.write(GRID.replace("[1, 2, 3]", "[1]")))
    assert (result.num_cells, result.num_trained) == (2, 2)
    assert [text.split()[0] for text in bench.display.texts if text.startswith("finished")] == ["finished"] * 2


def test_a_failed_cell_keeps_its_traceback_and_is_retried_only_on_request(bench: Bench) -> None:
    (bench.fake / "fail-tdn").touch()
    file = bench.write(GRID.replace("[1, 2, 3]", "[1]"))
    result = bench.sweep(file)
    assert (result.num_cells, result.num_done) == (2, 1)
    (failure,) = result.failures
    assert failure.label == "student.arch tdn, train.epochs 1, seed 0"
    assert failure.error == "RuntimeError: tdn fails as told"
    assert failure.traceback.read_text().startswith("Traceback (most recent call last):")
    failed = load_runs().query("status == 'failed'").iloc[0]
    run = open_client(tracking_uri()).get_run(failed.run_id)
    assert (run.info.status, run.data.tags["cdkd.error"]) == ("FAILED", "RuntimeError: tdn fails as told")
    files = [found.path for found in open_client(tracking_uri()).list_artifacts(failed.run_id, "failure")]
    assert files == [f"failure/{failure.traceback.name}"]

    (bench.fake / "fail-tdn").unlink()
    assert bench.sweep(file).num_done == 1
    assert len(bench.marks("started")) == 2
    result = bench.sweep(file, retry_failed=True)
    assert (result.num_done, result.num_trained) == (2, 1)


def test_after_a_failure_nothing_more_is_started_when_asked_so(bench: Bench) -> None:
    (bench.fake / "fail-tsm").touch()
    result = bench.sweep(bench.write(GRID), stop_on_failure=True)
    assert len(result.failures) == 1
    assert len(bench.marks("started")) == 1
    states = sorted(trial.status for trial in bench.queue().latest().values())
    assert states == ["failed"] + ["waiting"] * 5


def test_cells_of_a_failed_teacher_wait_and_the_others_run(bench: Bench) -> None:
    (bench.fake / "fail-teacher-tdn").touch()
    text = """
        study: grid
        stages:
          - name: rows
            axes: {teacher.arch: [tsm, tdn]}
            rows: {none: {distill: {spatial: {enabled: false}, temporal: {enabled: false}}}}
    """
    file = bench.write(text)
    result = bench.sweep(file)
    assert (result.num_cells, result.num_done) == (3, 2)
    assert [failure.label for failure in result.failures] == ["teacher tdn (slim)"]
    (bench.fake / "fail-teacher-tdn").unlink()
    assert bench.sweep(file, retry_failed=True).is_complete
    assert bench.marks("teaching") == ["tdn", "tdn", "tsm"]


def test_a_diverged_run_is_a_result_but_no_candidate(bench: Bench) -> None:
    (bench.fake / "diverge-0.1").touch()
    result = bench.sweep(bench.write(SEARCH.replace("[3, 7]", "[3]")))
    assert result.is_complete
    runs = load_runs()
    assert list(runs[runs["settings.distill.spatial.weight"] == 0.1].status) == ["diverged"]
    assert set(runs[runs.stage == "second"]["settings.distill.spatial.weight"]) == {0.01}


def test_a_finished_cell_whose_run_was_deleted_runs_again(bench: Bench) -> None:
    file = bench.write(GRID.replace("[1, 2, 3]", "[1]"))
    bench.sweep(file)
    open_client(tracking_uri()).delete_run(load_runs().run_id[0])
    result = bench.sweep(file)
    assert (result.num_done, result.num_trained) == (2, 1)
    assert bench.display.texts[0] == "1 finished cells have no run in sqlite:///mlflow.db; they run again"
    assert list(load_runs().status) == ["finished", "finished"]
