"""One cell: the student is trained towards labels and teacher, then tested once."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cdkd.callbacks import Log, RunProgress
from cdkd.experiment.build import StudentRun, assemble
from cdkd.experiment.description import student_description
from cdkd.experiment.evaluation import score_columns
from cdkd.experiment.graph_knowledge import graph_knowledge
from cdkd.experiment.identity import teacher_identity
from cdkd.experiment.inspection import inspect
from cdkd.experiment.paths import MODEL_NAME
from cdkd.experiment.pretraining import ensure_streams
from cdkd.experiment.sizes import cost_metadata, cost_metrics, student_cost
from cdkd.metric_names import TEACHER_TEST_TOP1, TEACHER_TEST_TOP5, TEACHER_VALIDATION_TOP1, former_name
from cdkd.models.devices import device_words
from cdkd.models.weights.checkpoints import save_model
from cdkd.settings import RunConfig
from cdkd.tracking.tracker import CHECKPOINT, INSPECTION, SCORES, Outcome
from cdkd.train.processes import ALONE, Processes


def run_student(
    config: RunConfig, folder: Path, log: Log, progress: RunProgress, processes: Processes = ALONE
) -> Outcome:
    """Trains, tests once, and leaves model, scores and metadata in `folder`.

    Several processes that call this train together; the first one writes.
    """
    weights = str(ensure_streams(config, processes)) if config.student.weights == "pretrain" else None
    return train_and_test(assemble(config, lambda metrics, epoch: None, processes, weights), folder, log, progress)


def train_and_test(run: StudentRun, folder: Path, log: Log, progress: RunProgress) -> Outcome:
    """The same for a student that is assembled already."""
    config, processes, metadata = run.config, run.processes, _metadata(run)
    divergence = run.fit(
        "train",
        folder / "training",
        log,
        progress,
        validate_every_epochs=config.evaluation.every_epochs,
        keep_best=config.evaluation.select == "best_validation",
    )
    if divergence is not None:
        return Outcome("diverged", divergence.metrics, metadata={**metadata, "diverged": str(divergence)})
    metrics, tested = run.judge(progress)
    metrics |= cost_metrics(metadata) | _teacher_metrics(run.teacher_metadata)
    if processes.is_main:
        metrics |= graph_knowledge(run)
    artifacts = {
        CHECKPOINT: folder / MODEL_NAME,
        SCORES: folder / "scores.parquet",
        INSPECTION: folder / "inspection.npz",
    }
    if processes.is_main:
        frame = pd.DataFrame(score_columns(tested))
        # A parquet file keeps them beside the columns, so that figures can name what was taken for what.
        frame.attrs["classes"] = list(run.dataset.manifest.classes)
        frame.to_parquet(artifacts[SCORES])
        inspect(run, tested).write(artifacts[INSPECTION])
        description = student_description(config, run.dataset, metadata)
        save_model(artifacts[CHECKPOINT], run.student, {**description, "loss_units": run.units.values})
    processes.barrier()
    return Outcome("finished", metrics, artifacts, metadata)


def _metadata(run: StudentRun) -> dict[str, str]:
    teacher = teacher_identity(run.config) if run.teacher is not None else "none"
    cost = student_cost(run.config, run.dataset.num_classes)
    names = {"teacher": teacher, "initial_weights": run.config.student.weights}
    return {
        **run.inputs.metadata,
        **run.unlabelled_metadata,
        **cost_metadata(cost),
        **names,
        "device": device_words(run.inputs.device),
        **run.teacher_metadata,
    }


def _teacher_metrics(metadata: Mapping[str, str]) -> dict[str, float]:
    """The teacher's accuracies as numbers, so that curves and charts can stand beside them."""
    names = (TEACHER_TEST_TOP1, TEACHER_TEST_TOP5, TEACHER_VALIDATION_TOP1)
    return {name: float(metadata[former_name(name)]) for name in names if former_name(name) in metadata}
