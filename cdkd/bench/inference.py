"""What a video costs from the file to its scores, decoding and network apart, for raw and for compressed reading.

Every way reads one view of the video and classifies it:

    teacher    8 frames over the whole video, decoded from the I-frames before them   TSM on ResNet-50
    student    I-frame, motion and residual of 6 P-frames of the middle GOP           three ResNet-50 and decoder
    lite       the same                                                               ResNet-50 and two ResNet-18
    coviar     one triple of each third of the video                                  ResNet-152 and two ResNet-18
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cdkd.bench.profile import PROFILES, StudentProfile
from cdkd.data.clips.clip import ClipBatch, read_clip
from cdkd.data.clips.sampling import ClipLayout, ClipSteps, usable_gops, view_steps
from cdkd.data.clips.transforms import CropView, prepare_inputs, view_boxes
from cdkd.errors import CdkdError
from cdkd.experiment.runtime import accelerate_frozen
from cdkd.modality import DEFAULT_FORM
from cdkd.models.devices import choose_device
from cdkd.models.teacher.teacher import Teacher
from cdkd.settings import RuntimeSettings
from cdkd.video.reader import describe

WAYS: dict[str, str] = {
    "teacher": "teacher-tsm-8f",
    "student": "student-tsm",
    "three streams": "student-tsm-baseline",
    "lite": "student-tsm-lite",
    "coviar": "coviar",
}
"""Row -> network of `PROFILES`; ratios are to the first."""


_FORM = (DEFAULT_FORM.reference, DEFAULT_FORM.residual)


class InferenceError(CdkdError):
    """A video cannot be measured."""


@dataclass(frozen=True)
class InferenceSettings:
    """How to measure."""

    ways: tuple[str, ...] = tuple(WAYS)
    size: int = 224
    """Pixels of a crop; frames are resized to 8/7 of it first."""
    repeats: int = 5
    """Turns of every row, after one that warms up."""
    device: str = "cpu"


@dataclass(frozen=True)
class Row:
    """One way with one video; medians over the turns."""

    video: str
    way: str
    decode_milliseconds: float
    """From opening the file to its arrays."""
    network_milliseconds: float
    """Crop, resize, normalisation and forward pass."""
    gmacs_per_view: float
    decode_ratio: float
    """To the teacher's; below 1 is cheaper. So are the others."""
    network_ratio: float
    total_ratio: float

    @property
    def total_milliseconds(self) -> float:
        """From the file to the scores."""
        return self.decode_milliseconds + self.network_milliseconds


@dataclass(frozen=True)
class _Way:
    name: str
    network: torch.nn.Module
    layout: ClipLayout
    gmacs: float

    def steps(self, video: Path) -> ClipSteps:
        """What it reads of a video."""
        info = describe(video)
        if self.layout.student_window and (reason := info.unsupported_residual_reason(*_FORM)):
            raise InferenceError(f"{video}: {reason}; transcode it first: cdkd data transcode {video} OUT.mp4")
        usable = usable_gops(info.gop_lengths, self.layout.frames_per_gop)
        if not usable:
            needed = self.layout.frames_per_gop + 1
            raise InferenceError(f"{video}: no group of pictures has the {needed} frames of a clip")
        return view_steps(usable, self.layout)


def measure_inference(videos: Sequence[Path], settings: InferenceSettings) -> list[Row]:
    """A row per video and way; the ways take turns, so that a busy moment hits them all.

    On a CPU processor time is measured, which other processes disturb least; on a GPU the clock on the wall.

    Raises:
        InferenceError, VideoError: a video cannot be read in one of the ways.
    """
    device = choose_device(settings.device, "--device")
    ways = [_build(name, settings.size, device) for name in settings.ways]
    return [row for video in videos for row in _measure(video, ways, settings, device)]


def _build(name: str, size: int, device: torch.device) -> _Way:
    profile = PROFILES[WAYS[name]]
    network = profile.build().eval()
    accelerate_frozen(network, RuntimeSettings(), device)
    if isinstance(profile, StudentProfile):
        layout = ClipLayout(profile.num_gops, profile.frames_per_gop, network.window, 0)
    else:
        layout = ClipLayout(profile.num_segments, 1, 0, network.window)
    return _Way(name, network, layout, profile.complexity(size).gmacs_per_view)


def _measure(video: Path, ways: Sequence[_Way], settings: InferenceSettings, device: torch.device) -> list[Row]:
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    steps = [way.steps(video) for way in ways]
    turns: list[list[tuple[float, float]]] = [[] for _ in ways]
    for _ in range(settings.repeats + 1):
        for way, chosen, seconds in zip(ways, steps, turns, strict=True):
            seconds.append(_turn(video, way, chosen, settings.size, device, clock))
    # The first turn compiles the reader's kernels and fills the system's file cache.
    medians = [[1e3 * statistics.median(part) for part in zip(*seconds[1:], strict=True)] for seconds in turns]
    first = medians[0]
    return [
        Row(
            video.name, way.name, decode, network, way.gmacs,
            decode / first[0], network / first[1], (decode + network) / sum(first),
        )
        for way, (decode, network) in zip(ways, medians, strict=True)
    ]  # fmt: skip


def _turn(
    video: Path, way: _Way, steps: ClipSteps, size: int, device: torch.device, clock: Callable[[], float]
) -> tuple[float, float]:
    """Seconds of decoding and of the network."""
    started = clock()
    batch = read_clip(video, steps, way.layout, DEFAULT_FORM, label=0, video=0)
    decoded = clock()
    with torch.inference_mode():
        # To the CPU: only then has a GPU done its work.
        _logits(way, batch.to(device), size).cpu()
    return decoded - started, clock() - decoded


def _logits(way: _Way, batch: ClipBatch, size: int) -> Tensor:
    picture = (batch.iframes.shape[-2], batch.iframes.shape[-1])
    pictures = prepare_inputs(batch, view_boxes(1, picture, CropView(round(size * 8 / 7), size), 0), size)
    if isinstance(way.network, Teacher):
        logits: Tensor = way.network(pictures.frames).logits
        return logits
    logits = way.network(pictures.iframes, pictures.motion, pictures.residual).logits
    return logits
