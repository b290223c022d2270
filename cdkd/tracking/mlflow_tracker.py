"""The tracking store that cdkd uses: an MLflow experiment per study, a parent run per stage, a child per attempt."""

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cdkd import __version__
from cdkd.file_lock import FileLock
from cdkd.metric_names import current_names
from cdkd.run_status import RunStatus
from cdkd.tracking import tags
from cdkd.tracking.artifacts import fetch_checkpoint
from cdkd.tracking.dataset_input import log_dataset
from cdkd.tracking.environment import environment
from cdkd.tracking.provenance import provenance
from cdkd.tracking.search import search_cells, search_runs
from cdkd.tracking.store import (
    StoreAway,
    TrackingError,
    absolute_uri,
    check_store,
    database_file,
    open_client,
)
from cdkd.tracking.study_record import StageRecord, write_record
from cdkd.tracking.tracker import CellRun, LoggedEpoch, OpenRun, RunStart
from cdkd.tracking.view import view_tags

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

_MAX_METRICS_PER_BATCH = 1000
_MAX_PARAMS_PER_BATCH = 100
_MAX_TAG_LENGTH = 5000
_MLFLOW_STATUS: dict[RunStatus, str] = {
    "finished": "FINISHED",
    "diverged": "FINISHED",
    "failed": "FAILED",
    "killed": "KILLED",
    # Of MLflow's words the one that is neither a result nor an error.
    "pruned": "KILLED",
}


def encode_setting(value: Any) -> str:
    """A setting as an MLflow parameter: plain text where that reads back as text, JSON for everything else."""
    if isinstance(value, str):
        try:
            # Text that would read back as something else, such as "8" or "true", is quoted like everything that is not
            # text.
            json.loads(value)
        except json.JSONDecodeError:
            return value
    return json.dumps(value)


def _quieten_loggers() -> None:
    """MLflow and alembic narrate the creation of their tables, and every locked database with its whole traceback."""
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _cell_run(run: "Run") -> CellRun:
    found = run.data.tags
    # Without the tag its process is at work, or died before it could write it; neither is a result.
    status = cast("RunStatus", found.get(tags.STATUS, "running"))
    is_search = found.get(tags.SEARCH) == "true"
    return CellRun(
        run.info.run_id, found[tags.STUDY], found[tags.CELL], status, current_names(run.data.metrics), is_search
    )


