"""The runs of an SQLite store by plain queries, one for each of MLflow's tables that hold them.

MLflow makes an object of every parameter: a thousand runs of a hundred take it seconds, and its import more. Reports
read runs and nothing else, so for them the tables are read as they are, through a connection that cannot write. Where
they are not as expected, another version's, MLflow is asked.
"""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from cdkd.tracking import tags

_SECONDS_TO_WAIT = 60
"""A writer may hold the file's lock for a while."""
_WANTED = """
    SELECT runs.run_uuid FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid
    WHERE runs.lifecycle_stage = 'active' AND tags.key = :role_key AND tags.value = 'cell'
    AND runs.experiment_id IN (
        SELECT experiments.experiment_id FROM experiments
        JOIN experiment_tags ON experiment_tags.experiment_id = experiments.experiment_id
        WHERE experiments.lifecycle_stage = 'active' AND experiment_tags.key = :study_key
    )
"""
"""Every study's runs of cells, deleted ones left out."""


@dataclass(frozen=True)
class StoredInfo:
    """What MLflow's record of the same name has, as far as reports need it."""

    run_id: str
    status: str
    start_time: int
    """Unix, milliseconds."""


@dataclass(frozen=True)
class StoredData:
    """The same of a run's contents."""

    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    """The last value of each."""


@dataclass(frozen=True)
class StoredRun:
    """A run."""

    info: StoredInfo
    data: StoredData


def read_cells(file: Path, study: str | None) -> list[StoredRun] | None:
    """What `search_cells` finds in a store's file, in no order; None where its tables are not as expected."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=_SECONDS_TO_WAIT)
        with closing(connection):
            # One transaction: all tables as of one moment, whoever writes meanwhile.
            connection.execute("BEGIN")
            return list(_read(connection, study))
    except sqlite3.Error:
        return None


def find_artifacts(file: Path, run_id: str) -> Path | None:
    """The folder of a run's files, where a store's file names one on this machine; None: MLflow is to be asked."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=_SECONDS_TO_WAIT)
        with closing(connection):
            found = connection.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
    except sqlite3.Error:
        return None
    place = str(found[0]) if found else ""
    path = Path(unquote(urlsplit(place).path) if place.startswith("file:///") else place)
    return path if path.is_absolute() and path.is_dir() else None


def _read(connection: sqlite3.Connection, study: str | None) -> Iterator[StoredRun]:
    keys = {"role_key": tags.ROLE, "study_key": tags.STUDY}
    names = dict(
        connection.execute(
            "SELECT experiments.experiment_id, value FROM experiments JOIN experiment_tags "
            "ON experiment_tags.experiment_id = experiments.experiment_id "
            "WHERE key = :study_key AND lifecycle_stage = 'active'",
            {"study_key": tags.STUDY},
        ).fetchall()
    )
    columns = "run_uuid, experiment_id, status, start_time"
    rows = connection.execute(f"SELECT {columns} FROM runs WHERE run_uuid IN ({_WANTED})", keys).fetchall()
    found = {
        run_id: (names[experiment], StoredRun(StoredInfo(run_id, status, started), StoredData()))
        for run_id, experiment, status, started in rows
    }
    for table in ("tags", "params"):
        texts = connection.execute(f"SELECT run_uuid, key, value FROM {table} WHERE run_uuid IN ({_WANTED})", keys)
        for run_id, key, value in texts:
            data = found[run_id][1].data
            (data.tags if table == "tags" else data.params)[key] = value
    columns = "run_uuid, key, value, is_nan"
    for run_id, key, value, is_nan in connection.execute(
        f"SELECT {columns} FROM latest_metrics WHERE run_uuid IN ({_WANTED})", keys
    ):
        found[run_id][1].data.metrics[key] = math.nan if is_nan else value
    # A study without an experiment of its own has adopted nothing.
    has_own = study is None or study in names.values()
    for name, run in found.values() if has_own else ():
        if study is None or name == study or f"{tags.ADOPTED}{study}" in run.data.tags:
            yield run
