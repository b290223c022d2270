"""The folder in which a study keeps its state: `.cdkd/<study>/` in the working directory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdkd.atomic_write import atomic_write
from cdkd.config import ConfigError, build_record
from cdkd.errors import CdkdError
from cdkd.settings import RunConfig
from cdkd.sweep.study.cell import Cell

HOME = Path(".cdkd")


@dataclass(frozen=True)
class StudyFolder:
    """Names of a study's files."""

    path: Path

    @property
    def journal(self) -> Path:
        """Optuna's journal: what is planned, running and done."""
        return self.path / "journal.log"

    @property
    def queue_lock(self) -> Path:
        """Held while tasks are added to the plan."""
        return self.path / "plan.lock"

    def lock(self, number: int) -> Path:
        """Held by whoever runs the trial."""
        return self.path / "leases" / f"{number}.lock"

    def progress(self, number: int) -> Path:
        """How far the running trial is."""
        return self.path / "progress" / f"{number}.json"

    def configuration(self, task: str) -> Path:
        """What a task runs."""
        return self.path / "tasks" / f"{task}.json"

    def work(self, task: str) -> Path:
        """Where a task keeps what it resumes from."""
        return self.path / "work" / task

    def traceback(self, task: str, number: int) -> Path:
        """Why a trial failed."""
        return self.path / "failures" / f"{task}-{number}.txt"

    def choice(self, stage: str, digest: str) -> Path:
        """What a later stage took over from a stage."""
        return self.path / "choices" / f"{stage}-{digest}.json"

    @property
    def sweeps(self) -> Path:
        """What each sweep wants run."""
        return self.path / "sweeps"

    def beat(self, process: int) -> Path:
        """Touched by a worker every few seconds while it moves."""
        return self.path / "beats" / str(process)

    @property
    def notices(self) -> Path:
        """What workers want told."""
        return self.path / "notices.log"

    @property
    def store_record(self) -> Path:
        """Where runs are tracked, and what trains the cells."""
        return self.path / "store.json"

    def worker_log(self, name: str) -> Path:
        """What a worker process printed."""
        return self.path / "logs" / f"worker-{name}.log"


def study_folder(study: str) -> StudyFolder:
    """The folder of a study in the working directory."""
    return StudyFolder(HOME / study)


def read_json(file: Path) -> dict[str, Any]:
    """A JSON file that cdkd wrote itself.

    Raises:
        CdkdError: the file is missing or damaged.
    """
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CdkdError(f"{file}: cannot be read ({error}); remove it and run the sweep again") from error
    return content


def write_cell(folder: StudyFolder, task: str, cell: Cell) -> None:
    """Keeps what a task runs; written anew by every sweep, so that runtime settings are the latest."""
    content = {
        "stage": cell.stage,
        "labels": dict(cell.labels),
        "recipe": cell.recipe,
        "experiment": cell.config.model_dump(mode="json"),
    }
    atomic_write(folder.configuration(task), json.dumps(content, indent=1) + "\n")


def read_cell(folder: StudyFolder, task: str) -> Cell:
    """What a task runs.

    Raises:
        CdkdError: the file is missing or damaged, or holds settings that this version does not know.
    """
    file = folder.configuration(task)
    content = read_json(file)
    labels: Mapping[str, str] = content.get("labels", {})
    try:
        config = build_record(RunConfig, content["experiment"])
    except (KeyError, ConfigError) as error:
        raise CdkdError(f"{file}: written by another version of cdkd ({error}); run the sweep again") from error
    return Cell(content["stage"], labels, config, recipe=content.get("recipe", ""))
