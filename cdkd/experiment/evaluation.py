"""A trained network tested again: on another data set, split or part, or by another protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cdkd.callbacks import Progress, silent
from cdkd.config import build_record, flatten, merge_dotted
from cdkd.data.clips.clip import ClipBatch
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.manifest import Part
from cdkd.data.opening import open_dataset
from cdkd.effective_settings import BEFORE
from cdkd.experiment.inputs import ClipInputs, RunError
from cdkd.experiment.sizes import num_time_steps
from cdkd.inference.preprocessing import read_preprocessing
from cdkd.models.devices import choose_device
from cdkd.models.teacher.teacher import Teacher
from cdkd.models.weights.description import Description, load_description
from cdkd.models.weights.loading import load_model
from cdkd.settings import RunConfig
from cdkd.train.evaluate import Scores, evaluate

_CHANGEABLE = ("data.", "evaluation.", "runtime.")
"""Groups of settings that a test may change; the others made the network what it is."""
_SHAPE = ("data.gops_per_clip", "data.frames_per_gop")


@dataclass(frozen=True)
class Evaluation:
    """What a network reaches on one part of one data set."""

    config: RunConfig
    """Data, protocol and runtime as they were used."""
    part: Part
    scores: Scores
    classes: tuple[str, ...]
    """Of the data set; column k of the scores is class k."""
    metadata: Mapping[str, str]
    """Provenance of data, split and views."""


def evaluate_checkpoint(
    checkpoint: Path, overrides: Mapping[str, Any], part: Part = "test", progress: Progress = silent
) -> Evaluation:
    """Scores of a checkpoint's network on a part of a data set.

    Without overrides on the data and by the protocol of its training, as its description tells them; a teacher's, which
    tells less, by the data set's usual views.

    Args:
        checkpoint: of a student or of a teacher.
        overrides: settings of `data`, `evaluation` and `runtime`, by dotted key.
        part: of the data set: test, validation, train or pretrain.
        progress: told the fraction that is done.

    Raises:
        RunError: a setting that a trained network cannot change, or classes that it does not know.
        CdkdError: the checkpoint or the data cannot be read.
    """
    description = load_description(checkpoint)
    config = _config(checkpoint, description, overrides)
    torch.set_num_threads(config.runtime.num_threads)
    device = choose_device(config.runtime.device)
    dataset = open_dataset(config.data)
    classes = dataset.manifest.classes
    columns = _columns(checkpoint, description, classes)
    if part not in dataset.manifest.num_videos_per_part:
        known = ", ".join(dataset.manifest.num_videos_per_part)
        raise RunError(f"--part {part}: {config.data.name} has no such part; it has {known}")
    network, _ = load_model(checkpoint, num_segments=num_time_steps(config))
    network.to(device)
    data, is_teacher = config.data, isinstance(network, Teacher)
    windows = (0, network.window) if is_teacher else (network.window, 0)
    inputs = ClipInputs(config, dataset, device)
    source = inputs.source(part, ClipLayout(data.gops_per_clip, data.frames_per_gop, *windows, data.sampling))

    def predict(batch: ClipBatch, crop: int) -> Tensor:
        seen = inputs.view(batch, crop)
        if isinstance(network, Teacher):
            return network(seen.frames).logits[:, columns]
        return network(seen.iframes, seen.motion, seen.residual).logits[:, columns]

    scores = evaluate(network, predict, source, inputs.evaluation, progress=progress)
    return Evaluation(config, part, scores, classes, inputs.metadata)


def _config(checkpoint: Path, description: Description, overrides: Mapping[str, Any]) -> RunConfig:
    """The configuration of the test: the training's, as far as the checkpoint tells it, under the overrides."""
    if fixed := [key for key in overrides if not key.startswith(_CHANGEABLE)]:
        raise RunError(
            f"--set {fixed[0]}: a trained network stays what it was trained as; what can be changed for a test begins "
            f"with {', '.join(_CHANGEABLE)}"
        )
    if "experiment" in description:
        # Checkpoints of before a setting existed were trained as if it had its former value.
        told = {**BEFORE, **flatten(description["experiment"])}
        # What trained the network matters no more, and its files may be gone.
        known = {key: value for key, value in told.items() if key.startswith((*_CHANGEABLE, "student."))}
        known["student.weights"] = "random"
    else:
        known = _of_preprocessing(checkpoint, description, overrides)
    shape = {key: known[key] for key in _SHAPE}
    if description["architecture"]["kind"] == "student" and any(overrides.get(key, n) != n for key, n in shape.items()):
        listed = ", ".join(f"{key}={value}" for key, value in shape.items())
        raise RunError(f"{checkpoint}: its network reads clips of {listed}; another shape needs another training")
    return build_record(RunConfig, merge_dotted({}, {**known, **overrides}))


def _of_preprocessing(checkpoint: Path, description: Description, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Data and protocol of a teacher's checkpoint, which holds no configuration."""
    found = read_preprocessing(checkpoint, description)
    names = ("gops_per_clip", "frames_per_gop", "sampling", "motion", "residual", "input_size")
    known: dict[str, Any] = {f"data.{name}": getattr(found, name) for name in names}
    if "dataset" in description:
        known["data.name"] = description["dataset"]
    if overrides.get("data.name", known.get("data.name")) == known.get("data.name"):
        views = ("resize", "crop_size", "keep_aspect", "clips", "crops")
        known |= {f"evaluation.{name}": getattr(found, name) for name in views}
    return known


def _columns(checkpoint: Path, description: Description, classes: Sequence[str]) -> list[int]:
    """For each class of the data set the network's output that means it.

    The network may know more classes, in another order; its other outputs are then left out.
    """
    own = list(description.get("classes") or ())
    if not own:
        number = int(description["architecture"]["num_classes"])
        if number != len(classes):
            raise RunError(f"{checkpoint}: knows {number} classes without names, the data set has {len(classes)}")
        return list(range(number))
    if unknown := [name for name in classes if name not in own]:
        raise RunError(
            f"{checkpoint}: {len(unknown)} of the data set's {len(classes)} classes are none of its {len(own)}, as "
            f"'{unknown[0]}'; a network is tested on the classes that it knows"
        )
    return [own.index(name) for name in classes]


def score_columns(scores: Scores) -> dict[str, Any]:
    """Columns of a table of scores: video (N,), label (N,), score_0 .. score_{K-1} (N,), the logits."""
    columns: dict[str, Any] = {"video": np.array(scores.videos), "label": scores.labels}
    return columns | {f"score_{k}": scores.scores[:, k] for k in range(scores.scores.shape[1])}
