"""A study leaves its tracking store as one file, from which every table of it can be made elsewhere."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cdkd.atomic_write import atomic_file
from cdkd.suggestion import hint
from cdkd.tracking import tags
from cdkd.tracking.dataset_input import stored_dataset
from cdkd.tracking.search import all_pages, search_cells, search_runs
from cdkd.tracking.store import TrackingError, first_line, open_client
from cdkd.tracking.study_file import Manifest, StoredMetric, StoredRun, StudyFileWriter
from cdkd.tracking.tracker import CHECKPOINT

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


@dataclass(frozen=True)
class Exported:
    """What a file got."""

    num_cells: int
    """Attempts at cells, those included that the study took over from others."""
    num_teachers: int
    num_bytes: int
    """Of the file."""


def export_study(study: str, target: Path, uri: str, has_checkpoints: bool = False) -> Exported:
    """Writes all runs of a study, with everything that reports are made of, to one file.

    Args:
        study: its name.
        target: a file of that name is replaced once the new one is whole.
        uri: the store; another such file will do.
        has_checkpoints: the runs' trained networks, too, which no report needs.

    Raises:
        TrackingError: the store cannot be used, or has no such study.
        OSError: the file cannot be written.
    """
    from mlflow.exceptions import MlflowException

    client = open_client(uri, must_exist=True)
    experiments = {found.experiment_id: found for found in all_pages(client.search_experiments)}
    studies = {number: found.tags[tags.STUDY] for number, found in experiments.items() if tags.STUDY in found.tags}
    own = [number for number, name in studies.items() if name == study]
    if not own:
        raise TrackingError(
            f"{study}: no study of this name has runs in {uri}; {hint(study, studies.values(), 'studies')}"
        )
    cells = list(search_cells(client, study))
    teachers = list(search_runs(client, own, "teacher"))
    stages = list(search_runs(client, own, "stage"))
    with atomic_file(target) as temporary, temporary.open("wb") as stream, tempfile.TemporaryDirectory() as folder:
        writer = StudyFileWriter(stream)
        try:
            # A stage before its runs, which name it as their parent.
            for run in (*_by_start(stages), *_by_start(teachers), *_by_start(cells)):
                _add(writer, client, run, experiments[run.info.experiment_id].name, Path(folder), has_checkpoints)
        except MlflowException as error:
            raise TrackingError(f"study '{study}' cannot be read from {uri}: {first_line(error)}") from error
        used = dict.fromkeys([*own, *sorted({run.info.experiment_id for run in cells})])
        writer.close(
            Manifest(study, {experiments[number].name: _own_tags(experiments[number].tags) for number in used})
        )
    return Exported(len(cells), len(teachers), target.stat().st_size)


def _by_start(runs: "list[Run]") -> "list[Run]":
    return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))


def _own_tags(found: dict[str, str]) -> dict[str, str]:
    """Of an experiment; MLflow's own say where it lies."""
    return {key: value for key, value in sorted(found.items()) if not key.startswith("mlflow.")}


def _add(
    writer: StudyFileWriter,
    client: "MlflowClient",
    run: "Run",
    experiment: str,
    folder: Path,
    has_checkpoints: bool,
) -> None:
    run_id = run.info.run_id
    names = [name for name in _files(client, run_id, "") if has_checkpoints or not name.startswith(f"{CHECKPOINT}/")]
    own = folder / run_id
    own.mkdir()
    content = {name: Path(client.download_artifacts(run_id, name, str(own))) for name in names}
    record = StoredRun(
        run_id,
        experiment,
        run.info.run_name or "",
        run.info.status,
        run.info.start_time,
        run.info.end_time,
        dict(sorted(run.data.tags.items())),
        dict(sorted(run.data.params.items())),
        tuple(names),
        tuple(stored_dataset(each) for each in (run.inputs.dataset_inputs if run.inputs else ())),
    )
    metrics = (
        StoredMetric(name, each.step, each.timestamp, each.value)
        for name in sorted(run.data.metrics)
        for each in client.get_metric_history(run_id, name)
    )
    writer.add_run(record, metrics, content)
    for file in content.values():
        file.unlink()


def _files(client: "MlflowClient", run_id: str, folder: str) -> Iterator[str]:
    """Paths of all that a run keeps, by name."""
    for entry in sorted(client.list_artifacts(run_id, folder or None), key=lambda entry: entry.path):
        if entry.is_dir:
            yield from _files(client, run_id, entry.path)
        else:
            yield str(entry.path)
