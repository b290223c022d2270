"""Sweeps on a Slurm cluster of one node: arrays, preemption and warnings, cancelling, and what is refused."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.slurm import one_node_cluster
from support.sweeps import GRID, Bench, wait_until

from cdkd.cli import group
from cdkd.errors import CdkdError
from cdkd.sweep.workers.places import Places
from cdkd.sweep.workers.slurm import SlurmCluster, SlurmOptions, parse_minutes
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client, tracking_uri

TWO = GRID.replace("[1, 2, 3]", "[1]")


@pytest.fixture(scope="module")
def configuration() -> Iterator[Path]:
    with one_node_cluster() as file:
        yield file


@pytest.fixture
def slurm(configuration: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("SLURM_CONF", str(configuration))
    return bench


def ran(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def words() -> dict[str, str]:
    """Job -> its state in Slurm's word."""
    rows = ran("squeue", "-h", "-r", "-t", "all", "-n", "cdkd", "-o", "%i %T").split("\n")
    return dict(row.split() for row in rows if row)


def test_cells_that_are_warned_or_preempted_go_on_from_their_checkpoints(slurm: Bench) -> None:
    (slurm.fake / "hold").touch()
    sweep = slurm.start(slurm.write(TWO), "--launcher", "slurm", "--workers", "2", "--time", "10", "--no-report")
    wait_until(lambda: len(slurm.marks("started")) == 2, 120)
    first, second = sorted(job for job, word in words().items() if word == "RUNNING")
    # Both hold before their second epoch. What comes before a time limit:
    ran("scancel", "--signal=USR2", first)
    wait_until(lambda: words()[first] == "PENDING", 60)
    assert words()[second] == "RUNNING"
    # A job of more weight needs the cores of all others: Slurm itself queues those again.
    ran("srun", "--partition", "urgent", "--cpus-per-task", "4", "true")
    (slurm.fake / "hold").unlink()
    output, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, output
    assert "2 of 2 cells finished" in output and set(words().values()) == {"COMPLETED"}
    # Begun twice each, and finished once; nothing counts as a failure or as an unexplained death.
    assert len(slurm.marks("finished")) == 2 and len(set(slurm.marks("started"))) == 2
    queue = slurm.queue()
    before = [trial for trial in queue.trials() if trial.status == "stale"]
    assert before and all(queue.noted(trial.number, "is_interrupted") for trial in before)
    runs = load_runs()
    finished = runs[runs.status == "finished"]
    assert len(finished) == 2 and set(runs.status) == {"finished", "killed"}
    for run_id in finished.run_id:
        history = open_client(tracking_uri()).get_metric_history(run_id, "train/loss")
        assert sorted((point.step, point.value) for point in history) == [(1, 1.0), (2, 1 / 2), (3, 1 / 3), (4, 1 / 4)]


def test_stopping_a_sweep_cancels_jobs_that_have_not_begun(slurm: Bench) -> None:
    options = ("--launcher", "slurm", "--workers", "2", "--sbatch", "begin=now+1hour", "--sbatch", "comment=mine")
    known = words().keys()
    sweep = slurm.start(slurm.write(TWO), *options)
    assert sweep.stdout is not None
    told_of = next(line for line in sweep.stdout if "queue" in line)
    assert told_of.endswith(" 2 of 2 jobs wait in the cluster's queue: BeginTime\n")
    jobs = words().keys() - known
    assert len(jobs) == 2 and {words()[job] for job in jobs} == {"PENDING"}
    told = CliRunner().invoke(group, ["stop", "grid"], catch_exceptions=False).output
    output, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 130, output
    # Slurm forgets them at once.
    assert {words().get(job, "CANCELLED") for job in jobs} == {"CANCELLED"}
    # With all options that it had.
    assert " --launcher slurm --sbatch begin=now+1hour --sbatch comment=mine " in told.splitlines()[-1]


def test_jobs_of_a_killed_sweep_can_be_stopped(slurm: Bench) -> None:
    known = words().keys()
    sweep = slurm.start(slurm.write(TWO), "--launcher", "slurm", "--workers", "1", "--sbatch", "begin=now+1hour")
    recorded = slurm.folder / ".cdkd/grid/jobs"
    wait_until(lambda: any(recorded.glob("*/jobs.json")), 60)
    jobs = list(words().keys() - known)
    sweep.kill()
    sweep.communicate()
    told = CliRunner().invoke(group, ["stop", "grid"], catch_exceptions=False).output
    assert f"asked job {jobs[0]}\n" in told and words().get(jobs[0], "CANCELLED") == "CANCELLED"


def test_what_the_cluster_does_not_have_is_refused_in_one_line(slurm: Bench) -> None:
    def refusal(**options: object) -> str:
        with pytest.raises(CdkdError) as caught:
            slurm.sweep(slurm.write(TWO), workers=1, slurm=SlurmOptions(**options))  # type: ignore[arg-type]
        return str(caught.value)

    assert refusal(partition="gpu") == "--partition: there is no partition gpu; this cluster has main, urgent"
    assert refusal(others={"nodelist": "nowhere"}) == (
        "the cluster refuses the jobs: sbatch: error: Batch job submission failed: Invalid node name specified"
    )
    assert refusal(others={"acount": "x"}) == "the cluster refuses the jobs: sbatch: unrecognized option '--acount=x'"
    assert slurm.marks("started") == []


def test_a_cluster_of_several_machines_needs_what_all_of_them_reach(
    slurm: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "login")
    cluster = SlurmCluster(SlurmOptions(), Places(1), may_use_gpus=False)
    database, server = "postgresql+psycopg://me@db.example/cdkd", "http://tracking.example:5000"
    for storage, uri, words_of_it in (
        (None, server, "the study's journal is safe on one machine alone"),
        ("postgresql+psycopg://me@/cdkd?host=/tmp", server, "cannot reach a database by an address of this machine's"),
        ("postgresql+psycopg://me@localhost/cdkd", server, "cannot reach a database by an address of this machine's"),
        (database, "sqlite:///mlflow.db", "cannot share the tracking store sqlite:///mlflow.db, a file"),
        (database, "http://127.0.0.1:5000", "cannot reach http://127.0.0.1:5000; name the server by its host's name"),
    ):
        with pytest.raises(CdkdError, match=words_of_it):
            cluster.require_reach(storage, uri)
    cluster.require_reach(database, server)


def test_without_slurm_that_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'cdkd[slurm]'")
    monkeypatch.setenv("PATH", str(bench.folder))
    with pytest.raises(CdkdError, match=r"^--launcher slurm: no sbatch here; type it on a machine that submits"):
        SlurmCluster(SlurmOptions(), Places(1), may_use_gpus=False)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("4:00:00", 240), ("2-0", 2880), ("1-12:30:00", 2190), ("0:30", 1), ("1:00", 1), ("10:00:01", 601)],
)
def test_times_are_read_as_sbatch_reads_them(text: str, minutes: int) -> None:
    assert parse_minutes(text) == minutes


def test_options_of_jobs_alone_are_refused_without_them() -> None:
    ended = CliRunner().invoke(group, ["sweep", "ablation.yaml", "--partition", "gpu", "--time", "10"])
    assert ended.exit_code == 2 and "--partition, --time: only with --launcher slurm" in ended.output
    ended = CliRunner().invoke(group, ["sweep", "ablation.yaml", "--launcher", "slurm", "--time", "soon"])
    assert ended.exit_code == 2 and "'soon' is no time; write minutes, hours:minutes:seconds" in ended.output
    assert os.environ.get("SLURM_JOB_ID") is None
