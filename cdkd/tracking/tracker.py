"""What passes between a training and a tracking store: how a run starts, what comes of it, what the store does."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from cdkd.run_status import RunStatus, has_result
from cdkd.tracking.study_record import StageRecord


@dataclass(frozen=True)
class RunStart:
    """All that is known of a run before its first epoch."""

    role: Literal["cell", "teacher"]
    study: str
    stage: str
    """Names the parent run; `teachers` for teachers."""
    label: str
    """The cell's place in its stage, as one text."""
    cell: str
    """The cell's, or teacher's, identity."""
    seed: int
    attempt: int
    """Counts from 1."""
    stage_digest: str
    """Hash of the stage's cells."""
    settings: Mapping[str, Any]
    """Every setting by its dotted key."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The label on each axis of the stage."""
    recipe: str = ""
    """Name of the recipe that the settings stand on; empty where there is none."""
    token: str = ""
    """Of the attempt; no other run has it."""
    owner: str = ""
    """The queue that the task is in."""
    is_search: bool = False
    """A search suggested the run: it chooses, and stands in no table."""


def label_text(labels: Mapping[str, str]) -> str:
    """Labels as one text; a label that says nothing by itself (a number, true, false) follows its axis's name."""
    parts = [
        f"{axis.removeprefix('distill.')} {label}" if "." in axis or _is_bare(label) else label
        for axis, label in labels.items()
    ]
    return ", ".join(parts) or "base"


def _is_bare(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return label in ("true", "false", "None")
    return True


CHECKPOINT, SCORES, INSPECTION = "checkpoint", "scores", "inspection"
"""Kinds of files that runs leave behind, and the folders that a store keeps them in."""


@dataclass(frozen=True)
class Outcome:
    """All that is known of a run after its last epoch."""

    status: RunStatus
    """finished, diverged or pruned."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Accuracies in percent, by part: see `cdkd.metric_names`"""
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    """Files by kind: SCORES (per video, parquet), CHECKPOINT (safetensors), INSPECTION (npz)."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Provenance: data set, its version and counts, split, views, teacher, initial weights."""


@dataclass(frozen=True)
class LoggedEpoch:
    """What an epoch logged."""

    epoch: int
    metrics: Mapping[str, float]
    unix_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    """When, in milliseconds: a metric that is sent twice counts once where this is the same."""


@dataclass(frozen=True)
class OpenRun:
    """A run that has no end yet."""

    run_id: str
    token: str
    """See `RunStart`."""


@dataclass(frozen=True)
class CellRun:
    """A tracked attempt at a cell."""

    run_id: str
    study: str
    """That trained it."""
    cell: str
    """Its identity."""
    status: RunStatus
    metrics: Mapping[str, float]
    is_search: bool = False
    """See `RunStart`."""

    @property
    def has_result(self) -> bool:
        """Nobody needs to train the cell again."""
        return has_result(self.status)


class Tracker(Protocol):
    """A tracking store bound to one study."""

    def check(self) -> None:
        """The store is there and holds the study; asked by who has not prepared it."""

    def prepare(self, stages: Sequence[str]) -> None:
        """Makes the store ready for many processes at once: schema, experiment, one parent run per stage."""

    def describe(self, stage: str, record: StageRecord) -> None:
        """Says with a stage's parent run what it is about."""

    def open(self, start: RunStart) -> str:
        """Starts a run, or finds the one that was started with the same token; returns its id."""

    def log(self, run_id: str, history: Sequence[LoggedEpoch]) -> None:
        """Adds the metrics of epochs; what it has already is not added again."""

    def attach(self, run_id: str, file: Path, folder: str = "") -> None:
        """Keeps a copy of a file with the run."""

    def keep_metadata(self, run_id: str, metadata: Mapping[str, str]) -> None:
        """Keeps an outcome's provenance with the run."""

    def fetch_checkpoint(self, run_id: str, folder: Path) -> Path:
        """A copy, below `folder`, of the checkpoint that a finished run keeps.

        Raises:
            TrackingError: the run is gone, or keeps none.
        """

    def close(self, run_id: str, status: RunStatus, error: str = "") -> None:
        """Ends a run."""

    def kill_if_open(self, run_id: str) -> bool:
        """Ends a run that its dead process left open, as killed; False: it had ended properly before."""

    def kill_by_token(self, token: str) -> bool:
        """The same for the run with this token; False, too, where there is none."""

    def open_runs(self, owner: str) -> list[OpenRun]:
        """The runs of an owner's tasks that have no end."""

    def open_stages(self) -> list[str]:
        """The stages whose parent runs have no end."""

    def cell_runs(self, of_every_study: bool = False) -> dict[str, CellRun]:
        """Run id -> run, of the study's cells (or every study's), whatever their status; none that was deleted."""

    def result_of(self, cell: str) -> CellRun | None:
        """The run of whatever study that has the cell's result; None where none has."""

    def adopt(self, run: CellRun, stage: str) -> None:
        """Makes another study's run this study's too, as the result of a cell of a stage."""

    def admit(self, run_id: str) -> None:
        """From now on the run may stand in tables, although a search has suggested it: it is a cell of a stage, too."""

    def log_stage(self, stage: str, metrics: Mapping[str, float]) -> None:
        """Notes with a stage's parent run what came of all its cells; a later figure replaces an earlier one."""

    def close_stage(self, stage: str, status: RunStatus, files: Sequence[Path] = ()) -> None:
        """Ends a stage's parent run and keeps the files with it."""

    def attach_to_stage(self, stage: str, files: Sequence[Path], folder: str = "") -> None:
        """Keeps copies of files with a stage's parent run."""
