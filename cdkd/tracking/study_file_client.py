"""A study's file answers like a tracking store that nobody can write to: whatever reads a store reads it too."""

import os
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cdkd.tracking.dataset_input import dataset_input
from cdkd.tracking.store import TrackingError
from cdkd.tracking.study_file import StoredMetric, StoredRun, StudyFile

if TYPE_CHECKING:
    from mlflow.entities import Experiment, FileInfo, Metric, Run
    from mlflow.store.entities import PagedList


class StudyFileClient:
    """The part of `MlflowClient` that reads, with its names and its answers, over one file."""

    def __init__(self, file: StudyFile) -> None:
        self._file = file

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise TrackingError(
            f"{self._file.path}: a study's file can be read, not changed; cdkd study import takes its runs into a store"
        )

    @cached_property
    def _experiments(self) -> "list[Experiment]":
        from mlflow.entities import Experiment, ExperimentTag

        return [
            Experiment(str(number), name, "", "active", [ExperimentTag(key, value) for key, value in tags.items()])
            for number, (name, tags) in enumerate(self._file.manifest.experiments.items(), 1)
        ]

    @cached_property
    def _runs(self) -> "dict[str, tuple[StoredRun, Run]]":
        numbers = {each.name: each.experiment_id for each in self._experiments}
        return {run.run_id: (run, self._entity(run, numbers[run.experiment])) for run in self._file.runs}

    def _entity(self, run: StoredRun, experiment_id: str) -> "Run":
        from mlflow.entities import Param, Run, RunData, RunInfo, RunInputs, RunTag

        last: dict[str, StoredMetric] = {}
        # Of several values MLflow shows the one of the highest step, then of the latest moment.
        for each in sorted(self._file.metrics[run.run_id], key=lambda each: (each.step, each.unix_ms)):
            last[each.name] = each
        info = RunInfo(run.run_id, experiment_id, "", run.status, run.started_ms, run.ended_ms, "active", "", run.name)
        params = [Param(key, value) for key, value in run.params.items()]
        tags = [RunTag(key, value) for key, value in run.tags.items()]
        inputs = RunInputs([dataset_input(each) for each in run.datasets])
        return Run(info, RunData([_metric(each) for each in last.values()], params, tags), inputs)

    def _stored(self, run_id: str) -> StoredRun:
        return self._known(run_id)[0]

    def _known(self, run_id: str) -> "tuple[StoredRun, Run]":
        if run_id not in self._runs:
            raise TrackingError(f"{self._file.path}: holds no run {run_id}")
        return self._runs[run_id]

    def search_experiments(self, page_token: str | None = None, **_: Any) -> "PagedList[Experiment]":
        """Those that the file has runs of, whatever the conditions."""
        from mlflow.store.entities import PagedList

        return PagedList(self._experiments, None)

    def get_experiment_by_name(self, name: str) -> "Experiment | None":
        """The experiment of a study; None where the file has none."""
        return next((each for each in self._experiments if each.name == name), None)

    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str = "",
        run_view_type: int = 1,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> "PagedList[Run]":
        """The runs of these experiments that a condition in MLflow's language holds for, all on one page."""
        from mlflow.store.entities import PagedList
        from mlflow.utils.search_utils import SearchUtils

        wanted = [run for _, run in self._runs.values() if run.info.experiment_id in experiment_ids]
        # MLflow's own reading of its language, over lists of runs.
        search: Any = SearchUtils
        return PagedList(search.sort(search.filter(wanted, filter_string), list(order_by or ())), None)

    def get_run(self, run_id: str) -> "Run":
        """One run."""
        return self._known(run_id)[1]

    def get_metric_history(self, run_id: str, key: str) -> "list[Metric]":
        """Every value of one metric of a run."""
        return [_metric(each) for each in self._file.metrics[self._stored(run_id).run_id] if each.name == key]

    def list_artifacts(self, run_id: str, path: str | None = None) -> "list[FileInfo]":
        """The files and folders of a run in one folder."""
        from mlflow.entities import FileInfo

        start = f"{path.rstrip('/')}/" if path else ""
        below = [name.removeprefix(start) for name in self._stored(run_id).files if name.startswith(start)]
        names = dict.fromkeys(name.partition("/")[0] for name in below)
        return [FileInfo(f"{start}{name}", name not in below, None) for name in names]

    def download_artifacts(self, run_id: str, path: str, dst_path: str) -> str:
        """Copies a run's file, or all below a folder of it, to the same place below a folder; returns where it lies."""
        run = self._stored(run_id)
        wanted = [name for name in run.files if name == path or name.startswith(f"{path.rstrip('/')}/")]
        if not wanted:
            raise TrackingError(f"{self._file.path}: run {run_id} keeps no file {path}")
        for name in wanted:
            target = Path(dst_path, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._file.content(run, name))
        return str(Path(dst_path, path))


def _metric(each: StoredMetric) -> "Metric":
    from mlflow.entities import Metric

    return Metric(each.name, each.value, each.unix_ms, each.step)


def open_study_file(path: Path) -> StudyFileClient:
    """A client of a file; one that is asked for again, and is the same, is not read again.

    Raises:
        StudyFileError: it is no study's file, or is damaged.
    """
    found = os.stat(path)
    return _opened(path.resolve(), found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=2)
def _opened(path: Path, mtime_ns: int, size: int) -> StudyFileClient:
    return StudyFileClient(StudyFile(path))
