"""Workers as jobs: submitted, replaced when they are lost, given up where they cannot run, cancelled in the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'cdkd[slurm]'")

from support.job_cluster import SpokenCluster
from support.sweeps import FAKE

from cdkd.errors import CdkdError
from cdkd.sweep.queue.job_group import JobGroup
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.workers.cluster_jobs import JobLook
from cdkd.sweep.workers.job_workers import JobWorkers, OrphanedJobs
from cdkd.sweep.workers.places import Places
from cdkd.sweep.workers.worker_job import JobEnd


class Sweep:
    """A sweep's jobs, looked at whenever somebody asks."""

    def __init__(self, folder: Path, cluster: SpokenCluster, name: str = "sweep") -> None:
        self.folder = StudyFolder(folder / ".cdkd/mine")
        self.cluster = cluster
        self.workers = JobWorkers(self.folder, "unused", FAKE, Places(2), cluster, name)
        self.group = JobGroup(self.folder.jobs.resolve() / name)


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cdkd.sweep.workers.job_workers._SECONDS_BETWEEN_LOOKS", 0.0)
    monkeypatch.setattr("cdkd.sweep.workers.job_workers._SECONDS_TO_LEAVE", 0.0)
    monkeypatch.setattr("cdkd.sweep.workers.job_workers._SECONDS_TO_BE_CANCELLED", 0.0)
    started = Sweep(tmp_path, SpokenCluster())
    yield started
    started.workers.stop()


def test_jobs_are_submitted_as_arrays_and_recorded(sweep: Sweep) -> None:
    sweep.workers.start(3)
    sweep.workers.start(2)
    assert sweep.workers.watch() == ["submitted 3 jobs: 1 (3)"]
    sweep.workers.start(4)
    assert sweep.workers.watch() == ["submitted 1 job: 2"] and len(sweep.workers) == 4
    assert sweep.group.jobs == ["1_0", "1_1", "1_2", "2_0"] and sweep.group.order == ""


def test_what_the_scheduler_ends_is_replaced_and_what_a_user_cancels_is_not(sweep: Sweep) -> None:
    sweep.workers.start(3)
    sweep.workers.watch()
    sweep.cluster.looks["1_0"] = JobLook("killed", "OUT_OF_MEMORY")
    sweep.cluster.ends["1_1"] = JobEnd(-9, "")
    sweep.cluster.looks["1_1"] = JobLook("ended", "COMPLETED")
    assert sweep.workers.watch() == [
        "job 1_0 ended early (OUT_OF_MEMORY); another is submitted",
        "job 1_1 was killed by signal 9; another is submitted",
    ]
    sweep.workers.start(3)
    assert sweep.workers.watch() == ["submitted 2 jobs: 2 (2)"]
    sweep.cluster.looks["2_0"] = JobLook("cancelled", "CANCELLED")
    assert sweep.workers.watch() == ["job 2_0 was cancelled; it is not replaced"]
    del sweep.cluster.looks["2_1"]
    assert sweep.workers.watch() == ["job 2_1 ended early (no longer known to the cluster); another is submitted"]
    sweep.cluster.looks["1_2"] = JobLook("waiting", "PENDING")
    assert sweep.workers.watch() == []
    del sweep.cluster.looks["1_2"]
    with pytest.raises(CdkdError, match="every job was cancelled; the same command goes on"):
        sweep.workers.watch()


def test_jobs_that_are_lost_again_and_again_end_the_sweep(sweep: Sweep) -> None:
    for number in range(1, 11):
        sweep.workers.start(1)
        sweep.cluster.looks[f"{number}_0"] = JobLook("killed", "NODE_FAIL")
        sweep.workers.watch()
    sweep.workers.start(1)
    sweep.cluster.looks["11_0"] = JobLook("killed", "NODE_FAIL")
    with pytest.raises(
        CdkdError, match=r"lost again and again: job 11_0 ended early \(NODE_FAIL\); see \.cdkd/mine/jobs"
    ):
        sweep.workers.watch()
    sweep.workers.note_success()
    sweep.workers.start(1)
    sweep.cluster.looks["12_0"] = JobLook("killed", "NODE_FAIL")
    assert sweep.workers.watch()[-1].endswith("another is submitted")


