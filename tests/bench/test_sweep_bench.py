"""The benchmark of the sweep engine: what its rows are relative to, and that all of a cell's time is told."""

import json

import pytest
from click.testing import CliRunner
from support.postgres import PostgresServer
from support.tiny import TINY

from cdkd.bench.cell_time import NETWORK_PARTS, PARTS
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


def test_all_of_a_cells_time_is_told() -> None:
    # A distilled cell with calibrated weights, validated and tracked: there is something of everything.
    values = {**flatten(TINY), "evaluation.every_epochs": 1, "train.accumulate_steps": 2}
    small = [f"--set={key}={json.dumps(value)}" for key, value in values.items() if key != "train.epochs"]
    arguments = ["sweep", "--part", "cell", *small, "--epochs", "1", "--repeats", "1", "--json"]
    found = json.loads(CliRunner().invoke(command, arguments, catch_exceptions=False).stdout)
    assert set(found) == {"cell"}
    time = found["cell"]
    assert tuple(time["parts"]) == PARTS and all(seconds > 0 for seconds in time["parts"].values())
    assert time["seconds"] == pytest.approx(sum(time["parts"].values()))
    network = sum(time["parts"][part] for part in NETWORK_PARTS)
    assert time["network_fraction"] == pytest.approx(network / time["seconds"])
    assert time["tracking_ratio"] == time["tracked_seconds"] / time["bare_seconds"]
    assert time["processor_ratio"] == time["tracked_processor_seconds"] / time["bare_processor_seconds"]
    assert time["process_seconds"] > 0
