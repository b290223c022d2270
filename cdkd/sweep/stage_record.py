"""What a stage leaves with its parent run: the table of its cells and the choice it rests on."""

import csv
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cdkd.sweep.board import Trial
from cdkd.sweep.choice import choice_text
from cdkd.sweep.plan import StagePlan
from cdkd.tracking.tracker import Ending, Tracker


def close_stage(tracker: Tracker, plan: StagePlan, trials: Mapping[str, Trial], ending: Ending) -> None:
    """Ends a stage's parent run; keeps `plan.csv`, and `choice.json` where the stage took something over."""
    with tempfile.TemporaryDirectory() as folder:
        texts = {"plan.csv": plan_table(plan, trials)}
        if plan.choice is not None:
            texts["choice.json"] = choice_text(plan.choice)
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        tracker.close_stage(plan.stage.name, ending, [Path(folder) / name for name in texts])


def plan_table(plan: StagePlan, trials: Mapping[str, Trial]) -> str:
    """A stage's cells as CSV: labels, seed, cell, state, run."""
    axes = list(dict.fromkeys(axis for cell in plan.cells for axis in cell.labels))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*axes, "seed", "cell", "state", "run_id"])
    for cell in plan.cells:
        trial = trials.get(cell.id)
        labels = [cell.labels.get(axis, "") for axis in axes]
        writer.writerow([*labels, cell.seed, cell.id, trial.state if trial else "", (trial and trial.run_id) or ""])
    return text.getvalue()
