"""What a trained network sees in any video, and what that took."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from torch import Tensor

from cdkd.config import Record, build_record
from cdkd.data.clips.clip import ClipBatch, join_clips, read_clip
from cdkd.data.clips.sampling import ClipLayout, usable_gops, view_gops
from cdkd.data.clips.transforms import prepare_inputs, view_boxes
from cdkd.errors import CdkdError
from cdkd.models.weights.loading import load_model
from cdkd.video.frames import StreamInfo, VideoError
from cdkd.video.reader import describe
from cdkd.video.transcode import transcode


class TranscodeSettings_(Record):
    """How the videos of the training were made."""

    width: int = 320
    height: int = 256
    gop_length: int = 12
    quantiser: int = 3


class Preprocessing(Record):
    """How a video becomes a network's input."""

    gops_per_clip: int
    frames_per_gop: int
    motion: str = "accumulated"
    input_size: int
    resize: int
    """Frames are resized to this many pixels square before the crop."""
    clips: int = 1
    crops: int = 1
    transcode: TranscodeSettings_ | None = None
    """None: nobody noted it; the settings of `data prepare` are taken, and every GOP length is accepted."""


@dataclass(frozen=True)
class Prediction:
    """The best classes of one video, best first, and the seconds it took to find them."""

    video: Path
    classes: tuple[str, ...]
    scores: tuple[float, ...]
    """Softmax of the logits averaged over clips and crops."""
    transcode_seconds: float
    """0 where the video was read as it is."""
    decode_seconds: float
    network_seconds: float
    """With crop, resize and normalisation."""
    transcoded_because: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        top = [{"class": name, "score": score} for name, score in zip(self.classes, self.scores, strict=True)]
        seconds = {
            "transcode": self.transcode_seconds,
            "decode": self.decode_seconds,
            "network": self.network_seconds,
        }
        because = self.transcoded_because or None
        return {"video": str(self.video), "top": top, "seconds": seconds, "transcoded_because": because, "error": None}


class PredictionError(CdkdError):
    """A checkpoint does not say how to feed its network."""


class Predictor:
    """A network with the preprocessing its checkpoint describes.

    Raises:
        ModelError, PredictionError: the checkpoint is missing, damaged, foreign or says too little.
    """

    def __init__(self, checkpoint: Path, device: torch.device) -> None:
        network, description = load_model(checkpoint)
        architecture = description["architecture"]
        self.device = device
        self.network = network.to(device)
        self.is_student = architecture["kind"] == "student"
        self.preprocessing = read_preprocessing(checkpoint, description)
        names = description.get("classes") or [f"class {k}" for k in range(architecture["num_classes"])]
        self.classes: tuple[str, ...] = tuple(names)
        window = cast(int, network.window)
        self.layout = ClipLayout(
            self.preprocessing.gops_per_clip,
            self.preprocessing.frames_per_gop,
            student_window=window if self.is_student else 0,
            teacher_window=0 if self.is_student else window,
        )

    def predict(self, video: Path, top: int = 5) -> Prediction:
        """The `top` classes of a video.

        Raises:
            VideoError: the file cannot be decoded, or is too short for one clip.
        """
        with TemporaryDirectory(prefix="cdkd-video-") as folder:
            started = time.perf_counter()
            because = self._unsupported_reason(describe(video))
            readable = self._transcode(video, Path(folder)) if because else video
            transcoded = time.perf_counter()
            batch = self._read(video, readable)
            decoded = time.perf_counter()
        logits = self._logits(batch)
        ended = time.perf_counter()
        scores = logits.softmax(dim=0).sort(descending=True)
        chosen = scores.indices[:top].tolist()
        return Prediction(
            video,
            tuple(self.classes[k] for k in chosen),
            tuple(scores.values[:top].tolist()),
            transcoded - started if because else 0.0,
            decoded - (transcoded if because else started),
            ended - decoded,
            because,
        )

    def _unsupported_reason(self, info: StreamInfo) -> str:
        """Why the network cannot read a video as it is; empty: it can."""
        if info.unsupported_reason:
            return info.unsupported_reason
        if self.preprocessing.motion == "per_frame" and info.frame_residual_unsupported_reason:
            return info.frame_residual_unsupported_reason
        if not usable_gops(info.gop_lengths, self.layout.frames_per_gop):
            return f"no group of pictures has the {self.layout.frames_per_gop + 1} frames that the network reads"
        metadata = self.preprocessing.transcode
        if metadata is not None and self.is_student:
            # The last one of a video ends with it.
            usual = Counter(info.gop_lengths[:-1] or info.gop_lengths).most_common(1)[0][0]
            is_short_video = info.num_gops == 1 and usual < metadata.gop_length
            if usual != metadata.gop_length and not is_short_video:
                return f"its groups of pictures have {usual} frames; the network learnt from {metadata.gop_length}"
        return ""

    def _transcode(self, video: Path, folder: Path) -> Path:
        metadata = self.preprocessing.transcode or TranscodeSettings_()
        target = folder / "transcoded.mp4"
        transcode(video, target, **metadata.model_dump())
        return target

    def _read(self, video: Path, readable: Path) -> ClipBatch:
        """All test clips of a video as one batch."""
        settings = self.preprocessing
        info = describe(readable)
        usable = usable_gops(info.gop_lengths, settings.frames_per_gop)
        if not usable:
            needed = settings.frames_per_gop + 1
            raise VideoError(video, f"is too short: {info.num_frames} frames, the network reads {needed} in a row")
        accumulated = settings.motion == "accumulated"
        return join_clips(
            [
                read_clip(
                    readable, view_gops(usable, settings.gops_per_clip, clip, settings.clips), self.layout, accumulated,
                    label=0, video=0,
                )
                for clip in range(settings.clips)
            ]
        )  # fmt: skip

    def _logits(self, batch: ClipBatch) -> Tensor:
        """(K,) on the CPU: the mean over clips and crops, as in testing."""
        settings = self.preprocessing
        size = (batch.iframes.shape[-2], batch.iframes.shape[-1])
        views = []
        with torch.inference_mode(), _finished(self.device):
            moved = batch.to(self.device)
            for crop in range(settings.crops):
                boxes = view_boxes(len(batch.labels), size, settings.resize, settings.input_size, crop, settings.crops)
                pictures = prepare_inputs(moved, boxes, settings.input_size)
                student_inputs = (pictures.iframes, pictures.motion, pictures.residual)
                output = self.network(*(student_inputs if self.is_student else (pictures.frames,)))
                views.append(output.logits.float().mean(dim=0))
        return torch.stack(views).mean(dim=0).cpu()


@contextmanager
def _finished(device: torch.device) -> Iterator[None]:
    """A GPU works on after the call returns; a clock must wait for it."""
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def read_preprocessing(checkpoint: Path, description: dict[str, Any]) -> Preprocessing:
    """What a checkpoint says about its network's input.

    Raises:
        PredictionError: it says too little.
    """
    found = dict(description.get("preprocessing") or {})
    architecture = description["architecture"]
    if "input_size" in found:
        return build_record(Preprocessing, found)
    if architecture["kind"] == "teacher" and "crop_pixels" in found:
        # Published teachers take one frame from each of T equal parts of a video.
        return Preprocessing(
            gops_per_clip=architecture["num_segments"],
            frames_per_gop=1,
            input_size=found["crop_pixels"],
            resize=found["short_side_pixels"],
        )
    raise PredictionError(
        f"{checkpoint}: does not say how videos become its network's input; it was written by another version of cdkd, "
        "train it again"
    )
