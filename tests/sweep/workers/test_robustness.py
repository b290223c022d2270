"""Sweeps on a machine that lets them down: the store goes, other studies hold the cells, processes are killed."""

import contextlib
import csv
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.postgres import PostgresServer
from support.sweeps import GRID, Bench, is_alive, wait_until

from cdkd.report.render import render
from cdkd.report.tracked import read_runs
from cdkd.report.writing import load_study_report
from cdkd.sweep.queue.trial_queue import QueuedTask
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client, tracking_uri

TWO = GRID.replace("[1, 2, 3]", "[1]")


def open_runs() -> list[str]:
    """Roles of all runs of the store that have no end."""
    client = open_client(tracking_uri())
    experiments = [found.experiment_id for found in client.search_experiments()]
    return [run.data.tags["cdkd.role"] for run in client.search_runs(experiments, "attributes.status = 'RUNNING'")]


def test_a_sweep_waits_out_a_store_that_is_moved_away(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    file = bench.write(TWO)
    sweep = bench.start(file, "--workers", "2")
    wait_until(lambda: len(bench.marks("started")) == 2)
    Path("mlflow.db").rename("elsewhere.db")
    (bench.fake / "hold").unlink()
    # Both are trained to their end meanwhile; only the settling waits.
    wait_until(lambda: len(bench.marks("finished")) == 2)
    notices = bench.folder / ".cdkd/grid/notices.log"
    wait_until(lambda: notices.exists() and notices.read_text().count("the tracking store is away") == 2)
    Path("elsewhere.db").rename("mlflow.db")
    output, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, output
    assert "the tracking store is away (tracking store" in output and "the tracking store is back" in output
    runs = load_runs()
    assert list(runs.status) == ["finished"] * 2 and list(runs.attempt) == [1, 1]
    for run_id in runs.run_id:
        history = open_client(tracking_uri()).get_metric_history(run_id, "train/loss")
        assert sorted((point.step, point.value) for point in history) == [(1, 1.0), (2, 1 / 2), (3, 1 / 3), (4, 1 / 4)]
    assert len(bench.marks("started")) == 2 and open_runs() == []


def test_control_c_is_heard_while_the_store_is_away(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    sweep = bench.start(bench.write(TWO), "--workers", "2")
    wait_until(lambda: len(bench.marks("started")) == 2)
    wait_until(lambda: len(open_runs()) == 3)
    workers = bench.worker_ids()
    Path("mlflow.db").rename("elsewhere.db")
    sweep.send_signal(signal.SIGINT)
    output, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 130
    assert "the next sweep closes what is open there" in output
    assert not any(is_alive(worker) for worker in workers)
    Path("elsewhere.db").rename("mlflow.db")
    # What the stopped processes could not close: by its token, though no run was ever noted with its task.
    assert sorted(open_runs()) == ["cell", "cell", "stage"]
    (bench.fake / "hold").unlink()
    assert bench.sweep(bench.folder / "study.yaml").is_complete
    assert open_runs() == []
    assert sorted(load_runs().status) == ["finished", "finished", "killed", "killed"]


def test_control_c_is_heard_while_the_database_is_away(bench: Bench, postgres: PostgresServer) -> None:
    (bench.fake / "hold").touch()
    address = postgres.address(postgres.new_database())
    sweep = bench.start(bench.write(TWO), "--workers", "1", "--storage", address)
    wait_until(lambda: bool(bench.marks("started")))
    postgres.stop()
    try:
        sweep.send_signal(signal.SIGINT)
        output, _ = sweep.communicate(timeout=60)
    finally:
        postgres.start()
    assert sweep.returncode == 130
    assert "does not answer; the next sweep settles what is open there\n" in output
    assert output.splitlines()[-1].startswith("Interrupted. The same command goes on: cdkd sweep ")
    assert not any(is_alive(worker) for worker in bench.worker_ids())


def test_a_worker_in_another_folder_uses_the_studys_store(bench: Bench) -> None:
    (bench.fake / "fail-tsm").touch()
    bench.sweep(bench.write(GRID), stop_on_failure=True)
    (bench.fake / "fail-tsm").unlink()
    (bench.folder / "other").mkdir()

    def worker(*options: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cdkd", "worker", "../.cdkd/grid", *options],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            cwd=bench.folder / "other",
            capture_output=True,
            text=True,
            check=False,
        )

    refused = worker("--tracking-uri", "sqlite:///mlflow.db")
    assert refused.returncode == 1
    assert refused.stderr.startswith("cdkd: ") and refused.stderr.count("\n") == 1
    assert len(bench.marks("started")) == 1
    (bench.fake / "broken").write_text("no GPU is left")
    broken = worker()
    assert (broken.returncode, broken.stderr) == (
        1,
        "cdkd: this process can train nothing: RuntimeError: no GPU is left\n",
    )
    assert len(bench.marks("started")) == 1
    (bench.fake / "broken").unlink()
    done = worker()
    assert done.returncode == 0, done.stderr
    assert sorted(load_runs().status) == ["failed"] + ["finished"] * 5
    assert list((bench.folder / "other").iterdir()) == [] and open_runs() == []


def test_nothing_runs_that_the_present_study_does_not_hold(bench: Bench) -> None:
    (bench.fake / "fail-tsm").touch()
    bench.sweep(bench.write(GRID), stop_on_failure=True)
    (bench.fake / "fail-tsm").unlink()
    assert bench.queue().latest().keys() and len(bench.marks("started")) == 1
    # Five cells wait. One of them alone is asked for now, and the rows of the others are gone.
    result = bench.sweep(bench.write(GRID.replace("[tsm, tdn]", "[tdn]").replace("[1, 2, 3]", "[2]")), workers=1)
    assert (result.num_cells, result.num_trained) == (1, 1)
    assert len(bench.marks("started")) == 2
    states = [trial.status for trial in bench.queue().latest().values()]
    assert sorted(states) == ["failed", "finished", "waiting", "waiting", "waiting", "waiting"]


def test_a_cell_that_another_study_trains_is_waited_for(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    first = bench.start(bench.write(TWO), "--workers", "2")
    wait_until(lambda: len(bench.marks("started")) == 2)
    other = bench.write(TWO.replace("study: grid", "study: other"), "other.yaml")
    second = bench.start(other, "--workers", "1")
    assert second.stdout is not None
    seen = []
    for line in second.stdout:
        seen.append(line)
        if "study grid is training it" in line:
            break
    (bench.fake / "hold").unlink()
    output = "".join(seen) + second.communicate(timeout=240)[0]
    assert first.communicate(timeout=240) and first.returncode == 0
    assert second.returncode == 0, output
    assert output.count("reused   ") == 2 and "study grid has trained it" in output
    assert len(bench.marks("started")) == 2
    assert len(load_runs(study="other")) == 2 and len(load_runs()) == 2


def test_a_sweep_lets_its_workers_end_the_runs_of_their_last_cells(bench: Bench) -> None:
    # A cell is done once it is settled; its run ends a moment later, and until then no other study finds the result.
    (bench.fake / "slow-close").write_text("1.5")
    sweep = bench.start(bench.write(TWO), "--workers", "2")
    output, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, output
    assert len(bench.marks("started")) == len(bench.marks("closed")) == 2


def test_the_cell_of_a_dead_study_is_taken_over(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    first = bench.start(bench.write(TWO), "--workers", "2")
    wait_until(lambda: len(bench.marks("started")) == 2)
    workers = bench.worker_ids()
    first.kill()
    first.communicate()
    wait_until(lambda: not any(is_alive(worker) for worker in workers))
    (bench.fake / "hold").unlink()
    result = bench.sweep(bench.write(TWO.replace("study: grid", "study: other"), "other.yaml"))
    assert (result.num_trained, result.num_reused) == (2, 0)


def test_what_the_machine_did_to_a_cell_is_no_failure_of_the_cell(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdkd.sweep.workers.machine_trouble._SECONDS_BETWEEN_TRIES", (0.0, 0.0))
    (bench.fake / "missing-module").touch()
    with pytest.raises(Exception, match="3 tasks in a row could not be run on this machine: ModuleNotFoundError"):
        bench.sweep(bench.write(TWO))
    assert [text for text in bench.display.texts if text.startswith("put back tsm, 1, seed 0: ModuleNotFoundError")]
    assert {trial.status for trial in bench.queue().latest().values()} == {"waiting"}
    (bench.fake / "missing-module").unlink()
    assert bench.sweep(bench.folder / "study.yaml").is_complete
    assert set(load_runs().status) == {"killed", "finished"} and open_runs() == []


def test_the_last_epoch_and_loss_of_a_diverged_cell_are_told(bench: Bench) -> None:
    (bench.fake / "diverge-0.1").touch()
    result = bench.sweep(bench.write(TWO))
    assert (result.num_cells, result.num_done, result.num_diverged) == (2, 2, 2)
    assert all(trial.error == "in epoch 5, last loss 0.25" for trial in bench.queue().latest().values())
    assert "diverged student.arch tsm, train.epochs 1, seed 0: in epoch 5, last loss 0.25" in "\n".join(
        bench.display.texts
    )
    assert set(load_runs()["metadata.diverged"]) == {"in epoch 5, last loss 0.25"}


def children_of(sweep: "subprocess.Popen[str]") -> list[int]:
    """The workers that it has now."""
    try:
        return [int(child) for child in Path(f"/proc/{sweep.pid}/task/{sweep.pid}/children").read_text().split()]
    except OSError:
        return []


def storm(sweep: "subprocess.Popen[str]", seconds: float, draw: random.Random) -> int:
    """Kills a process of the sweep again and again, young ones included; the number of its kills."""
    num_kills, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline and sweep.poll() is None:
        time.sleep(draw.uniform(0.2, 1.0))
        if victims := children_of(sweep):
            with contextlib.suppress(ProcessLookupError):
                os.kill(draw.choice(victims), signal.SIGKILL)
                num_kills += 1
    return num_kills


def test_a_storm_of_kills_leaves_what_an_undisturbed_sweep_leaves(bench: Bench) -> None:
    text = GRID.replace("[1, 2, 3]", "[1, 2, 3, 4, 5, 6]")
    file, draw, num_kills = bench.write(text), random.Random(4), 0
    for _ in range(2):
        sweep = bench.start(file, "--workers", "3")
        threading.Thread(target=sweep.communicate, daemon=True).start()
        # Opening the store takes seconds, before which there is nothing to kill.
        wait_until(lambda sweep=sweep: bool(children_of(sweep)))  # type: ignore[misc]
        num_kills += storm(sweep, 6.0, draw)
        sweep.kill()
        sweep.wait()
    assert num_kills >= 4
    result = bench.sweep(file, workers=3)
    assert result.is_complete and not result.failures
    finished = bench.marks("finished")
    runs = load_runs()
    assert len(runs[runs.status == "finished"]) == runs[runs.status == "finished"].cell.nunique() == 12
    assert set(runs.status) <= {"finished", "killed"} and open_runs() == []
    assert len(set(finished)) == 12
    disturbed = sorted((run.cell, sorted(run.metrics.items())) for run in read_runs(runs) if run.is_finished)
    report = report_of("grid", tracking_uri())

    for name in (".cdkd", "fake"):
        shutil.rmtree(bench.folder / name)
    bench.fake.mkdir()
    # In a store of its own: the one before holds these cells.
    calm = bench.start(file, "--workers", "3", "--tracking-uri", "sqlite:///calm.db")
    calm.communicate(timeout=240)
    assert calm.returncode == 0
    runs = load_runs("sqlite:///calm.db")
    undisturbed = sorted((run.cell, sorted(run.metrics.items())) for run in read_runs(runs))
    assert disturbed == undisturbed
    assert report == report_of("grid", "sqlite:///calm.db")


def report_of(study: str, uri: str) -> list[str]:
    """A study's report in every format; ids of runs, which are random, are left out of the one that names them."""
    report = load_study_report(study, uri)
    texts = [render([report], form) for form in ("text", "markdown", "latex", "html")]
    rows = list(csv.DictReader(io.StringIO(render([report], "csv"))))
    assert all(row.pop("run_ids") for row in rows)
    return [*texts, str(rows)]


def test_the_queue_says_whose_an_open_run_is(bench: Bench) -> None:
    # A death between the noting of the token and the end of the run; its folder is gone since.
    from cdkd.sweep.workers.abandoned_runs import close_abandoned_runs
    from cdkd.sweep.workers.attempt import queue_name
    from cdkd.tracking.mlflow_tracker import MlflowTracker
    from cdkd.tracking.tracker import RunStart

    tracker = MlflowTracker(tracking_uri(), "grid", bench.folder)
    tracker.prepare(["rows"])
    queue = bench.queue()
    queue.enqueue([QueuedTask("a", "cell", "rows"), QueuedTask("b", "cell", "rows")])
    claim = queue.claim()
    assert claim is not None
    queue.note(claim.trial.number, token="alive")
    owner = queue_name(queue)
    for token, owned_by in (("alive", owner), ("dead", owner), ("elsewhere", "host:/other/folder")):
        tracker.open(RunStart("cell", "grid", "rows", token, "0" * 12, 0, 1, "", {}, token=token, owner=owned_by))
    assert close_abandoned_runs(queue, tracker, owner) == 1
    statuses = {run.data.tags["cdkd.token"]: run.info.status for run in _cells()}
    assert statuses == {"alive": "RUNNING", "dead": "KILLED", "elsewhere": "RUNNING"}
    claim.lock.release()


def _cells() -> list:
    client = open_client(tracking_uri())
    experiment = client.get_experiment_by_name("grid").experiment_id
    return list(client.search_runs([experiment], "tags.`cdkd.role` = 'cell'"))
