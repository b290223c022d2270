"""A study's plan, as text and as a record: every cell with its state, stage by stage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cdkd.sweep.queue.stage_cells import StageCells, all_cells, resolve_stages
from cdkd.sweep.queue.study_folder import study_folder
from cdkd.sweep.queue.trial_queue import Trial, TrialQueue
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.expansion import teachers_without_file
from cdkd.sweep.study.records import Stage, Study


def plan_text(study: Study) -> str:
    """The plan, with a line per cell; imports neither torch nor MLflow, and Optuna only when something has run."""
    folder = study_folder(study.name)
    known_stages = resolve_stages(study, folder)
    trials = TrialQueue(folder).latest() if folder.journal.exists() else {}
    lines = [f"{study.name}: {study.description}" if study.description else study.name]
    by_name = {stage_cells.stage.name: stage_cells for stage_cells in known_stages}
    for stage in study.stages:
        lines.append("")
        lines += _known(by_name[stage.name], trials) if stage.name in by_name else _unknown(stage)
    if missing := teachers_without_file(study):
        lines += ["", f"left out, since they need their file: {files_to_give(missing)}"]
    states = Counter(_status(trials.get(cell)) for cell in all_cells(known_stages))
    counts = ", ".join(f"{number} {status}" for status, number in states.items())
    lines += ["", f"{sum(states.values())} cells: {counts}"]
    return "\n".join(lines) + "\n"


def files_to_give(teachers: Sequence[str]) -> str:
    """The options that would bring the cells of these teachers into the study."""
    return " ".join(f"--teacher {arch}=FILE" for arch in teachers)


def plan_record(study: Study) -> dict[str, Any]:
    """The plan for programs: stages with their cells; a stage whose cells are not known yet has None for them."""
    folder = study_folder(study.name)
    trials = TrialQueue(folder).latest() if folder.journal.exists() else {}
    by_name = {stage_cells.stage.name: stage_cells for stage_cells in resolve_stages(study, folder)}
    stages = []
    for stage in study.stages:
        known = by_name.get(stage.name)
        cells = None if known is None else [_cell_record(cell, trials.get(cell.id)) for cell in known.cells]
        taken = dict(known.choice.values) if known is not None and known.choice is not None else {}
        stages.append({"stage": stage.name, "taken": taken, "cells": cells})
    return {"study": study.name, "description": study.description, "stages": stages}


def _cell_record(cell: Cell, trial: Trial | None) -> dict[str, Any]:
    return {
        "cell": cell.id,
        "label": cell.label,
        "labels": dict(cell.labels),
        "seed": cell.seed,
        "status": _status(trial),
        "metrics": dict(trial.metrics) if trial is not None and trial.is_done else {},
    }


def _known(stage_cells: StageCells, trials: Mapping[str, Trial]) -> list[str]:
    taken = ""
    if stage_cells.choice is not None:
        values = ", ".join(f"{key} = {value}" for key, value in stage_cells.choice.values.items())
        taken = f", with the best of {stage_cells.choice.stage}: {values}"
    lines = [f"stage {stage_cells.stage.name}{taken}"]
    width = max(len(cell.label) for cell in stage_cells.cells)
    for cell in stage_cells.cells:
        trial = trials.get(cell.id)
        metrics = trial.metrics if trial is not None and trial.is_done else {}
        result = f"  test top-1 {metrics['test_top1']:.1f} %" if "test_top1" in metrics else ""
        lines.append(f"  {cell.id}  {cell.label:<{width}}  seed {cell.seed}  {_status(trial)}{result}")
    return lines


def _unknown(stage: Stage) -> list[str]:
    assert stage.best is not None, "only a stage that takes something over can be unknown"
    return [
        f"stage {stage.name}",
        f"  known once stage {stage.best.stage} is finished: takes over {', '.join(stage.best.take)} "
        f"by {stage.best.metric}",
    ]


def _status(trial: Trial | None) -> str:
    if trial is None:
        return "waiting"
    # A trial whose process died waits for the next sweep.
    return "interrupted" if trial.status == "stale" else trial.status
