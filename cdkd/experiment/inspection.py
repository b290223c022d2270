"""A trained student and its teacher are shown some test clips, and what they make of them is kept for figures.

all N clips     gate, temporal graphs and features of both networks, each as a few numbers
C of the test   those that the student is most wrong about: an I-frame, motion, residual
E of the test   the same for every run: the frames of a clip with the gate's weights
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cdkd.data.clips.clip import ClipBatch
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.loading.dataset import ClipDataset
from cdkd.distill.graph_probe import leave_one_out
from cdkd.distill.losses.temporal import MAPPINGS, edges, make_vertices
from cdkd.experiment.build import StudentRun
from cdkd.modality import MOTION_UNITS_PER_PIXEL
from cdkd.tracking.inspection import MOTION_PIXELS, RESIDUAL_LEVELS, Inspection
from cdkd.train.evaluate import Scores

NUM_CLIPS = 144
"""Looked at; a second or two on a processor."""
NUM_CONFUSED = 8
NUM_EXAMPLES = 2
_MAX_STEPS = 8
"""Of an example's time steps so many are shown."""
_SIDE = 64
"""Pixels of a thumbnail's longer side, at most."""
_BATCH = 24

Array = NDArray[Any]


@dataclass
class _Seen:
    """What the networks made of all clips, batch by batch."""

    labels: list[Tensor] = field(default_factory=list)
    gates: list[Tensor] = field(default_factory=list)
    teacher_edges: list[Tensor] = field(default_factory=list)
    student_edges: list[Tensor] = field(default_factory=list)
    teacher_features: list[Tensor] = field(default_factory=list)
    student_features: list[Tensor] = field(default_factory=list)


def inspect(run: StudentRun, tested: Scores) -> Inspection:
    """Looks at up to `NUM_CLIPS` clips of the test part, each through its first view.

    Args:
        run: after its test.
        tested: the scores of that test.
    """
    teacher_window = run.teacher.window if run.teacher is not None else 1
    data = run.config.data
    layout = ClipLayout(data.gops_per_clip, data.frames_per_gop, run.student.window, teacher_window, data.sampling)
    source = run.inputs.source("test", layout)
    examples = _evenly(len(source), NUM_EXAMPLES)
    confused, confidences = _most_confused(tested)
    run.student.eval()
    with torch.inference_mode():
        seen = _look(run, source)
        gates = _gates_of(run, [source[index] for index in examples])
    steps = np.array(_evenly(layout.num_time_steps, _MAX_STEPS), dtype=np.int64)
    shown = [_pictures(source[index], steps) for index in examples]
    wrong = [_moving(source[index]) for index in confused]
    size = shown[0]["frames"].shape[1:3]
    names = np.array([video.path for video in source.videos], dtype=np.str_)
    labels = np.array([video.label for video in source.videos], dtype=np.int64)
    return Inspection(
        classes=np.array(run.dataset.manifest.classes, dtype=np.str_),
        confused_videos=names[confused],
        confused_labels=labels[confused],
        confused_predictions=tested.scores.argmax(axis=1)[confused].astype(np.int64),
        confused_confidences=confidences,
        confused_iframes=_stacked([each["iframe"] for each in wrong], (0, *size, 3)),
        confused_motion=_stacked([each["motion"] for each in wrong], (0, *size)),
        confused_residual=_stacked([each["residual"] for each in wrong], (0, *size)),
        example_videos=names[examples],
        example_labels=labels[examples],
        example_frames=np.stack([each["frames"] for each in shown]),
        example_motion=np.stack([each["motion"] for each in shown]),
        example_residual=np.stack([each["residual"] for each in shown]),
        example_steps=steps,
        example_gates=gates,
        **_summary(seen, layout.num_time_steps),
    )


def _evenly(num: int, wanted: int) -> list[int]:
    return [int(place) for place in torch.linspace(0, num - 1, min(wanted, num)).round()]


