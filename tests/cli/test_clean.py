"""`cdkd clean` lists what is left over, removes it when told to, and leaves results and what may resume."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from support.sweeps import GRID, Bench

from cdkd.cli import group

PAIR = GRID.replace("[1, 2, 3]", "[4]").replace("study: grid", "study: pair")


def clean(*arguments: str) -> str:
    return CliRunner().invoke(group, ["clean", *arguments], prog_name="cdkd", catch_exceptions=False).output


@pytest.fixture
def home(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CDKD_HOME", str(bench.folder / "home"))
    return bench.folder / "home"


def test_what_is_needed_stays(bench: Bench, home: Path) -> None:
    (bench.fake / "fail-tdn").touch()
    file = bench.write(PAIR)
    bench.sweep(file)
    folder = bench.queue("pair").folder
    done = next(trial.task.id for trial in bench.queue("pair").trials() if trial.is_done)
    failed = next(trial for trial in bench.queue("pair").trials() if not trial.is_done)
    for task in (done, failed.task.id):
        folder.work(task).mkdir(parents=True, exist_ok=True)
        (folder.work(task) / "state").write_bytes(b"0" * 1500)
    trained, training = home / "teachers/tsm-1", home / "teachers/tsm-2"
    for place in (trained, training):
        (place / "last").mkdir(parents=True)
        (place / "last/state.pt").write_bytes(b"0" * 500)
    (trained / "model.safetensors").touch()

    listed = clean()
    assert listed.splitlines() == [
        f"     2 kB  {folder.work(done).relative_to(bench.folder)}  (checkpoints of a cell that is finished)",
        f"    500 B  {trained / 'last'}  (checkpoints of a network that is trained)",
        "2 kB in all; to remove them: cdkd clean --yes",
    ]
    assert folder.work(done).exists()
    assert clean("work", "--yes").endswith("Removed: 2 kB\n")
    assert clean() == "Nothing to remove.\n"
    assert folder.work(failed.task.id).exists() and (training / "last").exists() and trained.exists()
    assert folder.traceback(failed.task.id, failed.number).exists()

    # Once the cell has its result, nobody needs to know why it failed.
    (bench.fake / "fail-tdn").unlink()
    assert bench.sweep(file, retry_failed=True).is_complete
    assert "(traceback of a cell that has finished since)" in clean("traces", "--yes")
    assert not folder.traceback(failed.task.id, failed.number).exists()
    assert bench.sweep(file).num_trained == 0