def test_jobs_that_fail_at_their_start_end_the_sweep_with_the_name_of_their_log(sweep: Sweep) -> None:
    told: list[str] = []
    with pytest.raises(CdkdError) as caught:
        for number in range(1, 4):
            sweep.workers.start(1)
            # Python itself was not found: nobody could say how it ended.
            sweep.cluster.looks[f"{number}_0"] = JobLook("ended", "FAILED")
            told += sweep.workers.watch()
    log = ".cdkd/mine/jobs/sweep/3_0_0_log.err"
    assert str(caught.value) == f"no job can run. job 3_0 ended before its worker had begun; see {log}"
    assert told[1] == "job 1_0 ended before its worker had begun; see .cdkd/mine/jobs/sweep/1_0_0_log.err"
    assert sweep.cluster.num_submitted == 3


def test_what_a_worker_said_last_is_told(sweep: Sweep) -> None:
    sweep.workers.start(2)
    sweep.workers.watch()
    log = sweep.folder.worker_log("1_0")
    log.parent.mkdir(parents=True)
    log.write_text("cdkd: this process can train nothing: no GPU\n")
    sweep.cluster.ends["1_0"] = JobEnd(1, "cdkd: this process can train nothing: no GPU")
    sweep.cluster.looks["1_0"] = JobLook("ended", "COMPLETED")
    assert sweep.workers.watch() == [
        "job 1_0 ended by itself (exit status 1): cdkd: this process can train nothing: no GPU; "
        "see .cdkd/mine/logs/worker-1_0.log"
    ]


def test_what_jobs_wait_for_is_told_once_and_a_scheduler_that_is_away_waited_for(sweep: Sweep) -> None:
    sweep.workers.start(2)
    sweep.cluster.looks |= dict.fromkeys(("1_0", "1_1"), JobLook("waiting", "PENDING", "Resources"))
    assert sweep.workers.watch()[1:] == ["2 of 2 jobs wait in the cluster's queue: Resources"]
    assert sweep.workers.watch() == []
    sweep.cluster.is_away = True
    assert sweep.workers.watch() == ["waiting: Slurm does not answer: no route to host"]
    assert sweep.workers.watch() == [] and len(sweep.workers) == 2
    sweep.cluster.is_away = False
    sweep.cluster.looks["1_0"] = JobLook("running", "RUNNING")
    assert sweep.workers.watch() == []
    sweep.cluster.looks["1_1"] = JobLook("waiting", "PENDING", "PartitionTimeLimit")
    assert sweep.workers.watch() == ["1 of 2 jobs wait in the cluster's queue: PartitionTimeLimit"]


def test_an_order_is_left_for_running_jobs_and_waiting_ones_are_cancelled(sweep: Sweep) -> None:
    sweep.workers.start(2)
    sweep.cluster.looks["1_1"] = JobLook("waiting", "PENDING", "Resources")
    sweep.workers.drain()
    assert sweep.group.order == "drain" and sweep.cluster.looks["1_1"].state == "cancelled"
    sweep.workers.stop_at_checkpoint()
    assert sweep.group.order == "stop" and not sweep.workers.has_ended()
    sweep.cluster.looks["1_0"] = JobLook("ended", "COMPLETED")
    assert sweep.workers.has_ended() and sweep.cluster.cancelled == []


def test_jobs_of_a_killed_sweep_are_taken_over_or_stopped(sweep: Sweep, tmp_path: Path) -> None:
    sweep.workers.start(3)
    sweep.cluster.looks["1_2"] = JobLook("ended", "COMPLETED")
    # While the sweep lives, they are its own.
    assert OrphanedJobs(sweep.folder, sweep.cluster).left() == []
    for lock in sweep.workers._locks:
        lock.release()
    assert OrphanedJobs(sweep.folder, sweep.cluster).left() == ["1_0", "1_1"]
    after = Sweep(tmp_path, sweep.cluster, "after")
    assert after.workers.watch() == ["2 jobs: 1 (2) of an earlier sweep: taken over"]
    after.workers.start(2)
    assert sweep.cluster.num_submitted == 1 and len(after.workers) == 2
    after.workers.stop()
    assert sweep.cluster.cancelled == ["1_0", "1_1"] and sweep.group.order == "stop"
