"""`cdkd stop` ends a sweep and its workers, and a worker on its own, behind an epoch of which nothing is lost."""

from pathlib import Path

from click.testing import CliRunner
from support.sweeps import FAKE, GRID, Bench, is_alive, wait_until

from cdkd.cli import group
from cdkd.sweep.queue.stop_request import ask_to_stop
from cdkd.sweep.queue.study_processes import live_processes
from cdkd.tracking.runs import load_runs

LINE = "The same command goes on: "


def stop(*arguments: str) -> str:
    return CliRunner().invoke(group, ["stop", *arguments], catch_exceptions=False).output


def test_a_sweep_and_its_workers_end_and_go_on(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    file = bench.write(GRID)
    process = bench.start(file, "--workers", "2")
    wait_until(lambda: len(bench.marks("started")) == 2)
    told = stop("grid")
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "asked to stop: starting no more" in output
    assert told.splitlines()[1:-1] == [f"ended {told.splitlines()[0].split(': ')[0].removeprefix('asked ')}"]
    again = f"sweep {file} --workers 2 --no-report --runner {FAKE}\n"
    assert told.endswith(again) and LINE in told and output.endswith(again)
    assert not any(is_alive(number) for number in bench.worker_ids())
    assert sorted(load_runs().status) == ["killed", "killed"]

    # A request means those who ran when it was made.
    (bench.fake / "hold").unlink()
    assert bench.sweep(file).is_complete
    # Epochs 1 and 2 of the two that were stopped were not trained again: each of the six began once more at most.
    assert len(bench.marks("started")) == 8 and len(bench.marks("finished")) == 6


def test_a_worker_on_its_own_ends(bench: Bench) -> None:
    (bench.fake / "fail-tsm").touch()
    bench.sweep(bench.write(GRID), stop_on_failure=True)
    (bench.fake / "fail-tsm").unlink()
    (bench.fake / "hold").touch()
    begun = len(bench.marks("started"))
    worker = bench.run("worker", ".cdkd/grid", "--runner", FAKE)
    wait_until(lambda: len(bench.marks("started")) > begun)
    assert "All have ended." in stop("grid")
    assert worker.wait(30) == 0


def test_a_sweep_in_one_process_ends_at_once_where_that_is_asked(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    process = bench.start(bench.write(GRID), "--workers", "0")
    wait_until(lambda: bool(bench.marks("started")))
    assert stop("grid", "--now", "--no-wait").startswith("asked sweep ")
    assert process.wait(60) == 130


def test_nobody_to_ask(bench: Bench) -> None:
    bench.sweep(bench.write(GRID))
    assert stop("grid") == f"Nothing of grid runs in {Path('.cdkd/grid')}.\n"
    folder = bench.queue().folder
    ask_to_stop(folder)
    assert live_processes(folder) == []
