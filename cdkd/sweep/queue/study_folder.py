"""The folder in which a study keeps its state: `.cdkd/<study>/` in the working directory."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cdkd.atomic_write import atomic_write
from cdkd.errors import CdkdError

HOME = Path(".cdkd")


@dataclass(frozen=True)
class StudyFolder:
    """Names of a study's files."""

    path: Path
    database: str | None = None
    """Address of the database to look for the study in, whatever the folder says; it need not exist then."""

    @property
    def journal(self) -> Path:
        """Optuna's journal: what is planned, running and done."""
        return self.path / "journal.log"

    @property
    def storage(self) -> str | None:
        """Address of the database that keeps the study's trials; None where the journal does."""
        if self.database is not None:
            return self.database
        try:
            return self._storage_record.read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None

    @property
    def _storage_record(self) -> Path:
        return self.path / "storage"

    @property
    def has_trials(self) -> bool:
        """Something may have been planned here."""
        return self.storage is not None or self.journal.exists()

    def use_storage(self, address: str | None) -> None:
        """From now on a database keeps the study's trials; None leaves it as it is.

        Raises:
            CdkdError: the folder's journal keeps some already.
        """
        if address is None:
            return
        if self.journal.exists() and self.storage is None:
            raise CdkdError(
                f"{self.path}: its cells are kept in {self.journal.name}, not in a database; leave out --storage, or "
                "remove the folder: finished cells are found again in the tracking store"
            )
        if address != self.storage:
            atomic_write(self._storage_record, address + "\n")
            # It may hold a password.
            self._storage_record.chmod(0o600)

    def lock(self, number: int) -> Path:
        """Held by whoever runs the trial."""
        return self.path / "leases" / f"{number}.lock"

    def progress(self, number: int) -> Path:
        """How far the running trial is."""
        return self.path / "progress" / f"{number}.json"

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

    @property
    def jobs(self) -> Path:
        """What sweeps have submitted to a cluster, a folder per sweep."""
        return self.path / "jobs"

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

    def suggestions(self, stage: str, digest: str) -> Path:
        """What a stage that searches has asked for."""
        return self.path / "suggestions" / f"{stage}-{digest}.json"

    def worker_log(self, name: str) -> Path:
        """What a worker process printed."""
        return self.path / "logs" / f"worker-{name}.log"


def study_folder(study: str) -> StudyFolder:
    """The folder of a study in the working directory."""
    return StudyFolder(HOME / study)


Kept = TypeVar("Kept")


def read_if_whole(file: Path, record: Callable[..., Kept]) -> Kept | None:
    """The record that a JSON file holds; None where it is gone, half written, or of another version."""
    try:
        return record(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


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
