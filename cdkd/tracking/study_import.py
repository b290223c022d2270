"""A study's file enters a tracking store: each of its runs becomes one there, once.

    1  the file is read through and checked: of one that is damaged nothing is taken
    2  every run is copied; until it is whole it carries the tag IMPORTING alone, and no reader takes it for a run
    3  when all are whole they get their tags, each in one step

What ends the second part, an error or a kill, leaves copies that nobody sees: an error removes them at once, the next
import removes those of a kill. The third part needs no undoing, since the next import goes on where it stopped.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cdkd.file_lock import FileLock
from cdkd.tracking import tags
from cdkd.tracking.dataset_input import dataset_input, log_inputs
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.plans import CELLS_FILE, merged_cells
from cdkd.tracking.search import all_pages, search_runs
from cdkd.tracking.store import TrackingError, database_file, first_line, open_client
from cdkd.tracking.study_file import StoredRun, StudyFile

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

_BATCH, _PARAMS_PER_BATCH = 1000, 100
"""MLflow refuses larger batches."""
_PARENT = "mlflow.parentRunId"
_MENDED = (tags.ADOPTED, tags.SEARCH)
"""Tags that a run may get, or get anew, after its end."""


@dataclass(frozen=True)
class Imported:
    """What became of a file's runs."""

    study: str
    num_new: int
    """Of cells and teachers."""
    num_known: int
    """They are in the store already."""
    num_open: int
    """They had no end when the file was written, and are left out."""


def import_study(path: Path, uri: str, home: Path) -> Imported:
    """Takes a study's runs into a store; what this store has already, also from an earlier import, is not added again.

    Args:
        path: written by `export_study`.
        uri: the store; one that is not there yet is made.
        home: folder for locks where the store is no SQLite file.

    Raises:
        TrackingError: the file or the store cannot be used; the store has then none of the file's runs that it did not
            have before.
    """
    from mlflow.exceptions import MlflowException

    file = StudyFile(path)
    file.check()
    database = database_file(uri)
    with FileLock((home if database is None else database.parent / ".cdkd") / "import.lock"):
        for name in file.manifest.experiments:
            MlflowTracker(uri, name, home).prepare([])
        client = open_client(uri)
        numbers = {found.name: found.experiment_id for found in all_pages(client.search_experiments)}
        try:
            return _Import(client, file, {name: numbers[name] for name in file.manifest.experiments}).run()
        except MlflowException as error:
            raise TrackingError(f"{path}: cannot be taken into {uri}: {first_line(error)}") from error