def _most_confused(tested: Scores) -> tuple[list[int], NDArray[np.float32]]:
    """The wrong videos by how far the prediction's probability lies above the label's, and the prediction's percent."""
    logits = tested.scores - tested.scores.max(axis=1, keepdims=True)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    own = np.take_along_axis(shares, tested.labels[:, None], axis=1)[:, 0]
    margin = shares.max(axis=1) - own
    order = np.argsort(-margin, kind="stable")
    chosen = [int(index) for index in order if shares[index].argmax() != tested.labels[index]][:NUM_CONFUSED]
    return chosen, np.asarray(100 * shares.max(axis=1)[chosen], dtype=np.float32)


def _look(run: StudentRun, source: ClipDataset) -> _Seen:
    seen = _Seen()
    for batch in _batches(source, _evenly(len(source), NUM_CLIPS)):
        inputs = run.inputs.view(batch, 0, run.inputs.validation)
        seen.labels.append(batch.labels)
        student = run.student(inputs.iframes, inputs.motion, inputs.residual)
        if student.gate is not None:
            seen.gates.append(student.gate.float().cpu())
        if run.teacher is not None:
            maps = run.teacher(inputs.frames).maps
            seen.teacher_edges.append(_edges(maps, run))
            seen.teacher_features.append(_features(maps))
        if student.decoded is not None:
            seen.student_edges.append(_edges(student.decoded, run))
            seen.student_features.append(_features(student.decoded))
        else:
            seen.student_features.append(student.logits.float().cpu())
    return seen


def _batches(source: ClipDataset, chosen: Sequence[int]) -> Iterator[ClipBatch]:
    for start in range(0, len(chosen), _BATCH):
        yield source.collate([source[index] for index in chosen[start : start + _BATCH]])


def _edges(maps: Tensor, run: StudentRun) -> Tensor:
    """(B, M, T, T) on the CPU, Eq. 3 of each mapping of Eq. 5; of positions, which have a graph each, the mean."""
    vertices = functional.normalize(make_vertices(maps.float(), run.config.distill.temporal.vertices), dim=2)
    graphs = torch.stack([edges(mapping(vertices)) for mapping in MAPPINGS.values()], dim=1)
    return torch.unflatten(graphs, 0, (len(maps), -1)).mean(dim=1).cpu()


def _features(maps: Tensor) -> Tensor:
    """(B, C): maps (B, T, C, H, W) averaged over all but their channels."""
    return maps.float().mean(dim=(1, 3, 4)).cpu()


def _gates_of(run: StudentRun, clips: Sequence[ClipBatch]) -> NDArray[np.float32]:
    found = []
    for clip in clips:
        inputs = run.inputs.view(clip, 0, run.inputs.validation)
        gate = run.student(inputs.iframes, inputs.motion, inputs.residual).gate
        found.append(np.zeros(0, np.float32) if gate is None else gate[0].float().cpu().numpy())
    return np.stack(found)


def _summary(seen: _Seen, num_steps: int) -> dict[str, Array]:
    labels = torch.cat(seen.labels).cpu().numpy().astype(np.int64)
    theirs = torch.cat(seen.teacher_edges).numpy() if seen.teacher_edges else None
    ours = torch.cat(seen.student_edges).numpy() if seen.student_edges else None
    teacher, teacher_variance = _components(seen.teacher_features)
    student, student_variance = _components(seen.student_features)
    return {
        "gates": torch.cat(seen.gates).numpy() if seen.gates else np.zeros((len(labels), 0), np.float32),
        "graphs": np.array(list(MAPPINGS), dtype=np.str_),
        "teacher_edges": _mean_edges(theirs, theirs, num_steps),
        "student_edges": _mean_edges(ours, ours if theirs is None else theirs, num_steps),
        "teacher_tells": _tells(theirs, labels),
        "student_tells": _tells(ours, labels),
        "labels": labels,
        "teacher_features": teacher,
        "student_features": student,
        "teacher_variance": teacher_variance,
        "student_variance": student_variance,
    }


