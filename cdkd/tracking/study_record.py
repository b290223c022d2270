"""What a study says of itself, kept with its stages' parent runs: description, command, file; read back for reports."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdkd.tracking import store, tags
from cdkd.tracking.search import all_pages, search_runs
from cdkd.tracking.store import TrackingError, open_client

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

STUDY_FILE = "study.yaml"
"""With each stage's parent run: the study as its last sweep read it."""
NOTE_TAG = "mlflow.note.content"
"""What MLflow shows as a run's description."""
_MAX_TAG_LENGTH = 5000
_MAX_PARAM_LENGTH = 500


@dataclass(frozen=True)
class StageRecord:
    """What is known of one stage before it runs."""

    description: str
    """Of the study; empty where its file has none."""
    command: str
    """That sweeps it, as typed; empty where nobody typed one."""
    source: str
    """The study's file, as YAML."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What its cells vary and have in common."""

    @property
    def note(self) -> str:
        """All of it but the file, in Markdown."""
        lines = [f"* {name}: {value}" for name, value in self.parameters.items()]
        command = f"    {self.command}" if self.command else ""
        return "\n\n".join(part for part in (self.description, "\n".join(lines), command) if part)


@dataclass(frozen=True)
class StudyRecord:
    """What the store knows of a study beside its runs."""

    study: str
    experiment: str
    """Its id in the store, which addresses its runs in MLflow's pages."""
    description: str = ""
    command: str = ""
    """Of its last sweep."""
    source: str = ""
    """Its file, as YAML, as the last sweep read it."""


def write_record(client: "MlflowClient", run_id: str, record: StageRecord) -> None:
    """Puts a record with a stage's parent run; a parameter that the run has already keeps its value, as MLflow asks."""
    from mlflow.entities import Param, RunTag

    run = client.get_run(run_id)
    known = run.data.params
    params = [Param(key, str(value)[:_MAX_PARAM_LENGTH]) for key, value in record.parameters.items()]
    found = {NOTE_TAG: record.note, tags.DESCRIPTION: record.description, tags.COMMAND: record.command}
    client.log_batch(
        run_id,
        params=[param for param in params if param.key not in known],
        tags=[RunTag(key, text[:_MAX_TAG_LENGTH]) for key, text in found.items()],
    )
    client.log_text(run_id, record.source, STUDY_FILE)
    client.set_experiment_tag(run.info.experiment_id, NOTE_TAG, record.description[:_MAX_TAG_LENGTH])


def load_study_records(tracking_uri: str | None = None, studies: Sequence[str] | None = None) -> dict[str, StudyRecord]:
    """The records of a store's studies by name, in the order of their experiments; those of earlier versions are bare.

    Args:
        tracking_uri: the store; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        studies: only these; None: all.

    Raises:
        TrackingError: there is no such store, or what it keeps cannot be read.
    """
    from mlflow.exceptions import MlflowException

    uri = tracking_uri or store.tracking_uri()
    client = open_client(uri, must_exist=True)
    found = {each.tags[tags.STUDY]: each.experiment_id for each in all_pages(client.search_experiments)
             if tags.STUDY in each.tags}  # fmt: skip
    wanted = {name: number for name, number in found.items() if studies is None or name in studies}
    # Their ids are numbers in databases, and any text elsewhere.
    order = sorted(wanted, key=lambda name: (len(wanted[name]), wanted[name]))
    parents: dict[str, Run] = {}
    for run in sorted(
        search_runs(client, list(wanted.values()), "stage") if wanted else (), key=lambda run: run.info.start_time
    ):
        if tags.COMMAND in run.data.tags:
            parents[run.info.experiment_id] = run
    try:
        return {name: _read(client, name, wanted[name], parents.get(wanted[name])) for name in order}
    except (MlflowException, OSError) as error:
        raise TrackingError(f"the files of the studies cannot be read from {uri}: {error}") from error


def _read(client: "MlflowClient", study: str, experiment: str, parent: "Run | None") -> StudyRecord:
    if parent is None:
        return StudyRecord(study, experiment)
    known, source = parent.data.tags, ""
    if any(entry.path == STUDY_FILE for entry in client.list_artifacts(parent.info.run_id)):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(client.download_artifacts(parent.info.run_id, STUDY_FILE, folder)).read_text("utf-8")
    return StudyRecord(study, experiment, known.get(tags.DESCRIPTION, ""), known.get(tags.COMMAND, ""), source)
