"""One cell: the student is trained towards labels and teacher, then tested once."""

from pathlib import Path

import pandas as pd

from cdkd.callbacks import Log, Progress
from cdkd.experiment import Outcome
from cdkd.experiment.assembly import StudentRun, assemble
from cdkd.experiment.costs import cost_facts, student_cost
from cdkd.experiment.description import student_description
from cdkd.experiment.paths import MODEL_NAME
from cdkd.experiment.pretraining import ensure_streams
from cdkd.models.checkpoints import save_model
from cdkd.settings import Experiment, teacher_identity
from cdkd.train.engine import Plan, fit
from cdkd.train.metrics import Scores
from cdkd.train.processes import ALONE, Processes

__all__ = ["StudentRun", "assemble", "run_student"]


def run_student(
    experiment: Experiment, folder: Path, log: Log, progress: Progress, processes: Processes = ALONE
) -> Outcome:
    """Trains, tests once, and leaves model, scores and facts in `folder`.

    Several processes that call this train together; the first one writes.
    """
    weights = str(ensure_streams(experiment, processes)) if experiment.student.weights == "pretrain" else None
    run = assemble(experiment, lambda metrics, epoch: None, processes, weights)
    settings = experiment.train
    task = run.task("train")
    plan = Plan(
        settings,
        experiment.seed,
        run.inputs.device,
        folder / "training",
        experiment.evaluation.every_epochs,
        experiment.runtime.checkpoint_every_epochs,
        keep_best=experiment.evaluation.select == "best_validation",
        processes=processes,
    )
    facts = _facts(run)
    if fit(task, plan, log, progress) == "diverged":
        return Outcome("diverged", facts=facts)
    tested = run.scores(run.source("test"))
    metrics = {**task.validate(), **tested.accuracies("test")}
    artifacts = {"checkpoint": folder / MODEL_NAME, "scores": folder / "scores.parquet"}
    if processes.is_first:
        _scores_frame(tested, run.dataset.manifest.classes).to_parquet(artifacts["scores"])
        save_model(artifacts["checkpoint"], run.student, student_description(experiment, run.dataset, facts))
    processes.barrier()
    return Outcome("finished", metrics, artifacts, facts)


def _facts(run: StudentRun) -> dict[str, str]:
    teacher = teacher_identity(run.experiment) if run.teacher is not None else "none"
    cost = student_cost(run.experiment, run.dataset.num_classes)
    names = {"teacher": teacher, "initial_weights": run.experiment.student.weights}
    return {**run.inputs.facts, **cost_facts(cost), **names, **run.teacher_facts}


def _scores_frame(scores: Scores, classes: tuple[str, ...]) -> pd.DataFrame:
    """Columns video, label, score_0 .. score_{K-1}: the logits."""
    columns = {f"score_{k}": scores.scores[:, k] for k in range(len(classes))}
    return pd.DataFrame({"video": scores.videos, "label": scores.labels, **columns})
