"""`cdkd status` of a sweep that runs in another process, of one that was killed, and of one that has ended."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.sweeps import FAKE, GRID, Bench, wait_until

from cdkd.cli import group
from cdkd.errors import CdkdError

PAIR = GRID.replace("[1, 2, 3]", "[4]").replace("study: grid", "study: pair")


def ask(*arguments: str) -> str:
    return CliRunner().invoke(group, ["status", *arguments], catch_exceptions=False).output


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_running_sweep_and_a_killed_one(bench: Bench) -> None:
    (bench.fake / "hold").touch()
    file = bench.write(PAIR)
    # Other settings than the file's: whoever asks need not repeat them.
    process = bench.start(file, "--workers", "2", "--seeds", "5,6")
    wait_until(lambda: len(bench.marks("started")) == 2)
    status = json.loads(ask("pair", "--json"))
    tasks = {task["label"]: task for task in status["tasks"]}
    assert (status["cells"], status["done"], status["running"]) == (4, 0, 2)
    assert [task["status"] for task in tasks.values()] == ["running", "running", "waiting", "waiting"]
    assert status["processes"][0]["command"].endswith(
        f"sweep {file} --seeds 5,6 --workers 2 --no-report --runner {FAKE}"
    )
    assert status["processes"][0]["pid"] == process.pid
    first = tasks["student.arch tsm, train.epochs 4, seed 5"]
    workers = {f"{socket.gethostname()}:{number}" for number in bench.worker_ids()}
    assert first["worker"] in workers and first["epochs"] == 4

    # Held before epoch 2 of 4, with the first one's numbers.
    wait_until(lambda: "epoch 2/4  loss 1.000  validation 1.0 %" in ask("pair"))
    text = ask("pair").splitlines()
    assert text[0] == "pair: 0 of 4 cells done, 2 running" or text[0].endswith(" left")
    assert text[1].startswith(f"  sweep {socket.gethostname()}:{process.pid}: ")
    assert any(line.startswith(f"  {first['id']}  student.arch tsm, train.epochs 4, seed 5") for line in text)

    # All of them at one moment, as when the machine goes: a worker that outlived its sweep would put its cell back.
    process.send_signal(signal.SIGSTOP)
    for number in bench.worker_ids():
        os.kill(number, signal.SIGKILL)
    process.kill()
    process.wait()
    wait_until(lambda: all(task["status"] != "running" for task in json.loads(ask("pair", "--json"))["tasks"]))
    before = contents(bench.folder / ".cdkd/pair")
    status = json.loads(ask(str(file), "--json"))
    assert [task["status"] for task in status["tasks"]] == ["interrupted", "interrupted", "waiting", "waiting"]
    assert status["processes"] == [] and status["last_sweep"]["pid"] == process.pid
    assert f"  {first['id']}  interrupted: {first['label']}" in ask(".cdkd/pair")
    assert contents(bench.folder / ".cdkd/pair") == before


def test_what_failed_is_told_with_its_error(bench: Bench) -> None:
    (bench.fake / "fail-tdn").touch()
    bench.sweep(bench.write(PAIR))
    lines = ask("pair").splitlines()
    assert lines[0] == "pair: 1 of 2 cells done, 1 failed"
    assert lines[1].endswith("  failed: student.arch tdn, train.epochs 4, seed 0")
    assert lines[2].endswith("  RuntimeError: tdn fails as told")


def test_a_folder_where_nothing_has_run(bench: Bench) -> None:
    assert ask() == "No study has run in this folder; start one with: cdkd sweep ablation.yaml\n"
    assert json.loads(ask("--json")) == []
    with pytest.raises(CdkdError, match=r"^pair: no study of this name has run in .*; known studies: none$"):
        ask("pair")
    bench.sweep(bench.write(PAIR))
    with pytest.raises(CdkdError, match=r"^piar: no study .*; did you mean 'pair'\?$"):
        ask("piar")


def test_watching_goes_on_until_interrupted(bench: Bench) -> None:
    bench.sweep(bench.write(PAIR))
    process = bench.run("status", "pair", "--watch")
    assert process.stdout is not None
    assert process.stdout.readline() == "pair: 2 of 2 cells done\n"
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(30) == 0
