"""The choice between stages: what was best on validation, decided once and kept in a file."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from cdkd.atomic_write import atomic_write
from cdkd.config import flatten
from cdkd.data.opening import lacks_validation
from cdkd.errors import CdkdError
from cdkd.metric_names import VALIDATION, former_name
from cdkd.sweep.queue.queue_storage import open_storage
from cdkd.sweep.queue.study_folder import StudyFolder, read_json
from cdkd.sweep.queue.trial_queue import Trial
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.records import Best, Overrides
from cdkd.tracking.tracker import label_text

TIE_RULE = "of equal means, the first in the study's order"


class ChoiceError(CdkdError):
    """Nothing can be chosen, since some candidate has no result."""


@dataclass(frozen=True)
class Candidate:
    """One row of the earlier stage, over its seeds."""

    label: str
    mean: float | None
    """Of the metric; None when a run diverged or was pruned."""
    by_seed: Mapping[str, float | None]
    cells: tuple[str, ...]
    run_ids: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """What a stage takes over, and all that it rests on."""

    stage: str
    metric: str
    mode: str
    tie_rule: str
    chosen: str
    """Label of the winner."""
    values: Overrides
    """Dotted settings that are taken over."""
    candidates: tuple[Candidate, ...]
    chosen_at: str


def candidate_cells(best: Best, cells: Sequence[Cell]) -> list[Cell]:
    """The earlier stage's cells among which to choose."""
    return [cell for cell in cells if best.among.selects(cell.labels)]


def refuse_without_validation(best: Best, cells: Sequence[Cell], where: str) -> None:
    """Before anything is trained, since no run of these cells will have a validation metric.

    Raises:
        ChoiceError: some candidate holds out no validation videos.
    """
    if any(lacks_validation(cell.config.data) for cell in candidate_cells(best, cells)):
        raise ChoiceError(
            f"{where}: chooses by {best.metric} of stage '{best.stage}', whose runs have no validation videos, since "
            "data.validation_share is 0; hold out a share for this study, and give what it chose to one that trains on "
            "all videos"
        )


