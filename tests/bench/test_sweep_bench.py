"""The benchmark of the sweep engine: what its rows are relative to, and that all of a cell's time is told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.postgres import PostgresServer
from support.tiny import TINY, tiny

from cdkd.bench.cell_time import NETWORK_PARTS, PARTS, measure_cell
from cdkd.bench.sweep_engine import EngineSettings, measure_engine
from cdkd.cli.bench import command
from cdkd.config import flatten


def test_the_engines_rows_are_relative_to_their_groups_first(postgres: PostgresServer) -> None:
    import psycopg

    database = postgres.new_database()
    settings = EngineSettings(4, 6, (20, 50), 2, postgres.address(database))
    told: list[str] = []
    rows = measure_engine(settings, told.append)
    assert told == list(dict.fromkeys(row.group for row in rows))
    first = {}
    for row in rows:
        assert row.value > 0
        assert row.ratio == pytest.approx(row.value / first.setdefault(row.group, row.value))
    assert [(row.name, row.unit) for row in rows if row.group == "claim"] == [
        ("from 20 waiting cells, PostgreSQL", "ms"),
        ("from 50 waiting cells, PostgreSQL", "ms"),
    ]
    assert [row.name for row in rows][-2:] == ["1 worker, 4 cells, PostgreSQL", "2 workers, 4 cells, PostgreSQL"]
    # Nothing is left in a database that is somebody's own.
    with psycopg.connect(f"host={postgres.folder} user=cdkd dbname={database}") as connection:
        for table in ("studies", "trials", "trial_user_attributes", "study_user_attributes"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # type: ignore[arg-type]


def test_where_a_cells_time_goes(tmp_path: Path) -> None:
    time = measure_cell(tiny(evaluation__every_epochs=1, train__accumulate_steps=2), tmp_path, 1)
    assert tuple(time.parts) == PARTS
    # A distilled cell with calibrated weights, validated and tracked: there is something of everything.
    assert all(seconds > 0 for seconds in time.parts.values())
    assert time.seconds == pytest.approx(sum(time.parts.values()))
    assert time.network_fraction == pytest.approx(sum(time.parts[part] for part in NETWORK_PARTS) / time.seconds)
    assert time.tracking_ratio == time.tracked_seconds / time.bare_seconds
    assert time.process_seconds > 0


def test_the_cell_of_a_study_is_told_as_json() -> None:
    small = [f"--set={key}={json.dumps(value)}" for key, value in flatten(TINY).items() if key != "train.epochs"]
    arguments = ["sweep", "--part", "cell", *small, "--epochs", "1", "--repeats", "1", "--json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    found = json.loads(done.stdout)
    assert set(found) == {"cell"} and set(found["cell"]["parts"]) == set(PARTS)
