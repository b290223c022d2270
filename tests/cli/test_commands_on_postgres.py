"""The commands that look after a study, on one whose cells a database keeps."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.postgres import PostgresServer
from support.sweeps import FAKE, GRID, Bench

from cdkd.cli import group

PAIR = GRID.replace("[1, 2, 3]", "[4]").replace("study: grid", "study: pair")


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(group, arguments, prog_name="cdkd", catch_exceptions=False)
    return done.output


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
    assert invoke("stop", "pair").startswith("Nothing of pair runs in ")
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
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    monkeypatch.setenv("CDKD_STORAGE", address)
    assert "2 cells: 1 finished, 1 failed" in invoke("plan", str(file))
    status = json.loads(invoke("status", str(file), "--json"))
    assert (status["cells"], status["done"], status["failed"]) == (2, 1, 1)
