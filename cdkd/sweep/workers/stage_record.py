"""What a stage leaves with its parent run: what it is about, the table of its cells, the choice it rests on."""

import csv
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cdkd.metric_names import CELLS_SECONDS, STAGE_SECONDS
from cdkd.run_status import RunStatus
from cdkd.sweep.queue.stage_cells import StageCells
from cdkd.sweep.queue.stage_choice import choice_text
from cdkd.sweep.queue.trial_queue import Trial, TrialQueue
from cdkd.sweep.study.records import Range, Stage, Study
from cdkd.tracking.study_record import StageRecord
from cdkd.tracking.tracker import Tracker


def open_stages(queue: TrialQueue, tracker: Tracker, study: Study, command: str) -> None:
    """Opens every stage's parent run, which says what the stage is about and how the study is run."""
    prepare_stages(queue, tracker, [stage.name for stage in study.stages])
    for stage in study.stages:
        parameters = stage_parameters(study, stage)
        tracker.describe(stage.name, StageRecord(study.description, command, study.source, parameters))


def prepare_stages(queue: TrialQueue, tracker: Tracker, stages: Sequence[str]) -> None:
    """Makes the store ready for stages, one sweep at a time: two at once would make two parent runs of each."""
    if queue.shared_name:
        queue.exclusive(lambda: tracker.prepare(stages))
    else:
        # The tracker's lock is enough for the sweeps of one machine.
        tracker.prepare(stages)


def stage_parameters(study: Study, stage: Stage) -> dict[str, Any]:
    """What a stage's cells vary and have in common, as texts and values."""
    found: dict[str, Any] = {"seeds": ", ".join(map(str, study.seeds))}
    if recipe := study.underlay.for_run({**study.base, **stage.base}).name:
        found["recipe"] = recipe
    found |= {f"axis.{axis}": " | ".join(labels) for axis, labels in stage.labels.items()}
    if stage.search is not None:
        found["search"] = f"{stage.search.num_trials} suggestions of {stage.search.sampler}"
        found |= {f"searched.{one.setting}": _range(one) for one in stage.search.over}
    if stage.best is not None:
        found["takes_over"] = f"{', '.join(stage.best.take)} from stage {stage.best.stage}, by {stage.best.metric}"
    return found | {**study.base, **stage.base}


def _range(one: Range) -> str:
    return ", ".join(map(str, one.choices)) if one.choices else f"{one.low:g} to {one.high:g}"


def close_stage(tracker: Tracker, stage_cells: StageCells, trials: Mapping[str, Trial], status: RunStatus) -> None:
    """Ends a stage's parent run; keeps `cells.csv`, and `choice.json` where the stage took something over."""
    for cell in stage_cells.cells if stage_cells.search is None else ():
        trial = trials.get(cell.id)
        # What a search has run and this stage lists as well may stand in tables.
        if trial is not None and trial.is_done and trial.task.search is not None and trial.run_id:
            tracker.admit(trial.run_id)
    if seconds := stage_seconds([trials[cell.id] for cell in stage_cells.cells if cell.id in trials]):
        tracker.log_stage(stage_cells.stage.name, seconds)
    with tempfile.TemporaryDirectory() as folder:
        texts = {"cells.csv": cells_table(stage_cells, trials)}
        if stage_cells.choice is not None:
            texts["choice.json"] = choice_text(stage_cells.choice)
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        tracker.close_stage(stage_cells.stage.name, status, [Path(folder) / name for name in texts])


def stage_seconds(trials: Sequence[Trial]) -> dict[str, float]:
    """How long a stage took, since its parent run is as old as the study: from its first cell's start to its last
    cell's end, and all cells one after the other; {} where none has run here."""
    spans = [(one.started, one.ended) for one in trials if one.started and one.ended and not one.reused_from]
    if not spans:
        return {}
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    in_all = sum((end - start).total_seconds() for start, end in spans)
    return {STAGE_SECONDS: (last - first).total_seconds(), CELLS_SECONDS: in_all}


def cells_table(stage_cells: StageCells, trials: Mapping[str, Trial]) -> str:
    """A stage's cells as CSV: labels, seed, cell, status, run."""
    # A dict for its order: cells need not have the same axes, and the study's order is to be kept.
    axes = list(dict.fromkeys(axis for cell in stage_cells.cells for axis in cell.labels))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*axes, "seed", "cell", "status", "run_id"])
    for cell in stage_cells.cells:
        trial = trials.get(cell.id)
        labels = [cell.labels.get(axis, "") for axis in axes]
        writer.writerow([*labels, cell.seed, cell.id, trial.status if trial else "", (trial and trial.run_id) or ""])
    return text.getvalue()