@dataclass
class _Import:
    client: "MlflowClient"
    file: StudyFile
    experiments: dict[str, str]
    """Name -> number in this store."""
    known: dict[str, "Run"] = field(default_factory=dict)
    """By the id of the run that each is a copy of; of one that began here, its own."""
    stages: dict[tuple[str, str], "Run"] = field(default_factory=dict)
    """The parent runs that the store has, by experiment and stage."""
    copies: dict[str, str] = field(default_factory=dict)
    """Id in the file -> id in this store."""

    def run(self) -> Imported:
        self._look()
        runs = [run for run in self.file.runs if run.tags.get(tags.ROLE) != "stage"]
        open_runs = [run for run in runs if run.is_open and _origin(run) not in self.known]
        new = [run for run in self.file.runs if self._counterpart(run) is None and run not in open_runs]
        with self._undone_by_an_error():
            for run in new:
                self._copy(run)
        for run in new:
            self._show(run)
        for run in self.file.runs:
            if (other := self._counterpart(run)) is not None:
                self._mend(run, other)
        num_new = sum(run in runs for run in new)
        return Imported(self.file.manifest.study, num_new, len(runs) - num_new - len(open_runs), len(open_runs))

    def _look(self) -> None:
        """Finds what the store has; removes what a killed import has left."""
        for run in search_runs(self.client, list(self.experiments.values()), None):
            if tags.IMPORTING in run.data.tags:
                self.client.delete_run(run.info.run_id)
            elif run.data.tags.get(tags.ROLE) == "stage":
                self.stages[run.info.experiment_id, run.data.tags[tags.STAGE]] = run
            else:
                self.known[run.data.tags.get(tags.IMPORTED, run.info.run_id)] = run

    def _counterpart(self, run: StoredRun) -> "Run | None":
        """The run of the store that is this one already; a stage has one parent run in a store."""
        if run.tags.get(tags.ROLE) == "stage":
            return self.stages.get((self.experiments[run.experiment], run.tags[tags.STAGE]))
        return self.known.get(_origin(run))

    @contextlib.contextmanager
    def _undone_by_an_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            for copy in self.copies.values():
                # What the store refuses now, the next import removes.
                with contextlib.suppress(Exception):
                    self.client.delete_run(copy)
            raise

    def _copy(self, run: StoredRun) -> None:
        """All of a run but its tags."""
        from mlflow.entities import Metric, Param

        origin = {tags.IMPORTING: _origin(run)}
        made = self.client.create_run(self.experiments[run.experiment], run.started_ms, origin, run.name or None)
        copy = self.copies[run.run_id] = str(made.info.run_id)
        params = [Param(key, value) for key, value in run.params.items()]
        for start in range(0, len(params), _PARAMS_PER_BATCH):
            self.client.log_batch(copy, params=params[start : start + _PARAMS_PER_BATCH])
        metrics = [Metric(each.name, each.value, each.unix_ms, each.step) for each in self.file.metrics[run.run_id]]
        for start in range(0, len(metrics), _BATCH):
            self.client.log_batch(copy, metrics=metrics[start : start + _BATCH])
        if run.datasets:
            log_inputs(self.client, copy, [dataset_input(each) for each in run.datasets])
        with tempfile.TemporaryDirectory() as folder:
            for name in run.files:
                self._attach(copy, Path(folder), name, self.file.content(run, name))
        # A stage that was under way goes on in the store that it came from, not here.
        self.client.set_terminated(copy, "KILLED" if run.is_open else run.status, run.ended_ms or run.started_ms)

    def _attach(self, copy: str, folder: Path, name: str, content: bytes) -> None:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        place, _, _ = name.rpartition("/")
        self.client.log_artifact(copy, str(target), place or None)

    def _show(self, run: StoredRun) -> None:
        """Gives a copy its tags, from which on it is a run like any other."""
        from mlflow.entities import RunTag

        copy = self.copies[run.run_id]
        found = {**run.tags, tags.IMPORTED: _origin(run)}
        parent = found.pop(_PARENT, None)
        if (here := self._parent(parent)) is not None:
            found[_PARENT] = here
        if run.tags.get(tags.ROLE) == "stage" and run.is_open:
            found[tags.STATUS] = "killed"
        self.client.log_batch(copy, tags=[RunTag(key, value) for key, value in found.items()])
        self.client.delete_tag(copy, tags.IMPORTING)

    def _parent(self, run_id: str | None) -> str | None:
        if run_id in self.copies:
            return self.copies[run_id]
        stored = next((run for run in self.file.runs if run.run_id == run_id), None)
        counterpart = None if stored is None else self._counterpart(stored)
        return None if counterpart is None else str(counterpart.info.run_id)

    def _mend(self, run: StoredRun, other: "Run") -> None:
        """Tells a run that the store has what happened to it elsewhere since."""
        for key, value in run.tags.items():
            if key.startswith(_MENDED) and other.data.tags.get(key) not in (value, "false"):
                self.client.set_tag(other.info.run_id, key, value)
        if run.tags.get(tags.ROLE) == "stage" and CELLS_FILE in run.files:
            self._merge_cells(run, other.info.run_id)

    def _merge_cells(self, run: StoredRun, parent: str) -> None:
        """Adds the file's cells to the plan of a stage that the store has: two machines may have run its seeds."""
        theirs = self.file.content(run, CELLS_FILE).decode()
        with tempfile.TemporaryDirectory() as folder:
            has_own = any(entry.path == CELLS_FILE for entry in self.client.list_artifacts(parent))
            ours = Path(self.client.download_artifacts(parent, CELLS_FILE, folder)).read_text() if has_own else ""
            merged = merged_cells(ours, theirs)
            if merged != ours:
                self._attach(parent, Path(folder), CELLS_FILE, merged.encode())


def _origin(run: StoredRun) -> str:
    """The run that it all began with, over however many stores it came."""
    return run.tags.get(tags.IMPORTED, run.run_id)
