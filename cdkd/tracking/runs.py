"""Tracked runs as rows of a table, with their per-video scores; imports no torch."""

import json
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdkd.effective_settings import BEFORE
from cdkd.metric_names import current_names
from cdkd.tracking import store, tags
from cdkd.tracking.plans import PlannedCell, load_plan
from cdkd.tracking.search import search_cells
from cdkd.tracking.sqlite_runs import StoredRun, find_artifacts, read_cells
from cdkd.tracking.store import TrackingError, check_store, database_file, open_client, tracking_uri
from cdkd.tracking.tracker import SCORES, label_text

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run

_SUFFIX = ".parquet"

__all__ = ["BASE_COLUMNS", "load_runs", "load_scores", "tracking_uri"]

BASE_COLUMNS = (
    "run_id",
    "study",
    "stage",
    "label",
    "cell",
    "seed",
    "status",
    "attempt",
    "commit",
    "dirty",
    "version",
    "started",
    "adopted_by",
    "is_search",
)
"""Columns that every table of runs has; `labels.`, `settings.`, `metrics.` and `metadata.` columns follow."""


def load_runs(tracking_uri: str | None = None, study: str | None = None) -> "pd.DataFrame":
    """Every tracked attempt at a cell, oldest first, one row each.

    Columns: `BASE_COLUMNS`; `labels.<axis>` (texts); `settings.<dotted key>` (typed as they were configured, lists
    as lists); `metrics.<name>` (last value; accuracies in percent); `metadata.<name>` (texts). `status` is one of
    finished, diverged, pruned, failed, killed, running; `started` is a UTC time; `dirty` a boolean; `adopted_by` the
    names of further studies that have the run as a result, between blanks; `is_search` is true where a search suggested
    the run, which then stands in no table. A cell absent is missing.

    Args:
        tracking_uri: the store; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        study: only this study's runs, those included that it adopted from others, which then have its own names for
            `stage` and labels (those of their cell's first row) once a sweep of it has ended; None: every study's.

    Raises:
        TrackingError: there is no such store.
    """
    import pandas as pd

    uri = tracking_uri or store.tracking_uri()
    rows = [_row(run) for run in _cells(uri, study)]
    if study is not None and (adopted := [row for row in rows if row["study"] != study]):
        _name_as_in(load_plan(study, uri), adopted)
    # Ties by the id, so that the table is the same each time.
    rows.sort(key=lambda row: (row["started"], row["run_id"]))
    columns = list(BASE_COLUMNS)
    for prefix in ("labels.", "settings.", "metrics.", "metadata."):
        columns += sorted({key for row in rows for key in row if key.startswith(prefix)})
    return pd.DataFrame(rows, columns=columns)


def _name_as_in(plan: Sequence[PlannedCell], rows: Iterable[dict[str, Any]]) -> None:
    """Stage and labels of the rows whose cell is planned become the plan's."""
    # Backwards, so that of a cell that stands in several rows the first counts.
    planned = {cell.cell: cell for cell in reversed(plan)}
    for row in rows:
        if cell := planned.get(row["cell"]):
            for key in [key for key in row if key.startswith("labels.")]:
                del row[key]
            row |= {"stage": cell.stage, "label": label_text(cell.labels)}
            row |= {f"labels.{axis}": label for axis, label in cell.labels.items()}


def _cells(uri: str, study: str | None) -> "Iterable[Run | StoredRun]":
    file = database_file(uri)
    if file is not None:
        check_store(uri, must_exist=True)
        found = read_cells(file, study)
        if found is not None:
            return found
    return search_cells(open_client(uri, must_exist=True), study)


