"""A study's plan, as text and as a record: every cell with its state, stage by stage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cdkd.metric_names import TEST_TOP1
from cdkd.sweep.display.plan_cost import PlanCost, cost_text, plan_cost
from cdkd.sweep.queue.stage_cells import StageCells, all_cells, resolve_stages
from cdkd.sweep.queue.study_folder import study_folder
from cdkd.sweep.queue.trial_queue import Trial, TrialQueue
from cdkd.sweep.study.axes import label_of
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.expansion import data_sets_without_recipe, teachers_without_file
from cdkd.sweep.study.path_check import path_problems
from cdkd.sweep.study.records import Range, Stage, Study
from cdkd.tracking.earlier_runs import EarlierRun, earlier_runs
from cdkd.tracking.store import TrackingError


@dataclass(frozen=True)
class Plan:
    """A study's cells, how each stands, and what is known of their cost."""

    study: Study
    known_stages: Sequence[StageCells]
    trials: Mapping[str, Trial]
    reused: Mapping[str, str]
    """Cell -> the study that has trained it, of cells whose result the next sweep takes from the store."""
    cost: PlanCost | None
    """None where nothing is left to train."""
    problems: Sequence[str]
    """What has to be mended before the cells can run."""
    note: str = ""
    """Why the store was not asked."""

    @property
    def cells(self) -> dict[str, Cell]:
        """By id, over all stages."""
        return all_cells(list(self.known_stages))

    def status(self, cell: str) -> str:
        """In a user's words."""
        trial = self.trials.get(cell)
        if cell in self.reused:
            return "reused"
        if trial is None:
            return "waiting"
        # A trial whose process died waits for the next sweep.
        return "interrupted" if trial.status == "stale" else trial.status


def make_plan(study: Study, tracking_uri: str) -> Plan:
    """Looks the cells up in the queue, and those without a result in the store.

    Imports neither torch nor, where everything is done, MLflow; Optuna only when something has run.
    """
    folder = study_folder(study.name)
    known_stages = resolve_stages(study, folder)
    trials = TrialQueue(folder, is_read_only=True).latest() if folder.has_trials else {}
    open_cells = _open_cells(known_stages, trials)
    runs: list[EarlierRun] = []
    note = ""
    if open_cells:
        try:
            runs = earlier_runs(tracking_uri)
        except TrackingError as error:
            note = str(error)
    results = {run.cell: run.study for run in runs if run.has_result}
    reused = {cell.id: results[cell.id] for cell in open_cells if cell.id in results}
    left = [cell for cell in open_cells if cell.id not in reused]
    cost = plan_cost(left, runs) if left else None
    # Cells that a search has yet to suggest name the same paths as those at the ends of its space.
    corners = [cell for stage in known_stages if stage.search is not None for cell in stage.search.corners]
    return Plan(study, known_stages, trials, reused, cost, path_problems([*left, *corners]), note)


def plan_text(plan: Plan, num_workers: int) -> str:
    """The plan, with a line per cell."""
    study = plan.study
    lines = [f"{study.name}: {study.description}" if study.description else study.name]
    by_name = {stage_cells.stage.name: stage_cells for stage_cells in plan.known_stages}
    for stage in study.stages:
        lines.append("")
        lines += _known(by_name[stage.name], plan) if stage.name in by_name else _unknown(stage)
    if remarks := study_remarks(study):
        lines += ["", *remarks]
    states = Counter(plan.status(cell) for cell in plan.cells)
    counts = ", ".join(f"{number} {status}" for status, number in states.items())
    lines += ["", f"{sum(states.values())} cells: {counts}"]
    if plan.cost is not None:
        lines.append(cost_text(plan.cost, num_workers))
    lines += [f"to be mended first: {problem}" for problem in plan.problems]
    if plan.note:
        lines.append(f"not looked up in the tracking store: {plan.note}")
    return "\n".join(lines) + "\n"


def study_remarks(study: Study) -> list[str]:
    """What of the study's file does not hold for the cells that were asked for, a line each."""
    found = []
    if missing := teachers_without_file(study):
        options = " ".join(f"--teacher {arch}=FILE" for arch in missing)
        found.append(f"left out, since they need their file: {options}")
    if others := data_sets_without_recipe(study):
        found.append(
            f"the study's own recipe {study.underlay.name} is made for another data set: on {', '.join(others)} the "
            "defaults hold (--recipe names one)"
        )
    return found


