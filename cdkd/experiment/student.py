"""One cell: the student is trained towards labels and teacher, then tested once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from cdkd.data.clips import ClipBatch
from cdkd.data.dataset import OpenDataset, open_dataset
from cdkd.data.loaders import ClipSource
from cdkd.data.manifest import Part
from cdkd.data.sampling import ClipLayout
from cdkd.data.transforms import NetworkInputs
from cdkd.distill.objective import Loss, objective
from cdkd.experiment import Outcome
from cdkd.experiment.inputs import ClipInputs, choose_device
from cdkd.experiment.paths import MODEL_NAME
from cdkd.experiment.teacher import ensure_teacher, load_teacher, teacher_channels
from cdkd.models.checkpoints import save_model
from cdkd.models.outputs import StudentOutput
from cdkd.models.student import build_student
from cdkd.models.teacher import FrozenTeacher
from cdkd.settings import Experiment, cell_identity, teacher_identity
from cdkd.train.engine import Plan, Task, fit
from cdkd.train.evaluate import evaluate
from cdkd.train.initial import initialise
from cdkd.train.metrics import Scores

Log = Callable[[dict[str, float], int], None]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class StudentRun:
    """The objects of one cell."""

    experiment: Experiment
    dataset: OpenDataset
    inputs: ClipInputs
    student: nn.Module
    teacher: FrozenTeacher | None

    def source(self, part: Part) -> ClipSource:
        """Clips of a part; raw frames only where a teacher looks on, in training."""
        looks_on = self.teacher is not None and part == "train"
        data = self.experiment.data
        window = self.teacher.window if self.teacher is not None and looks_on else 0
        return self.inputs.source(
            part, ClipLayout(data.gops_per_clip, data.frames_per_gop, self.student.window, window)
        )

    def loss(self, batch: ClipBatch, step: int) -> Loss:
        """Eq. 7 for one training batch."""
        pictures, labels = self.inputs.training(batch, step)
        known = None if self.teacher is None else self.teacher(pictures.frames)
        return objective(
            self.forward(pictures),
            known,
            labels,
            self.experiment.distill,
            detach_gate=self.experiment.student.gate == "softmax",
            label_smoothing=self.experiment.train.label_smoothing,
        )

    def forward(self, pictures: NetworkInputs) -> StudentOutput:
        """The student's output for prepared inputs."""
        output: StudentOutput = self.student(pictures.iframes, pictures.motion, pictures.residual)
        return output

    def predict(self, batch: ClipBatch, crop: int) -> Tensor:
        """Logits (B, K) of one test view."""
        return self.forward(self.inputs.view(batch, crop)).logits

    def scores(self, source: ClipSource) -> Scores:
        """Every video of a part through every view."""
        return evaluate(self.student, self.predict, source, self.experiment.evaluation)


def assemble(experiment: Experiment, log: Log) -> StudentRun:
    """Configuration becomes objects: data set, teacher where a loss needs one, student with its initial weights."""
    torch.set_num_threads(experiment.runtime.num_threads)
    device = choose_device(experiment.runtime.device)
    dataset = open_dataset(experiment.data)
    teacher = None
    if experiment.uses_teacher:
        path = ensure_teacher(experiment, log, lambda share: None)
        teacher = load_teacher(experiment, dataset.num_classes, device, path)
    student = build_student(
        experiment.student,
        num_classes=dataset.num_classes,
        num_gops=experiment.data.gops_per_clip,
        frames_per_gop=experiment.data.frames_per_gop,
        teacher_channels=teacher_channels(experiment),
    )
    initialise(student, experiment.seed)
    return StudentRun(experiment, dataset, ClipInputs(experiment, dataset, device), student.to(device), teacher)


def run_student(experiment: Experiment, folder: Path, log: Log, progress: Progress) -> Outcome:
    """Trains, tests once, and leaves model, scores and facts in `folder`."""
    run = assemble(experiment, lambda metrics, epoch: None)
    settings = experiment.train
    source, held_out = run.source("train"), run.source("validation")

    def validate() -> dict[str, float]:
        return _accuracies("validation", run.scores(held_out))

    task = Task(
        run.student,
        lambda epoch: source.training_batches(experiment.seed, epoch, settings.batch_size),
        run.loss,
        validate,
    )
    plan = Plan(
        settings,
        experiment.seed,
        run.inputs.device,
        folder / "training",
        experiment.evaluation.every_epochs,
        experiment.runtime.checkpoint_every_epochs,
        keep_best=experiment.evaluation.select == "best_validation",
    )
    facts = _facts(run)
    if fit(task, plan, log, progress) == "diverged":
        return Outcome("diverged", facts=facts)
    tested = run.scores(run.source("test"))
    metrics = {**validate(), **_accuracies("test", tested)}
    artifacts = {"checkpoint": folder / MODEL_NAME, "scores": folder / "scores.parquet"}
    _scores_frame(tested, run.dataset.manifest.classes).to_parquet(artifacts["scores"])
    save_model(artifacts["checkpoint"], run.student, _description(run, facts))
    return Outcome("finished", metrics, artifacts, facts)


def _accuracies(part: str, scores: Scores) -> dict[str, float]:
    return {f"{part}_top1": scores.accuracy(1), f"{part}_top5": scores.accuracy(5)}


def _facts(run: StudentRun) -> dict[str, str]:
    teacher = teacher_identity(run.experiment) if run.teacher is not None else "none"
    return {**run.inputs.facts, "teacher": teacher, "initial_weights": run.experiment.student.weights}


def _description(run: StudentRun, facts: dict[str, str]) -> dict[str, object]:
    experiment = run.experiment
    return {
        "role": "student",
        "identity": cell_identity(experiment),
        "experiment": json.loads(experiment.model_dump_json()),
        "teacher_channels": teacher_channels(experiment),
        "classes": list(run.dataset.manifest.classes),
        **facts,
    }


def _scores_frame(scores: Scores, classes: tuple[str, ...]) -> pd.DataFrame:
    """Columns video, label, score_0 .. score_{K-1}: the logits."""
    columns = {f"score_{k}": scores.scores[:, k] for k in range(len(classes))}
    return pd.DataFrame({"video": scores.videos, "label": scores.labels, **columns})
