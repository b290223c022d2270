"""A study's plan as text: every cell with its state, stage by stage."""

from collections import Counter
from collections.abc import Mapping

from cdkd.sweep.board import Board, Trial
from cdkd.sweep.folder import study_folder
from cdkd.sweep.plan import StagePlan, all_cells, plan_study
from cdkd.sweep.study import Stage, Study


def plan_text(study: Study) -> str:
    """The plan, with a line per cell; imports neither torch nor MLflow, and Optuna only when something has run."""
    folder = study_folder(study.name)
    plans = plan_study(study, folder)
    trials = Board(folder).latest() if folder.journal.exists() else {}
    lines = [f"{study.name}: {study.description}" if study.description else study.name]
    known = {plan.stage.name: plan for plan in plans}
    for stage in study.stages:
        lines.append("")
        lines += _known(known[stage.name], trials) if stage.name in known else _unknown(stage)
    states = Counter(_state(trials.get(cell)) for cell in all_cells(plans))
    counts = ", ".join(f"{number} {state}" for state, number in states.items())
    lines += ["", f"{sum(states.values())} cells: {counts}"]
    return "\n".join(lines) + "\n"


def _known(plan: StagePlan, trials: Mapping[str, Trial]) -> list[str]:
    taken = ""
    if plan.choice is not None:
        values = ", ".join(f"{key} = {value}" for key, value in plan.choice.values.items())
        taken = f", with the best of {plan.choice.stage}: {values}"
    lines = [f"stage {plan.stage.name}{taken}"]
    width = max(len(cell.label) for cell in plan.cells)
    for cell in plan.cells:
        trial = trials.get(cell.id)
        metrics = trial.metrics if trial is not None and trial.is_done else {}
        result = f"  test top-1 {metrics['test_top1']:.1f} %" if "test_top1" in metrics else ""
        lines.append(f"  {cell.id}  {cell.label:<{width}}  seed {cell.seed}  {_state(trial)}{result}")
    return lines


def _unknown(stage: Stage) -> list[str]:
    assert stage.best is not None, "only a stage that takes something over can be unknown"
    return [
        f"stage {stage.name}",
        f"  known once stage {stage.best.stage} is finished: takes over {', '.join(stage.best.take)} "
        f"by {stage.best.metric}",
    ]


def _state(trial: Trial | None) -> str:
    if trial is None:
        return "waiting"
    # A trial whose process died waits for the next sweep.
    return "interrupted" if trial.state == "lost" else trial.state