def _mean_edges(graphs: Array | None, scale: Array | None, num_steps: int) -> Array:
    """(M, T, T) from (N, M, T, T), in units of the largest edge of `scale`'s clips, averaged over these."""
    if graphs is None or scale is None:
        return np.zeros((0, num_steps, num_steps), np.float32)
    largest = scale.max(axis=(2, 3)).mean(axis=0)
    return np.asarray(graphs.mean(axis=0) / np.maximum(largest, 1e-12)[:, None, None], dtype=np.float32)


def _tells(graphs: Array | None, labels: NDArray[np.int64]) -> Array:
    if graphs is None or len(labels) < 2:
        return np.zeros(0, np.float32)
    return np.array([leave_one_out(graphs[:, k], labels) for k in range(graphs.shape[1])], dtype=np.float32)


def _components(batches: Sequence[Tensor]) -> tuple[Array, Array]:
    """First two principal components (N, 2) of features (N, D), and the shares of the variance that they hold, (2,)."""
    if not batches:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.float32)
    features = torch.cat(list(batches)).double().numpy()
    left, sizes, axes = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    scores, total = left * sizes, max(float(np.square(sizes).sum()), 1e-300)
    # A decomposition leaves the sign open; the same clips shall give the same picture.
    signs = np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)[:, 0])
    found = np.zeros((len(features), 2), np.float32)
    shares = np.zeros(2, np.float32)
    num = min(2, len(sizes))
    found[:, :num], shares[:num] = (scores * signs)[:, :num], (np.square(sizes) / total)[:num]
    return found, shares


def _sizes(clip: ClipBatch) -> tuple[Tensor, Tensor]:
    """Lengths of motion in pixels and of residuals in grey levels, (T, H, W) float each, of each step's own frame."""
    own = clip.motion_windows[0][:, clip.motion_windows.shape[2] // 2]
    motion = clip.motion[0][own].float() / MOTION_UNITS_PER_PIXEL
    return motion.square().sum(dim=1).sqrt(), clip.residual[0][own].float().abs().mean(dim=1)


def _pictures(clip: ClipBatch, steps: NDArray[np.int64]) -> dict[str, Array]:
    """Thumbnails of a clip of one: frames (s, h, w, 3), motion and residual (s, h, w)."""
    own = clip.frame_windows[0][:, clip.frame_windows.shape[2] // 2]
    chosen = torch.from_numpy(steps)
    motion, residual = _sizes(clip)
    return {
        "frames": _thumbnails(clip.frames[0][own][chosen].float()),
        "motion": _thumbnails(255 * motion[chosen, None] / MOTION_PIXELS)[..., 0],
        "residual": _thumbnails(255 * residual[chosen, None] / RESIDUAL_LEVELS)[..., 0],
    }


def _moving(clip: ClipBatch) -> dict[str, Array]:
    """The step with the most motion: its GOP's I-frame (h, w, 3), motion and residual (h, w)."""
    motion, residual = _sizes(clip)
    step = int(motion.mean(dim=(1, 2)).argmax())
    gop = step * clip.iframes.shape[1] // len(motion)
    return {
        "iframe": _thumbnails(clip.iframes[0][gop : gop + 1].float())[0],
        "motion": _thumbnails(255 * motion[step, None, None] / MOTION_PIXELS)[0, ..., 0],
        "residual": _thumbnails(255 * residual[step, None, None] / RESIDUAL_LEVELS)[0, ..., 0],
    }


def _thumbnails(pictures: Tensor) -> Array:
    """(N, C, H, W) to (N, h, w, C) uint8, in squares or in the picture's aspect."""
    height, width = pictures.shape[-2:]
    factor = min(1.0, _SIDE / max(height, width))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    small = functional.interpolate(pictures, size, mode="area")
    return np.asarray(small.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())


def _stacked(pictures: Sequence[Array], empty: tuple[int, ...]) -> Array:
    return np.stack(pictures) if pictures else np.zeros(empty, np.uint8)
