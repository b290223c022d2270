"""The commands that look after a study, on one whose cells a database keeps."""

import json
import shutil
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.postgres import PostgresServer
from support.sweeps import FAKE, GRID, Bench, wait_until

from cdkd.cli import group
from cdkd.errors import CdkdError

PAIR = GRID.replace("[1, 2, 3]", "[4]").replace("study: grid", "study: pair")


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(group, arguments, prog_name="cdkd", catch_exceptions=False)
    return done.output


def invoke_error(*arguments: str) -> BaseException | None:
    return CliRunner().invoke(group, arguments, prog_name="cdkd").exception


def test_from_a_failed_cell_to_nothing(bench: Bench, postgres: PostgresServer) -> None:
    address = postgres.address(postgres.new_database())
    file = str(bench.write(PAIR))
    (bench.fake / "fail-tdn").touch()
    typed = ("sweep", file, "--storage", address, "--workers", "0", "--runner", FAKE, "--no-report")
    assert "1 of 2 cells finished" in invoke(*typed)
    # The folder remembers the database: no other command has to be told.
    status = json.loads(invoke("status", "pair", "--json"))
    assert (status["cells"], status["done"], status["failed"]) == (2, 1, 1)
    assert "2 cells: 1 finished, 1 failed" in invoke("plan", file)
    assert invoke("logs", "pair", "tdn").rstrip().endswith("RuntimeError: tdn fails as told")
    told = invoke("stop", "pair").splitlines()
    assert told[0].startswith("asked all who work on pair in postgresql") and told[0].endswith("; cells under way: 0")
    retried = invoke("retry", "pair").splitlines()
    assert retried[0] == "waits again: student.arch tdn, train.epochs 4, seed 0"
    assert retried[1].startswith("Nobody is at work; to run what waits: cdkd sweep ") and address in retried[1]
    (bench.fake / "fail-tdn").unlink()
    assert "finished student.arch tdn, train.epochs 4, seed 0" in invoke("worker", file)
    assert invoke("status", "pair").startswith("pair: 2 of 2 cells done\n")
    assert "traceback of a cell that has finished since" in invoke("clean")
    invoke("clean", "--yes")
    assert invoke("clean") == "Nothing to remove.\n"
    told = invoke("rm", "pair", "--yes")
    assert "goes: its plan in postgresql+psycopg://cdkd@/test" in told and not Path(".cdkd/pair").exists()
    assert "2 cells: 2 reused" in invoke("plan", file, "--storage", address)


def test_another_folder_sees_the_cells_by_the_database_alone(
    bench: Bench, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgres.address(postgres.new_database())
    file = bench.write(PAIR).resolve()
    (bench.fake / "fail-tdn").touch()
    invoke("sweep", str(file), "--storage", address, "--workers", "0", "--runner", FAKE, "--no-report")
    store = f"sqlite:///{bench.folder}/mlflow.db"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(CdkdError, match=r"a database has its cells, name that: --storage ADDRESS, or CDKD_STORAGE\)"):
        invoke("status", "pair")
    monkeypatch.setenv("CDKD_STORAGE", address)
    for name in ("pair", str(file)):
        status = json.loads(invoke("status", name, "--json"))
        assert (status["cells"], status["done"], status["failed"]) == (2, 1, 1)
    assert invoke("status").startswith("pair: 1 of 2 cells done, 1 failed\n")
    with pytest.raises(CdkdError, match=r"^piar: no study of this name is in the database .*did you mean 'pair'\?$"):
        invoke("status", "piar")
    told = invoke("sweep", str(file), "--tracking-uri", store, "--runner", FAKE, "--no-report", "--workers", "0")
    assert "  traceback: with its run, and in the folder of worker " in told
    shutil.rmtree(".cdkd")
    told = invoke("logs", "pair", "tdn").splitlines()
    assert told[1] == "error       RuntimeError: tdn fails as told"
    assert "in the folder where worker" in told[2]
    assert "nothing of these cells is in this folder" in str(invoke_error("rm", "pair", "tdn"))
    assert invoke("retry", "pair").splitlines() == [
        "waits again: student.arch tdn, train.epochs 4, seed 0",
        "Nobody is at a cell; to run what waits, name the study's file: cdkd worker pair.yaml",
    ]
    assert invoke("status", "pair").startswith("pair: 1 of 2 cells done\n")
    # None of these has left anything here.
    assert list(Path.cwd().iterdir()) == []
    assert "2 cells: 1 finished, 1 waiting" in invoke("plan", str(file))
    shutil.rmtree(".cdkd")
    told = invoke("rm", "pair", "--yes").splitlines()
    assert told[0].startswith("goes: its plan in postgresql") and told[-1] == "Removed."
    assert invoke("status") == "No study has run in this folder; start one with: cdkd sweep ablation.yaml\n"


def test_a_stop_reaches_the_folders_that_share_nothing_but_the_database(
    bench: Bench, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgres.address(postgres.new_database())
    (bench.fake / "hold").touch()
    sweep = bench.start(bench.write(PAIR), "--storage", address, "--workers", "1")
    wait_until(lambda: bool(bench.marks("started")))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    monkeypatch.setenv("CDKD_STORAGE", address)
    told = invoke("stop", "pair").splitlines()
    assert told[0].startswith("asked all who work on pair in postgresql") and told[0].endswith("; cells under way: 1")
    under_way = f"student.arch tsm, train.epochs 4, seed 0, by {socket.gethostname()}:{bench.worker_ids().pop()}"
    assert told[1:] == [f"  {under_way}", f"left: {under_way}", "All have ended."]
    output = sweep.communicate(timeout=60)[0]
    assert sweep.returncode == 130 and "asked to stop: starting no more" in output
    # Who starts later is not meant.
    (bench.fake / "hold").unlink()
    monkeypatch.chdir(bench.folder)
    again = bench.start(bench.folder / "study.yaml", "--workers", "1")
    assert "2 of 2 cells finished" in again.communicate(timeout=60)[0] and again.returncode == 0
