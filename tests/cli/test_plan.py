"""`cdkd plan --json`: the plan as a program reads it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.sweeps import GRID, Bench

from cdkd.cli.plan import command


def test_stages_cells_and_what_is_not_known_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["lambda.yaml", "--seeds", "3,5", "--json"], catch_exceptions=False)
    plan = json.loads(result.output)
    assert plan["study"] == "lambda"
    assert [stage["stage"] for stage in plan["stages"]] == ["lambda1", "lambda2", "logits"]
    first, second, _ = plan["stages"]
    assert [(cell["labels"], cell["seed"], cell["status"]) for cell in first["cells"]] == [
        ({"lambda1": label}, seed, "waiting") for label in ("0", "0.01", "0.1", "1") for seed in (3, 5)
    ]
    assert len({cell["cell"] for cell in first["cells"]}) == 8
    assert second["cells"] is None and second["taken"] == {}


PAIR = GRID.replace("[1, 2, 3]", "[4]").replace("study: grid", "study: pair")


def plan_of(file: Path) -> dict:  # type: ignore[type-arg]
    return json.loads(CliRunner().invoke(command, [str(file), "--json"], catch_exceptions=False).output)


def test_cells_of_other_studies_are_reused_and_the_others_cost_is_said_to_be_unknown(bench: Bench) -> None:
    bench.sweep(bench.write(PAIR))
    wider = bench.write(PAIR.replace("study: pair", "study: wider").replace("[4]", "[4, 8]"), "wider.yaml")
    plan = plan_of(wider)
    states = [(cell["status"], cell["reused_from"]) for cell in plan["stages"][0]["cells"]]
    assert states == [("reused", "pair"), ("waiting", None)] * 2
    # The fake runs log no seconds.
    assert plan["cost"] == {"hours": 0, "num_known": 0, "num_unknown": 2}
    text = CliRunner().invoke(command, [str(wider)]).output
    assert "4 cells: 2 reused, 2 waiting\n2 cells of unknown cost: nothing like them has been trained yet\n" in text
    assert "  reused from study pair" in text
    assert not (bench.folder / ".cdkd/wider").exists()


def test_what_is_missing_on_disk_is_told(bench: Bench) -> None:
    folder = bench.folder / "not-prepared"
    folder.mkdir()
    file = bench.write(PAIR.replace("base: {", f"base: {{data: {{name: ucf101, root: {folder}}}, "))
    assert plan_of(file)["problems"] == [
        f"data.root={folder}: holds no prepared data set; cdkd data prepare ucf101 --source {folder} --output DIR"
    ]
    folder.rmdir()
    output = CliRunner().invoke(command, [str(file)]).output
    assert f"to be mended first: data.root={folder}: not found\n" in output
