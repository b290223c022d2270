"""Two machines that share a database and a tracking server, and no folder: each cell once, one table for both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.postgres import PostgresServer
from support.sweeps import FAKE, GRID, Bench
from support.tracking_server import tracking_server

from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client

TAUGHT = """
study: taught
stages:
  - name: rows
    axes: {student.arch: [tsm, tdn], distill.spatial.weight: [0.01, 0.1]}
"""


class Machine:
    """A working folder and a `CDKD_HOME`."""

    def __init__(self, folder: Path, storage: str) -> None:
        self.folder = folder / "work"
        self.folder.mkdir(parents=True)
        path = os.pathsep.join(path for path in sys.path if path)
        self.environment = {
            **os.environ, "PYTHONPATH": path, "CDKD_HOME": str(folder / "home"), "CDKD_STORAGE": storage,
        }  # fmt: skip

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "cdkd", *arguments], cwd=self.folder, env=self.environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture
def machines(bench: Bench, postgres: PostgresServer) -> tuple[Machine, Machine]:
    storage = postgres.address(postgres.new_database(), heartbeat=1, grace=20)
    return Machine(bench.folder / "first", storage), Machine(bench.folder / "second", storage)


def table(output: str) -> list[str]:
    return output[output.index("Study taught") : output.index("Written: ")].splitlines()


def test_two_sweeps_share_a_study(bench: Bench, machines: tuple[Machine, Machine]) -> None:
    file = bench.write(TAUGHT)
    with tracking_server(bench.folder, bench.folder / "mlflow.db") as server:
        for machine in machines:
            machine.environment["MLFLOW_TRACKING_URI"] = server.uri
        sweeps = [machine.start("sweep", str(file), "--runner", FAKE, "--workers", "1") for machine in machines]
        outputs = [sweep.communicate(timeout=240)[0] for sweep in sweeps]
        assert [sweep.returncode for sweep in sweeps] == [0, 0], "\n".join(outputs)
        runs = load_runs(server.uri, study="taught")
        client = open_client(server.uri)
        (experiment,) = client.search_experiments(filter_string="name = 'taught'")
        parents = client.search_runs([experiment.experiment_id], "tags.`cdkd.role` = 'stage'")
    # The teacher and the four cells once, whoever was first; and each stage has one parent run, which has ended.
    assert sorted(parent.data.tags["cdkd.stage"] for parent in parents) == ["rows", "teachers"]
    assert {parent.info.status for parent in parents} == {"FINISHED"}
    assert len(bench.marks("teaching")) == 1
    assert len(bench.marks("started")) == len(bench.marks("finished")) == len(set(bench.marks("finished"))) == 4
    assert sorted(runs.status) == ["finished"] * len(runs)
    assert "4 of 4 cells finished" in outputs[0] and "4 of 4 cells finished" in outputs[1]
    assert table(outputs[0]) == table(outputs[1])
    # Scores went through the server: no machine keeps any.
    assert list((bench.folder / "artifacts").rglob("test.parquet"))
    assert not any((machine.folder / "mlartifacts").exists() for machine in machines)


def test_a_tracking_store_that_only_one_machine_reads_is_told_of_and_refused(
    bench: Bench, machines: tuple[Machine, Machine]
) -> None:
    first, second = machines
    file = bench.write(GRID.replace("[1, 2, 3]", "[1]"))
    store = ("--tracking-uri", f"sqlite:///{bench.folder}/mlflow.db")
    sweep = first.start("sweep", str(file), "--runner", FAKE, "--workers", "0", "--no-report", *store)
    output, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, output
    assert f"no other machine can join in: {bench.folder}/mlflow.db, where runs are tracked, is a file" in output
    worker = second.start("worker", str(file), "--runner", FAKE, *store)
    assert worker.communicate(timeout=60)[0] == (
        "cdkd: .cdkd/grid: name the tracking server of the study with --tracking-uri; a file is not shared\n"
    )
    assert worker.returncode == 1
