"""What a job does with its worker, under submitit's own executor on this machine."""

from pathlib import Path

import pytest

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'cdkd[slurm]'")

from support.job_cluster import LocalCluster
from support.sweeps import GRID, Bench, wait_until

from cdkd.sweep.queue.job_group import JobGroup
from cdkd.sweep.workers.slurm import SlurmOptions
from cdkd.sweep.workers.worker_job import JobEnd, WorkerJob
from cdkd.tracking.runs import load_runs

# Notes that it has begun, reads a word, and repeats it.
SCRIPT = 'echo begun >> "$0"; read word; echo "was told $word, $KNOWN"'


@pytest.fixture
def group(tmp_path: Path) -> JobGroup:
    found = JobGroup(tmp_path / "study" / "jobs" / "sweep")
    found.path.mkdir(parents=True)
    found.beat.touch()
    return found


def submitted(group: JobGroup) -> tuple[LocalCluster, str, Path]:
    """A job that has begun; its cluster, its id, and where its worker notes beginnings."""
    cluster, begun = LocalCluster(), group.path / "begun"
    command = ["/bin/sh", "-c", SCRIPT, str(begun)]
    (job,) = cluster.submit(group.path, [WorkerJob(command, {"KNOWN": "x"}, group.path, str(group.path / "log-%j"))])
    wait_until(begun.exists, 60)
    return cluster, job, begun


def test_a_sweeps_order_reaches_the_worker_and_ends_the_job(group: JobGroup) -> None:
    cluster, job, _ = submitted(group)
    group.give("drain")
    wait_until(lambda: cluster.end_of(group.path, job) is not None, 60)
    assert cluster.end_of(group.path, job) == JobEnd(0, "was told drain, x")
    assert (group.path / f"log-{job}").read_text() == "was told drain, x\n"


def test_a_warning_stops_the_worker_and_the_job_begins_again(group: JobGroup) -> None:
    cluster, job, begun = submitted(group)
    cluster.warn(job)
    wait_until(lambda: begun.read_text() == "begun\nbegun\n", 60)
    assert cluster.end_of(group.path, job) is None
    group.give("stop")
    wait_until(lambda: cluster.end_of(group.path, job) is not None, 60)
    assert cluster.end_of(group.path, job) == JobEnd(0, "was told stop, x")
    assert (group.path / f"log-{job}").read_text() == "was told stop, x\n" * 2


def test_a_sweep_of_jobs_runs_every_cell(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Local(LocalCluster):
        def __init__(self, *_: object) -> None:
            super().__init__()

        def require_reach(self, *_: object) -> None:
            """One machine reaches itself."""

    monkeypatch.setattr("cdkd.sweep.workers.slurm.SlurmCluster", Local)
    monkeypatch.setattr("cdkd.sweep.workers.job_workers._SECONDS_BETWEEN_LOOKS", 0.5)
    result = bench.sweep(bench.write(GRID), workers=2, slurm=SlurmOptions())
    assert result.is_complete and result.num_trained == 6
    assert list(load_runs().status) == ["finished"] * 6
    assert any(text.startswith("submitted 2 jobs: ") for text in bench.display.texts)
    # Both ended by themselves, and left nothing but what they have printed.
    (group,) = (bench.folder / ".cdkd/grid/jobs").iterdir()
    assert len(list(group.glob("*_result.pkl"))) == 2
    assert list((bench.folder / ".cdkd/grid/logs").iterdir()) == []
    assert list((bench.folder / ".cdkd/grid/beats").iterdir()) == []
