"""Streams of a student that start from the data set's own pre-training part, trained once and kept."""

from pathlib import Path

from cdkd.errors import CdkdError
from cdkd.experiment.build import StudentRun, assemble
from cdkd.experiment.description import student_description
from cdkd.experiment.paths import MODEL_NAME, streams_folder, streams_of
from cdkd.file_lock import FileLock
from cdkd.models.weights.checkpoints import save_model
from cdkd.settings import RunConfig
from cdkd.train.processes import ALONE, Processes


class PretrainingError(CdkdError):
    """The streams cannot be trained on a pre-training part."""


def ensure_streams(config: RunConfig, processes: Processes = ALONE) -> Path:
    """The checkpoint whose streams `student.weights: pretrain` starts from; trained first where it is missing.

    The plain three-stream network learns the pre-training part's labels by cross-entropy, for as many epochs and
    with the same settings as the student later does; its classifier is not used. One checkpoint serves every seed.

    Raises:
        PretrainingError: the data set has no such part, or the training diverged.
    """
    folder = streams_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "training.lock")
    with processes.main_process_first(lock):
        if not (folder / MODEL_NAME).exists():
            _train(streams_of(config), folder, processes)
    return folder / MODEL_NAME


def _train(config: RunConfig, folder: Path, processes: Processes) -> None:
    run = assemble(config, lambda metrics, epoch: None, processes)
    parts = run.dataset.manifest.num_videos_per_part
    if "pretrain" not in parts:
        raise PretrainingError(
            f"student.weights=pretrain: {config.data.name} has no pre-training part; "
            "use imagenet, random or a checkpoint file"
        )
    last: dict[str, float] = {}

    def log(metrics: dict[str, float], epoch: int) -> None:
        last.update(metrics)

    if divergence := run.fit("pretrain", folder / "training", log, lambda fraction: None):
        raise PretrainingError(
            f"the streams' pre-training diverged: {divergence}; lower train.learning_rate "
            f"({run.settings.learning_rate:g})"
        )
    if processes.is_main:
        save_model(folder / MODEL_NAME, run.student, _description(run, last))


def _description(run: StudentRun, last: dict[str, float]) -> dict[str, object]:
    description = student_description(run.config, run.dataset, run.inputs.metadata)
    return {**description, "role": "streams", "trained_on": "pretrain", "last_epoch": last}
