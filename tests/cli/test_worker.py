"""`cdkd worker` takes what `cdkd sweep` takes: how many processes, which cells, failed ones once more."""

import re
import signal
import subprocess
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from support.sweeps import FAKE, GRID, Bench, wait_until

from cdkd.cli import group
from cdkd.cli.slurm_options import slurm_options
from cdkd.cli.sweep import command as sweep_command
from cdkd.cli.worker import command as worker_command
from cdkd.tracking.runs import load_runs


@pytest.fixture
def failed(bench: Bench) -> Bench:
    """Six cells are planned; the first has failed, and five wait."""
    (bench.fake / "fail-tsm").touch()
    assert bench.sweep(bench.write(GRID), stop_on_failure=True).num_done == 0
    (bench.fake / "fail-tsm").unlink()
    return bench


def labels(bench: Bench, status: str) -> list[tuple[str, ...]]:
    found = [trial for trial in bench.queue().latest().values() if trial.status == status]
    return sorted(tuple(trial.task.labels.values()) for trial in found)


def start(bench: Bench, *arguments: str) -> "subprocess.Popen[str]":
    return bench.run("worker", str(bench.folder / "study.yaml"), "--runner", FAKE, *arguments)


def work(bench: Bench, *arguments: str) -> str:
    return end(start(bench, *arguments))


def end(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def test_several_processes_take_the_chosen_cells_alone(failed: Bench) -> None:
    (failed.fake / "hold").touch()
    process = start(failed, "--workers", "2", "--only", "student.arch=tdn")
    wait_until(lambda: len(failed.worker_ids()) == 3)
    (failed.fake / "hold").unlink()
    output = end(process)
    assert output.startswith("grid: opening sqlite:///")
    assert labels(failed, "finished") == [("tdn", "1"), ("tdn", "2"), ("tdn", "3")]
    assert labels(failed, "waiting") == [("tsm", "2"), ("tsm", "3")] and labels(failed, "failed") == [("tsm", "1")]
    # The start of a cell that ends within a look is not told.
    told = re.findall(r"^[\d:]{8} finished (student.arch tdn, train.epochs \d, seed 0): test", output, re.MULTILINE)
    assert sorted(told) == [f"student.arch tdn, train.epochs {epochs}, seed 0" for epochs in "123"]


def test_failed_cells_run_once_more_and_the_terminal_tells_of_each(failed: Bench) -> None:
    output = work(failed, "--retry-failed", "--only", "student.arch=tsm", "--only", "train.epochs=1")
    assert labels(failed, "finished") == [("tsm", "1")] and len(labels(failed, "waiting")) == 5
    assert re.search(r"started  student.arch tsm, train.epochs 1, seed 0 \(attempt 2\)", output)
    assert re.search(r"finished student.arch tsm, train.epochs 1, seed 0: test top-1 58.0 %", output)


def test_a_failure_ends_it_where_that_was_asked_for(failed: Bench) -> None:
    (failed.fake / "fail-tdn").touch()
    output = work(failed, "--on-failure", "stop", "--only", "student.arch=tdn")
    assert "FAILED   student.arch tdn, train.epochs 1, seed 0: RuntimeError: tdn fails as told" in output
    assert len(labels(failed, "failed")) == 2


def test_cells_are_chosen_of_a_studys_file(bench: Bench) -> None:
    bench.sweep(bench.write(GRID))
    refused = CliRunner().invoke(group, ["worker", ".cdkd/grid", "--only", "student.arch=tdn"])
    assert refused.exit_code == 2 or "name the study's file" in str(refused.exception)


@click.command()
@slurm_options
def of_cluster(**_: object) -> None:
    """The options of a cluster alone."""


@pytest.fixture
def has_terminal() -> Iterator[None]:
    """Children do not ignore its end, even where these tests were started with nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("has_terminal")
def test_a_terminal_that_goes_ends_it_in_good_order(failed: Bench) -> None:
    (failed.fake / "hold").touch()
    process = start(failed)
    wait_until(lambda: labels(failed, "running") != [])
    wait_until(lambda: len(failed.marks("started")) == 2)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == -signal.SIGHUP
    assert len(labels(failed, "waiting")) == 5 and labels(failed, "running") == []
    assert sorted(load_runs().status) == ["failed", "killed"]


def test_it_has_the_options_of_a_sweep() -> None:
    # Less what is about its tables and about the jobs of a cluster, of which a worker is one.
    its_own = {"no_report", "schema", *(option.name for option in of_cluster.params)}
    sweeps = {parameter.name for parameter in sweep_command.params} - its_own
    assert sweeps <= {parameter.name for parameter in worker_command.params}
