"""The jobs that a sweep has submitted to a cluster, as files that the sweep, its jobs and `cdkd stop` see.

    .cdkd/<study>/jobs/<sweep>/
        jobs.json      ids of the jobs
        order          what they are to do: nothing yet, drain, or stop
        beat           touched by the sweep again and again; jobs whose sweep is gone end when nothing is left to do
        lock           held by the sweep
        ...            what each job was given, and what it has printed

Files and no signals, since a job may be on another machine, or still wait in the cluster's queue.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cdkd.atomic_write import atomic_write
from cdkd.file_lock import FileLock, is_free
from cdkd.sweep.queue.study_folder import StudyFolder

Order = Literal["", "drain", "stop"]
"""End behind the task under way, or behind its epoch."""


@dataclass(frozen=True)
class JobGroup:
    """Names of a group's files, and what is in them."""

    path: Path

    @property
    def beat(self) -> Path:
        """See above."""
        return self.path / "beat"

    @property
    def order(self) -> Order:
        """The last one that was given."""
        try:
            text = (self.path / "order").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        return "stop" if text == "stop" else "drain"

    def give(self, order: Order) -> None:
        """Tells the group's jobs; a stop is never taken back."""
        if self.order != "stop":
            atomic_write(self.path / "order", order)

    @property
    def jobs(self) -> list[str]:
        """Their ids."""
        try:
            found: list[str] = json.loads((self.path / "jobs.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return found

    def record(self, jobs: Sequence[str]) -> None:
        """Adds jobs to the group."""
        atomic_write(self.path / "jobs.json", json.dumps([*self.jobs, *jobs]) + "\n")

    @property
    def lock(self) -> FileLock:
        """Not taken yet."""
        return FileLock(self.path / "lock")

    @property
    def is_abandoned(self) -> bool:
        """Its sweep is gone."""
        return is_free(self.path / "lock")


def job_groups(folder: StudyFolder) -> list[JobGroup]:
    """The groups of a study's sweeps, the oldest first."""
    return [JobGroup(path) for path in sorted(folder.jobs.glob("*/"), key=lambda path: path.stat().st_mtime)]