def load_scores(run_id: str, tracking_uri: str | None = None) -> "pd.DataFrame":
    """Per-video scores of a run's test: columns `video`, `label`, `score_0` .. `score_{K-1}`.

    Raises:
        TrackingError: there is no such store or run, or the run keeps no scores.
    """
    uri = tracking_uri or store.tracking_uri()
    file = database_file(uri)
    # A table may ask for the scores of hundreds of runs, which MLflow takes a twentieth of a second each to copy.
    folder = find_artifacts(file, run_id) if file is not None else None
    if folder is None:
        return _fetch_scores(run_id, uri)
    found = list((folder / SCORES).glob(f"*{_SUFFIX}"))
    _require_one(found, run_id, uri)
    try:
        return _read_scores(found[0])
    except (OSError, ValueError) as error:
        raise _unreadable(run_id, uri, error) from error


def _fetch_scores(run_id: str, uri: str) -> "pd.DataFrame":
    from mlflow.exceptions import MlflowException

    client = open_client(uri, must_exist=True)
    try:
        files = [found.path for found in client.list_artifacts(run_id, SCORES) if found.path.endswith(_SUFFIX)]
        _require_one(files, run_id, uri)
        with tempfile.TemporaryDirectory() as folder:
            return _read_scores(Path(client.download_artifacts(run_id, files[0], folder)))
    except (MlflowException, OSError, ValueError) as error:
        raise _unreadable(run_id, uri, error) from error


def _read_scores(file: Path) -> "pd.DataFrame":
    import pandas as pd

    # Opened here and read by one thread: for small files pandas's own search for a file system takes longer.
    with file.open("rb") as stream:
        return pd.read_parquet(stream, use_threads=False)


def _require_one(files: Sequence[object], run_id: str, uri: str) -> None:
    if len(files) != 1:
        raise TrackingError(f"run {run_id} of {uri} keeps {len(files)} score tables; one was expected")


def _unreadable(run_id: str, uri: str, error: Exception) -> TrackingError:
    return TrackingError(f"scores of run {run_id} cannot be read from {uri}: {error}")


def _row(run: "Run | StoredRun") -> dict[str, Any]:
    found = run.data.tags
    row: dict[str, Any] = {
        "run_id": run.info.run_id,
        "study": found.get(tags.STUDY),
        "stage": found.get(tags.STAGE),
        "label": found.get(tags.LABEL),
        "cell": found.get(tags.CELL),
        "seed": int(found.get(tags.SEED, "0")),
        # The tag is absent while the run goes on; MLflow's word is then "running".
        "status": found.get(tags.STATUS) or run.info.status.lower(),
        "attempt": int(found.get(tags.ATTEMPT, "1")),
        "commit": found.get(tags.COMMIT),
        "dirty": found.get(tags.DIRTY) == "true",
        "version": found.get(tags.VERSION),
        "started": datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        "is_search": found.get(tags.SEARCH) == "true",
        "adopted_by": " ".join(sorted(k.removeprefix(tags.ADOPTED) for k in found if k.startswith(tags.ADOPTED))),
    }
    row |= {f"labels.{key.removeprefix(tags.LABELS)}": v for key, v in found.items() if key.startswith(tags.LABELS)}
    # Today's names second: where a run has both, they win.
    for prefix in (tags.FORMER_METADATA, tags.METADATA):
        row |= {f"metadata.{key.removeprefix(prefix)}": v for key, v in found.items() if key.startswith(prefix)}
    # A run that was killed before its parameters came has no settings at all, and none is to be made up for it.
    if run.data.params:
        row |= {f"settings.{key}": value for key, value in BEFORE.items()}
    row |= {f"settings.{key}": decode_setting(value) for key, value in run.data.params.items()}
    # What the machine did at the last epoch says nothing of a result.
    metrics = {key: value for key, value in run.data.metrics.items() if not key.startswith("system/")}
    row |= {f"metrics.{key}": value for key, value in current_names(metrics).items()}
    return row


def decode_setting(text: str) -> Any:
    """The inverse of `cdkd.tracking.mlflow_tracker.encode_setting`."""
    # Runs have most of their settings in common. A list is made anew each time, since its owner may change it.
    return _decoded(text) if text.startswith(("[", "{")) else _decoded_once(text)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


_decoded_once = lru_cache(maxsize=4096)(_decoded)