def plan_record(plan: Plan) -> dict[str, Any]:
    """The plan for programs: stages with their cells; a stage whose cells are not known yet has None for them."""
    by_name = {stage_cells.stage.name: stage_cells for stage_cells in plan.known_stages}
    stages = []
    for stage in plan.study.stages:
        known = by_name.get(stage.name)
        cells = None if known is None else [_cell_record(cell, plan) for cell in known.cells]
        taken = dict(known.choice.values) if known is not None and known.choice is not None else {}
        record = {"stage": stage.name, "taken": taken, "cells": cells}
        if stage.search is not None:
            record["search"] = asdict(stage.search)
        stages.append(record)
    return {
        "study": plan.study.name,
        "description": plan.study.description,
        "stages": stages,
        "cost": None if plan.cost is None else vars(plan.cost),
        "remarks": study_remarks(plan.study),
        "problems": list(plan.problems),
        "note": plan.note,
    }


def _cell_record(cell: Cell, plan: Plan) -> dict[str, Any]:
    trial = plan.trials.get(cell.id)
    return {
        "cell": cell.id,
        "label": cell.label,
        "labels": dict(cell.labels),
        "seed": cell.seed,
        "status": plan.status(cell.id),
        "reused_from": plan.reused.get(cell.id),
        "metrics": dict(trial.metrics) if trial is not None and trial.is_done else {},
    }


def _known(stage_cells: StageCells, plan: Plan) -> list[str]:
    taken = ""
    if stage_cells.choice is not None:
        values = ", ".join(f"{key} = {value}" for key, value in stage_cells.choice.values.items())
        taken = f", with the best of {stage_cells.choice.stage}: {values}"
    lines = [f"stage {stage_cells.stage.name}{taken}", *_search_lines(stage_cells)]
    width = max((len(cell.label) for cell in stage_cells.cells), default=0)
    for cell in stage_cells.cells:
        trial = plan.trials.get(cell.id)
        metrics = trial.metrics if trial is not None and trial.is_done else {}
        result = f"  test top-1 {metrics[TEST_TOP1]:.1f} %" if TEST_TOP1 in metrics else ""
        source = f" from study {plan.reused[cell.id]}" if cell.id in plan.reused else ""
        lines.append(f"  {cell.id}  {cell.label:<{width}}  seed {cell.seed}  {plan.status(cell.id)}{source}{result}")
    return lines


def _search_lines(stage_cells: StageCells) -> list[str]:
    search = stage_cells.stage.search
    if search is None or stage_cells.search is None:
        return []
    made, seeds = len(stage_cells.search.suggested), len(search.seeds)
    pruner = "" if search.pruner == "none" else f", pruned by {search.pruner}"
    return [
        f"  search by {search.sampler} for {search.metric}: {search.num_trials} suggestions x {seeds} "
        f"seed{'s' if seeds > 1 else ''}, at most {search.num_trials * seeds} cells{pruner}; {made} made so far",
        *(f"  over {range_text(one)}" for one in search.over),
    ]


def range_text(one: Range) -> str:
    """A searched setting with what it may be."""
    if one.choices:
        return f"{one.setting}: {', '.join(map(label_of, one.choices))}"
    how = ", by orders of magnitude" if one.is_log else f" in steps of {one.step:g}" if one.step is not None else ""
    return f"{one.setting}: {one.low:g} to {one.high:g}{how}"


def _unknown(stage: Stage) -> list[str]:
    assert stage.best is not None, "only a stage that takes something over can be unknown"
    return [
        f"stage {stage.name}",
        f"  known once stage {stage.best.stage} is finished: takes over {', '.join(stage.best.take)} "
        f"by {stage.best.metric}",
    ]


def _open_cells(known_stages: Sequence[StageCells], trials: Mapping[str, Trial]) -> list[Cell]:
    """Cells that some stage still needs."""
    found = {
        cell.id: cell
        for stage in known_stages
        for cell in stage.cells
        if cell.id not in trials or not stage.is_settled(trials[cell.id])
    }
    return list(found.values())
