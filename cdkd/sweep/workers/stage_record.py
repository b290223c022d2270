"""What a stage leaves with its parent run: the table of its cells and the choice it rests on."""

import csv
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cdkd.run_status import RunStatus
from cdkd.sweep.queue.stage_cells import StageCells
from cdkd.sweep.queue.stage_choice import choice_text
from cdkd.sweep.queue.trial_queue import Trial
from cdkd.tracking.tracker import Tracker


def close_stage(tracker: Tracker, stage_cells: StageCells, trials: Mapping[str, Trial], status: RunStatus) -> None:
    """Ends a stage's parent run; keeps `cells.csv`, and `choice.json` where the stage took something over."""
    for cell in stage_cells.cells if stage_cells.search is None else ():
        trial = trials.get(cell.id)
        # What a search has run and this stage lists as well may stand in tables.
        if trial is not None and trial.is_done and trial.task.search is not None and trial.run_id:
            tracker.admit(trial.run_id)
    with tempfile.TemporaryDirectory() as folder:
        texts = {"cells.csv": cells_table(stage_cells, trials)}
        if stage_cells.choice is not None:
            texts["choice.json"] = choice_text(stage_cells.choice)
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        tracker.close_stage(stage_cells.stage.name, status, [Path(folder) / name for name in texts])


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
