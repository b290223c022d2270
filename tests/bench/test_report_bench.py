"""The benchmark of a table: its store holds the runs that it says, and its rows are relative to the first."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cdkd.bench.report import NUM_VIDEOS, make_store
from cdkd.cli.bench import command
from cdkd.report.writing import load_reports
from cdkd.tracking.runs import load_runs, load_scores


def test_the_store_fills_the_rows_of_table_4_seed_by_seed(tmp_path: Path) -> None:
    uri = make_store(tmp_path, 21)
    runs = load_runs(uri)
    assert len(runs) == runs["run_id"].nunique() == runs["cell"].nunique() == 21
    assert sorted(runs["seed"]) == [0] * 10 + [1] * 10 + [2] and (runs["seed"] == runs["settings.seed"]).all()
    assert {len(load_scores(run, uri)) for run in runs["run_id"]} == {NUM_VIDEOS}
    (report,) = load_reports(["4"], uri, over_videos=True)["4"]
    filled = [row for row in report.rows if row.finished]
    assert [len(row.finished) for row in filled] == [3, *[2] * 9]
    # Eight rows are compared with their network's first, of which six with its second, too.
    assert sum(len(row.videos) for row in filled) == 14


def test_each_row_is_relative_to_mlflows_own_client() -> None:
    done = CliRunner().invoke(command, ["report", "--runs", "10", "--repeats", "1", "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert found["runs"] == 10
    first, *tables = found["rows"]
    assert "MLflow" in first["name"] and first["ratio"] == 1 and len(tables) == 2
    for row in tables:
        assert row["ratio"] == pytest.approx(row["cpu_seconds"] / first["cpu_seconds"])
        # Without MLflow's import it is below one, however few the runs.
        assert 0 < row["cpu_seconds"] < first["cpu_seconds"] and row["wall_seconds"] > 0
