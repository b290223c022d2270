"""The commands `plan`, `sweep` and `worker`, as typed."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from support.fake_runner import marks
from support.pages import parse
from support.sweeps import FAKE, GRID, Bench

from cdkd.cli import group
from cdkd.errors import CdkdError
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client

SMALL = GRID.replace("[1, 2, 3]", "[1]").replace("study: grid", "study: grid\ndescription: Two cells.\n")

STAGED = """
study: staged
stages:
  - name: first
    axes: {distill.spatial.weight: [0.01, 0.1]}
  - name: second
    best: {stage: first, take: [distill.spatial.weight]}
    axes: {distill.temporal.weight: [2, 3]}
"""


def test_a_plan_shows_every_cell_and_its_state(bench: Bench) -> None:
    file = bench.write(SMALL)
    known = CliRunner().invoke(group, ["plan", str(file)])
    lines = known.output.splitlines()
    assert lines[:3] == ["grid: Two cells.", "", "stage rows"]
    assert lines[3].endswith("  student.arch tsm, train.epochs 1  seed 0  waiting")
    assert lines[-2:] == [
        "2 cells: 2 waiting",
        "2 cells of unknown cost: nothing like them has been trained yet",
    ]
    assert not (bench.folder / ".cdkd").exists()

    (bench.fake / "fail-tdn").touch()
    typed = ["sweep", str(file), "--runner", FAKE, "--workers", "0"]
    swept = CliRunner().invoke(group, typed, prog_name="cdkd")
    assert swept.exit_code == 1
    assert "1 of 2 cells finished, 1 of them now, in 0:0" in swept.output
    assert "failed: student.arch tdn, train.epochs 1, seed 0: RuntimeError: tdn fails as told" in swept.output
    # All that was typed: without --runner it would be another command.
    again = f"sweep {file} --workers 0 --runner {FAKE} --retry-failed\n"
    assert f"To run failed cells again: cdkd {again}" in swept.output
    known = CliRunner().invoke(group, ["plan", str(file), "--seeds", "2"])
    states = [line.split("  ")[-1] if "top-1" not in line else line.split("  ")[-2:] for line in
              known.output.splitlines()[3:7]]  # fmt: skip
    assert states == [["finished", "test top-1 58.0 %"], "waiting", "failed", "waiting"]
    assert known.output.splitlines()[-2] == "4 cells: 1 finished, 2 waiting, 1 failed"

    (bench.fake / "fail-tdn").unlink()
    swept = CliRunner().invoke(group, ["sweep", str(file), "--runner", FAKE, "--workers", "0", "--retry-failed"])
    assert swept.exit_code == 0
    swept = CliRunner().invoke(group, ["sweep", str(file), "--runner", FAKE, "--workers", "0"])
    assert swept.exit_code == 0
    first, rest = swept.output.split("\n", 1)
    assert first[9:] == "grid: opening sqlite:///mlflow.db"
    assert rest.startswith("All 2 cells were finished before; nothing to train.\n\nStudy grid\n")


def test_an_unknown_table_is_told_before_anything_is_trained(bench: Bench) -> None:
    file = bench.write(SMALL.replace("stages:", "tables: [4, metods]\nstages:"))
    with pytest.raises(CdkdError, match="table metods: no such table; did you mean 'methods'"):
        CliRunner().invoke(group, ["sweep", str(file), "--runner", FAKE, "--workers", "0"], catch_exceptions=False)
    assert not marks("started") and not (bench.folder / ".cdkd").exists()


def test_a_plan_says_what_a_later_stage_waits_for_and_what_it_took_over(bench: Bench) -> None:
    file = bench.write(STAGED)
    before = CliRunner().invoke(group, ["plan", str(file)]).output
    assert (
        "stage second\n  known once stage first is finished: takes over distill.spatial.weight by validation/top1\n"
        in before
    )
    assert bench.sweep(file).is_complete
    after = CliRunner().invoke(group, ["plan", str(file)]).output
    assert "stage second, with the best of first: distill.spatial.weight = 0.1\n" in after
    assert after.endswith("4 cells: 4 finished\n")


def test_a_plan_says_what_a_search_will_do(bench: Bench) -> None:
    text = (
        "study: s\nstages:\n  - name: explore\n    search:\n      trials: 4\n      seeds: 2\n"
        "      over: {distill.spatial.weight: {low: 0.01, high: 1, log: true}, student.arch: [tsm, tdn]}\n"
    )
    lines = CliRunner().invoke(group, ["plan", str(bench.write(text))]).output.splitlines()
    assert lines[2:6] == [
        "stage explore",
        "  search by tpe for validation/top1: 4 suggestions x 2 seeds, at most 8 cells; 0 made so far",
        "  over distill.spatial.weight: 0.01 to 1, by orders of magnitude",
        "  over student.arch: tsm, tdn",
    ]


def test_a_stage_that_cannot_be_reached_says_why(bench: Bench) -> None:
    (bench.fake / "diverge-0.01").touch()
    (bench.fake / "diverge-0.1").touch()
    swept = CliRunner().invoke(group, ["sweep", str(bench.write(STAGED)), "--runner", FAKE, "--workers", "0"])
    assert swept.exit_code == 1
    assert "not reached: stage second: stage 'first': nothing to choose from, every candidate diverged" in swept.output


def test_a_worker_on_its_own_runs_what_waits_and_ends(bench: Bench) -> None:
    (bench.fake / "fail-tsm").touch()
    bench.sweep(bench.write(GRID), stop_on_failure=True)
    (bench.fake / "fail-tsm").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "cdkd", "worker", ".cdkd/grid", "--runner", FAKE],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(load_runs().status) == ["failed"] + ["finished"] * 5


@pytest.mark.parametrize("command", ["sweep", "plan", "worker"])
def test_help_has_examples(command: str) -> None:
    output = CliRunner().invoke(group, [command, "--help"]).output
    assert "Examples:" in output and f"cdkd {command} " in output


def test_a_mistake_stops_before_anything_runs(bench: Bench) -> None:
    file = bench.write(SMALL)
    result = CliRunner().invoke(group, ["sweep", str(file), "--set", "train.epochs=3", "--runner", FAKE])
    assert isinstance(result.exception, CdkdError)
    assert str(result.exception).startswith("--set train.epochs=3: the axis 'train.epochs' of stage 'rows' sets")
    assert not (bench.folder / ".cdkd").exists()


def test_a_plan_of_a_study_that_has_run_needs_neither_torch_nor_mlflow(bench: Bench) -> None:
    file = bench.write(SMALL)
    bench.sweep(file)
    code = (
        "import sys; from click.testing import CliRunner; from cdkd.cli import group; "
        f"print(CliRunner().invoke(group, ['plan', {str(file)!r}]).output.splitlines()[-1]); "
        "print([name for name in ('torch', 'mlflow', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["2 cells: 2 finished", "[]"]


def test_a_sweep_ends_with_a_page_that_its_last_stage_keeps(bench: Bench) -> None:
    file = bench.write(SMALL)
    swept = CliRunner().invoke(group, ["sweep", str(file), "--runner", FAKE, "--workers", "0"], prog_name="cdkd")
    assert (
        swept.exit_code == 0 and "reports/index.html, a page of all this; beside it study-grid (.txt " in swept.output
    )
    assert "Runs in MLflow: cdkd ui grid, then http://127.0.0.1:5000/#/experiments/" in swept.output
    page = parse((bench.folder / "reports/index.html").read_text())
    assert page.all("h1")[0].text == "Study grid" and "Two cells." in page.text
    assert [pre.text for pre in page.all("pre")] == [
        f"cdkd sweep {file} --workers 0 --runner {FAKE}", " ".join(SMALL.split()), "cdkd report --all --study grid",
    ]  # fmt: skip
    client = open_client("sqlite:///mlflow.db")
    (parent,) = client.search_runs([client.get_experiment_by_name("grid").experiment_id], "tags.`cdkd.role` = 'stage'")
    assert "report/index.html" in {entry.path for entry in client.list_artifacts(parent.info.run_id, "report")}
    assert parent.data.tags["mlflow.note.content"].startswith(
        "Two cells.\n\n* seeds: 0\n* axis.student.arch: tsm | tdn"
    )
    assert parent.data.params["axis.student.arch"] == "tsm | tdn"
    assert parent.data.params["distill.spatial.enabled"] == "False"
    # The best row by validation, 60 %, is the study's first of two; the stage's own time, not its parent run's age.
    assert (parent.data.metrics["best/validation/top1"], parent.data.metrics["best/test/top1"]) == (60.0, 58.0)
    assert parent.data.metrics["time/stage_seconds"] > 0 and parent.data.metrics["time/cells_seconds"] > 0
    # A sweep of the same study with other settings: what was logged stays, as MLflow asks, and the note is today's.
    again = ["sweep", str(file), "--runner", FAKE, "--workers", "0", "--seeds", "2", "--no-report"]
    assert CliRunner().invoke(group, again, prog_name="cdkd").exit_code == 0
    known = client.get_run(parent.info.run_id).data
    assert known.params["seeds"] == "0" and "* seeds: 0, 1" in known.tags["mlflow.note.content"]