def choose(best: Best, cells: Sequence[Cell], trials: Mapping[str, Trial]) -> Choice:
    """Compares the candidates by the metric's mean over the seeds.

    Args:
        best: how to choose.
        cells: the earlier stage's.
        trials: cell id -> its last trial.

    Raises:
        ChoiceError: a candidate is unfinished or failed, lacks the metric, or every one diverged.
    """
    groups: dict[str, list[Cell]] = {}
    # 1. The candidates: rows of the earlier stage, each with its cells of all seeds.
    for cell in candidate_cells(best, cells):
        groups.setdefault(label_text(cell.labels), []).append(cell)
    candidates = tuple(_candidate(label, group, best, trials) for label, group in groups.items())
    # 2. A row of which one seed diverged has no mean: that of the others would be of the lucky ones alone.
    valid = [candidate for candidate in candidates if candidate.mean is not None]
    if not valid:
        raise ChoiceError(
            f"stage '{best.stage}': nothing to choose from, every candidate diverged{_or_pruned(trials, candidates)}"
        )
    # 3. The winner.
    sign = 1.0 if best.mode == "max" else -1.0
    # max() keeps the first of equals, which is the tie rule.
    winner = max(valid, key=lambda candidate: sign * (candidate.mean or 0.0))
    return Choice(
        stage=best.stage,
        metric=best.metric,
        mode=best.mode,
        tie_rule=TIE_RULE,
        chosen=winner.label,
        # Any of its cells: they differ in the seed alone.
        values=_take(best.take, groups[winner.label][0]),
        candidates=candidates,
        chosen_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _or_pruned(trials: Mapping[str, Trial], candidates: Sequence[Candidate]) -> str:
    pruned = any(trials[cell].status == "pruned" for candidate in candidates for cell in candidate.cells)
    return " or was pruned" if pruned else ""


def _candidate(label: str, cells: Sequence[Cell], best: Best, trials: Mapping[str, Trial]) -> Candidate:
    by_seed: dict[str, float | None] = {}
    run_ids = []
    for cell in cells:
        trial = trials.get(cell.id)
        # Refused rather than left out: a choice is kept for good, and the row that is late may be the best one.
        if trial is None or not trial.is_over:
            status = "missing" if trial is None else trial.status
            raise ChoiceError(f"stage '{best.stage}': cannot choose while '{label}', seed {cell.seed}, is {status}")
        value = trial.metrics.get(best.metric)
        if value is None and trial.status == "finished":
            known = ", ".join(name for name in sorted(trial.metrics) if name.startswith(VALIDATION))
            raise ChoiceError(f"stage '{best.stage}': no metric '{best.metric}'; runs have: {known or 'none'}")
        # A run that diverged or was pruned may have validated before; what it reached then does not count.
        is_number = value is not None and math.isfinite(value) and trial.status == "finished"
        by_seed[str(cell.seed)] = value if is_number else None
        run_ids.append(trial.run_id or "")
    values = [value for value in by_seed.values() if value is not None]
    mean = fmean(values) if len(values) == len(cells) else None
    return Candidate(label, mean, by_seed, tuple(cell.id for cell in cells), tuple(run_ids))


def _take(names: Sequence[str], winner: Cell) -> dict[str, Any]:
    settings = flatten(winner.config.model_dump(mode="json"))
    return {
        key: value
        for key, value in settings.items()
        # A name may be a setting or a whole section: "distill.temporal" takes all below it.
        if any(key == name or key.startswith(f"{name}.") for name in names)
    }


def frozen_choice(folder: StudyFolder, best: Best, cells: Sequence[Cell]) -> Choice | None:
    """The choice that was made among exactly these cells; None before it is made.

    Raises:
        CdkdError: the file is damaged.
    """
    digest = _digest(best, cells)
    # Folders that share a database share its choices; elsewhere the file is all there is.
    content = open_storage(folder).kept(best.stage, f"choice-{digest}") if folder.storage is not None else None
    file = folder.choice(best.stage, digest)
    if content is None:
        if folder.storage is not None or not file.exists():
            return None
        content = read_json(file)
    try:
        # JSON knows lists alone; the records compare as tuples.
        candidates = tuple(
            Candidate(**{**entry, "cells": tuple(entry["cells"]), "run_ids": tuple(entry["run_ids"])})
            for entry in content.pop("candidates")
        )
        return Choice(**content, candidates=candidates)
    except (KeyError, TypeError) as error:
        raise CdkdError(f"{file}: not a choice of this version of cdkd ({error}); remove it to choose again") from error


def freeze(folder: StudyFolder, best: Best, cells: Sequence[Cell], choice: Choice) -> Choice:
    """Keeps a choice for good; returns the one that counts, which is another's when that came first."""
    storage = open_storage(folder)

    def freeze() -> Choice:
        # Two sweeps of one study may finish a stage at the same moment. One record says when and from which runs the
        # choice was made, and both go on from it.
        earlier = frozen_choice(folder, best, cells)
        if earlier is not None:
            return earlier
        digest = _digest(best, cells)
        storage.keep(best.stage, f"choice-{digest}", asdict(choice))
        atomic_write(folder.choice(best.stage, digest), choice_text(choice))
        return choice

    return storage.exclusive(freeze)


def choice_text(choice: Choice) -> str:
    """The choice as it is kept: JSON."""
    return json.dumps(asdict(choice), indent=1) + "\n"


def _digest(best: Best, cells: Sequence[Cell]) -> str:
    # Other candidates, for example more seeds, are another question, and get an answer of their own.
    question = [former_name(best.metric), best.mode, best.take, [cell.id for cell in candidate_cells(best, cells)]]
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()[:8]