class MlflowTracker:
    """One study's runs in an MLflow store.

    Args:
        uri: the store's address.
        study: the study's name, and the experiment's.
        home: folder for the lock under which the store is set up, where that is not an SQLite file.
    """

    def __init__(self, uri: str, study: str, home: Path) -> None:
        self.uri = uri
        self._study = study
        self._home = home
        _quieten_loggers()
        self._file = database_file(absolute_uri(uri))
        self._cached_client: MlflowClient | None = None
        self._cached_experiment: str | None = None
        self._parents: dict[str, str] = {}
        """Stage -> its parent run, of stages whose runs were opened."""
        self._tried: set[str] = set()
        """Tokens with which a run may have been opened."""

    @property
    def _client(self) -> "MlflowClient":
        # On first use, so that a process which tracks nothing after all does not pay for the import.
        if self._cached_client is None:
            self._cached_client = open_client(self.uri)
            # Importing MLflow configures these loggers anew.
            _quieten_loggers()
        # SQLite would go on writing to a file that was moved, and make an empty one for the next connection.
        elif self._file is not None and not self._file.exists():
            self._forget_connections()
            raise StoreAway(f"tracking store {self._file} is gone")
        return self._cached_client

    def _forget_connections(self) -> None:
        """Lets go of the file that was there: when one is there again, it may be another."""
        self._parents.clear()
        tracking = getattr(self._cached_client, "_tracking_client", None)
        engine = getattr(getattr(tracking, "store", None), "engine", None)
        if engine is not None:
            engine.dispose()

    @property
    def _experiment(self) -> str:
        if self._cached_experiment is None:
            found = self._client.get_experiment_by_name(self._study)
            if found is None:
                raise TrackingError(f"{self.uri} holds no experiment '{self._study}'; start with cdkd sweep")
            self._cached_experiment = found.experiment_id
        return self._cached_experiment

    def check(self) -> None:
        """See `Tracker`.

        Raises:
            TrackingError: the store cannot be used, or holds no such study.
        """
        _ = self._experiment

    def prepare(self, stages: Sequence[str]) -> None:
        """See `Tracker`; one process at a time, since concurrent set-ups leave an SQLite store broken.

        Raises:
            TrackingError: the store is somebody else's or cannot be used, or the study's experiment was deleted in it.
        """
        # Before MLflow is asked: it would write its tables into the database of any other program.
        check_store(self.uri)
        file = database_file(self.uri)
        # Beside the database itself: sweeps in other folders that share it must meet the same lock.
        home = self._home if file is None else file.parent / ".cdkd"
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / "tracking.lock"):
            found = self._client.get_experiment_by_name(self._study)
            if found is None:
                # A server decides for itself where its artifacts lie.
                location = None if file is None else str(file.resolve().parent / "mlartifacts" / self._study)
                self._client.create_experiment(self._study, location, tags={tags.STUDY: self._study, **view_tags()})
            elif found.lifecycle_stage == "deleted":
                raise TrackingError(
                    f"experiment '{self._study}' was deleted in {self.uri}: restore it with "
                    f"`mlflow experiments restore -x {found.experiment_id}`, or rename the study"
                )
            elif tags.STUDY not in found.tags:
                self._client.set_experiment_tag(found.experiment_id, tags.STUDY, self._study)
            for stage in stages:
                # Found again by its tag: a sweep that goes on, or a second one beside it, has the same parent run.
                parent = self._find_parent(stage)
                if parent is None:
                    self._client.create_run(self._experiment, tags=self._tags("stage", stage), run_name=stage)
                else:
                    self._client.update_run(parent, status="RUNNING")

    def describe(self, stage: str, record: StageRecord) -> None:
        """See `Tracker`."""
        write_record(self._client, self._require_parent(stage), record)

    def open(self, start: RunStart) -> str:
        """See `Tracker`."""
        # Asked for each run: a sweep may go on for days, and the code be changed meanwhile.
        state = provenance(Path.cwd())
        found = self._tags(start.role, start.stage) | {
            tags.LABEL: start.label,
            tags.CELL: start.cell,
            tags.SEED: str(start.seed),
            tags.ATTEMPT: str(start.attempt),
            tags.STAGE_DIGEST: start.stage_digest,
            tags.TOKEN: start.token,
            tags.OWNER: start.owner,
        }
        found |= {tags.METADATA + name: text for name, text in environment().items()}
        found |= {tags.LABELS + axis: label for axis, label in start.labels.items()}
        if start.recipe:
            found[f"{tags.METADATA}recipe"] = start.recipe
        if start.is_search:
            found[tags.SEARCH] = "true"
        if state.commit is not None:
            found |= {tags.COMMIT: state.commit, "mlflow.source.git.commit": state.commit}
        if state.dirty is not None:
            found[tags.DIRTY] = "true" if state.dirty else "false"
        parent = self._parents.get(start.stage) or self._find_parent(start.stage)
        if parent is not None:
            self._parents[start.stage] = parent
            # The tag by which MLflow's own page folds children below their parent.
            found["mlflow.parentRunId"] = parent
        name = f"{start.label}, seed {start.seed}" if start.role == "cell" else start.label
        run_id = self._find_by_token(start.token) if start.token in self._tried else None
        if run_id is None:
            # Before it is asked for: an answer that is lost on its way leaves a run, which the next try finds.
            self._tried.add(start.token)
            run_id = str(self._client.create_run(self._experiment, tags=found, run_name=name).info.run_id)
        self._log_params(run_id, start.settings)
        self._tried.discard(start.token)
        return run_id

    def _find_by_token(self, token: str) -> str | None:
        runs = search_runs(self._client, [self._experiment], None, f"tags.`{tags.TOKEN}` = '{token}'")
        return next((str(run.info.run_id) for run in runs), None)

    def _log_params(self, run_id: str, settings: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        # MLflow refuses larger batches, of parameters as of metrics.
        params = [Param(key, encode_setting(value)) for key, value in settings.items()]
        for start in range(0, len(params), _MAX_PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=params[start : start + _MAX_PARAMS_PER_BATCH])

    def log(self, run_id: str, history: Sequence[LoggedEpoch]) -> None:
        """See `Tracker`; one batch for all of it, since single metrics cost fifty times as much."""
        from mlflow.entities import Metric

        # MLflow stores an infinity as the largest float, which a reader would take for a number. Of two metrics that
        # agree in all of this, the moment included, it keeps one.
        metrics = [
            Metric(name, math.nan if math.isinf(value) else float(value), entry.unix_ms, entry.epoch)
            for entry in history
            for name, value in entry.metrics.items()
        ]
        for start in range(0, len(metrics), _MAX_METRICS_PER_BATCH):
            self._client.log_batch(run_id, metrics=metrics[start : start + _MAX_METRICS_PER_BATCH])

    def attach(self, run_id: str, file: Path, folder: str = "") -> None:
        """See `Tracker`."""
        self._client.log_artifact(run_id, str(file), folder or None)

    def keep_metadata(self, run_id: str, metadata: Mapping[str, str]) -> None:
        """See `Tracker`."""
        self._tag(run_id, {tags.METADATA + name: text for name, text in metadata.items()})
        log_dataset(self._client, run_id, metadata)

    def _tag(self, run_id: str, found: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        self._client.log_batch(run_id, tags=[RunTag(key, text[:_MAX_TAG_LENGTH]) for key, text in found.items()])

    def fetch_checkpoint(self, run_id: str, folder: Path) -> Path:
        """See `Tracker`."""
        return fetch_checkpoint(run_id, folder, self.uri)

    def close(self, run_id: str, status: RunStatus, error: str = "") -> None:
        """See `Tracker`."""
        # The tags before the end: whoever finds a run ended may rely on its status, which MLflow's own words do not
        # tell (finished and diverged are both FINISHED).
        self._tag(run_id, {tags.STATUS: status} | ({tags.ERROR: error} if error else {}))
        self._client.set_terminated(run_id, _MLFLOW_STATUS[status])

    def kill_if_open(self, run_id: str) -> bool:
        """See `Tracker`."""
        from mlflow.exceptions import MlflowException

        try:
            if self._client.get_run(run_id).info.status != "RUNNING":
                return False
        except MlflowException:
            # The run was deleted for good meanwhile; there is nothing left to end.
            return True
        self.close(run_id, "killed")
        return True

    def kill_by_token(self, token: str) -> bool:
        """See `Tracker`."""
        run_id = self._find_by_token(token)
        return run_id is not None and self.kill_if_open(run_id)

    def open_runs(self, owner: str) -> list[OpenRun]:
        """See `Tracker`."""
        condition = f"attributes.status = 'RUNNING' and tags.`{tags.OWNER}` = '{owner}'"
        runs = search_runs(self._client, [self._experiment], None, condition)
        return [OpenRun(str(run.info.run_id), run.data.tags.get(tags.TOKEN, "")) for run in runs]

    def open_stages(self) -> list[str]:
        """See `Tracker`."""
        runs = self._search("stage", " and attributes.status = 'RUNNING'")
        return [str(run.data.tags[tags.STAGE]) for run in runs]

    def cell_runs(self, of_every_study: bool = False) -> dict[str, CellRun]:
        """See `Tracker`."""
        found = search_cells(self._client, None if of_every_study else self._study)
        return {run.info.run_id: _cell_run(run) for run in found}

    def result_of(self, cell: str) -> CellRun | None:
        """See `Tracker`."""
        found = search_cells(self._client, None, f" and tags.`{tags.CELL}` = '{cell}'")
        return next((run for run in map(_cell_run, found) if run.has_result), None)

    def adopt(self, run: CellRun, stage: str) -> None:
        """See `Tracker`."""
        # A tag and not a copy: the run stays where it is, with its curve and its files, and is counted once.
        self._client.set_tag(run.run_id, tags.ADOPTED + self._study, stage)

    def admit(self, run_id: str) -> None:
        """See `Tracker`."""
        self._client.set_tag(run_id, tags.SEARCH, "false")

    def log_stage(self, stage: str, metrics: Mapping[str, float]) -> None:
        """See `Tracker`."""
        self.log(self._require_parent(stage), [LoggedEpoch(0, metrics)])

    def close_stage(self, stage: str, status: RunStatus, files: Sequence[Path] = ()) -> None:
        """See `Tracker`."""
        self.attach_to_stage(stage, files)
        self.close(self._require_parent(stage), status)

    def attach_to_stage(self, stage: str, files: Sequence[Path], folder: str = "") -> None:
        """See `Tracker`."""
        parent = self._require_parent(stage)
        for file in files:
            self.attach(parent, file, folder)

    def _require_parent(self, stage: str) -> str:
        parent = self._find_parent(stage)
        if parent is None:
            raise TrackingError(f"{self.uri} holds no parent run of stage '{stage}' of '{self._study}'")
        return parent

    def _tags(self, role: str, stage: str) -> dict[str, str]:
        return {
            tags.ROLE: role,
            tags.STUDY: self._study,
            tags.STAGE: stage,
            tags.VERSION: __version__,
            "mlflow.source.name": "cdkd",
            "mlflow.source.type": "LOCAL",
        }

    def _find_parent(self, stage: str) -> str | None:
        # A stage's name is letters, digits, dot, dash and underscore, so that it needs no quoting here.
        runs = self._search("stage", f" and tags.`{tags.STAGE}` = '{stage}'")
        return next((str(run.info.run_id) for run in runs), None)

    def _search(self, role: str, and_also: str = "") -> "Iterator[Run]":
        return search_runs(self._client, [self._experiment], role, and_also)
