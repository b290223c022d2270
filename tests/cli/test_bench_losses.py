"""`cdkd bench losses` as a user types it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cdkd.bench.losses import LossBenchError
from cdkd.cli.bench_losses import command as bench
from cdkd.distill.losses.table import LOSSES

SMALL = ["--size", "32", "--batch-size", "6", "--updates", "2", "--width", "slim"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))


def test_calibrated_pulls_are_what_weights_say_on_clips_that_no_unit_has_seen() -> None:
    done = CliRunner().invoke(bench, [*SMALL, "--loss", "spatial", "--loss", "logits", "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [(row["loss"], row["channels"]) for row in rows] == [("spatial", 64), ("logits", 64)]
    for row in rows:
        assert row["calibrated_pull"] == pytest.approx(row["weight"] * LOSSES[row["loss"]].pull, rel=0.5)
        assert row["pull"] == pytest.approx(row["weight"] * row["pull_per_weight"])
        assert row["calibrated_pull"] == pytest.approx(row["unit"] * row["pull"])


def test_the_table_has_a_line_for_each_width_and_loss() -> None:
    done = CliRunner().invoke(bench, SMALL)
    assert done.exit_code == 0, done.output
    assert [line.split()[:3] for line in done.stdout.splitlines()[2:4]] == [
        ["slim", "64", "spatial"],
        ["slim", "64", "temporal"],
    ]


def test_an_unknown_loss_is_refused_with_a_suggestion() -> None:
    done = CliRunner().invoke(bench, ["--loss", "spatal"])
    assert isinstance(done.exception, LossBenchError)
    assert str(done.exception) == "--loss spatal: no such loss; did you mean 'spatial'?"
