"""Cells that two processes train together: the result of one process, its failures, its interruptions."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.sweeps import Bench, is_alive, wait_until
from support.tiny import BASELINE, TINY, tiny

from cdkd.callbacks import silent
from cdkd.config import merge_dotted
from cdkd.errors import CdkdError
from cdkd.experiment import RUNNER
from cdkd.graceful_stop import StoppedAtCheckpoint, forget_stop_request, request_stop
from cdkd.sweep.workers.cell_group import make_runner
from cdkd.sweep.workers.cell_runner import DEFAULT_RUNNER
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client, tracking_uri

GROUP = "support.group_runner:RUNNER"
ONE_CELL = """
study: grid
stages:
  - name: rows
    rows: {plain: {student.decoder: false, student.head: streams}}
    base: {distill: {spatial: {enabled: false}, temporal: {enabled: false}}}
"""


def history(run_id: str, metric: str) -> list[tuple[int, float]]:
    points = open_client(tracking_uri()).get_metric_history(run_id, metric)
    return sorted((point.step, point.value) for point in points)


def pids(bench: Bench, rank: int) -> list[int]:
    """Of the processes of a rank, oldest first."""
    folder = bench.fake / "started"
    found = [file.name.split("-") for file in folder.iterdir()] if folder.exists() else []
    return [int(pid) for r, pid, _ in sorted(found, key=lambda parts: int(parts[2])) if int(r) == rank]


def test_two_processes_train_the_cell_of_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(bench.folder / "home"))
    base = merge_dotted(TINY, {key.replace("__", "."): value for key, value in BASELINE.items()})
    study = {"study": "real", "base": base, "stages": [{"name": "rows", "rows": {"plain": {}}}]}
    file = bench.write(json.dumps(study))
    result = bench.sweep(file, runner=DEFAULT_RUNNER, processes_per_cell=2)
    assert (result.num_trained, result.is_complete) == (1, True)
    # One process alone talks to the tracking store.
    (run,) = load_runs().itertuples()
    assert (run.status, run.attempt) == ("finished", 1)
    # As a cell of one process: the same losses, and the same identity, so that nothing is left to train.
    alone: list[tuple[int, float]] = []
    RUNNER.run(tiny(**BASELINE), bench.folder / "alone", lambda m, epoch: alone.append((epoch, m["train/loss"])))
    together = history(run.run_id, "train/loss")
    assert [epoch for epoch, _ in together] == [1, 2]
    assert [loss for _, loss in together] == pytest.approx([loss for _, loss in alone], rel=1e-3)
    again = bench.sweep(file, runner=DEFAULT_RUNNER)
    assert (again.num_trained, again.num_done) == (0, 1)


def test_what_stops_one_process_ends_all_and_the_cell_goes_on(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    arguments = ("--runner", GROUP, "--workers", "1", "--gpus-per-cell", "2", "--set", "runtime.device=cpu")
    file = bench.write(ONE_CELL)
    sweep = bench.start(file, *arguments)
    wait_until(lambda: all(pids(bench, rank) for rank in (0, 1)), 180)
    wait_until(
        lambda: len(runs := load_runs()) == 1 and "metrics.train/loss" in runs and runs["metrics.train/loss"][0] == 0.5,
        60,
    )
    # 1. The kernel kills one: the other ends with it, another worker goes on.
    os.kill(pids(bench, 1)[0], signal.SIGKILL)
    wait_until(lambda: len(pids(bench, 0)) == len(pids(bench, 1)) == 2, 180)
    assert not is_alive(pids(bench, 0)[0])
    # 2. The sweep is interrupted: nothing of it stays.
    sweep.send_signal(signal.SIGINT)
    output, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 130, output
    assert "was killed by signal 9; started another" in output
    wait_until(lambda: not any(is_alive(pid) for rank in (0, 1) for pid in pids(bench, rank)))
    assert list(load_runs().status) == ["killed", "killed"]
    # 3. The third attempt takes up where the first one's checkpoint stood, and shows every epoch once.
    (bench.fake / "hold").unlink()
    sweep = bench.start(file, *arguments)
    output, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, output
    (run,) = load_runs().query("status == 'finished'").itertuples()
    assert history(run.run_id, "train/loss") == [(epoch, 1.0 / epoch) for epoch in (1, 2, 3, 4)]
    assert load_runs().query("status == 'finished'")["metrics.test/top1"].item() == 70.0


def test_a_process_that_fails_is_the_cells_failure(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    (bench.fake / "fail-1").touch()
    runner = make_runner(GROUP, 2)
    with pytest.raises(CdkdError, match=r"^ValueError: process 1 fails as told$") as caught:
        runner.run(tiny(), bench.folder, lambda metrics, epoch: None, silent)
    assert "group_runner.py" in str(caught.value.__cause__)
    assert not any(is_alive(pid) for pid in pids(bench, 0))


def test_a_store_that_fails_ends_the_processes(bench: Bench) -> None:
    def log(metrics: dict[str, float], epoch: int) -> None:
        raise OSError("no store")

    with pytest.raises(OSError, match="no store"):
        make_runner(GROUP, 2).run(tiny(), bench.folder, log, silent)
    wait_until(lambda: not any(is_alive(pid) for rank in (0, 1) for pid in pids(bench, rank)))
    # What was not heard left no checkpoint.
    assert not (bench.folder / "state.json").exists()


def test_a_request_to_stop_reaches_the_training(bench: Bench) -> None:
    request_stop()
    try:
        with pytest.raises(StoppedAtCheckpoint):
            make_runner(GROUP, 2).run(tiny(), bench.folder, lambda metrics, epoch: None, silent)
    finally:
        forget_stop_request()
    assert (bench.folder / "state.json").read_text() == "1"


def test_processes_that_cannot_begin_are_no_mystery(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: real(["/bin/false"], **options))
    with pytest.raises(CdkdError, match="torchrun ended before any process of the cell had begun"):
        make_runner(GROUP, 2).run(tiny(), Path("x"), lambda metrics, epoch: None, silent)
