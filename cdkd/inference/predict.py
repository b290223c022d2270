"""What a trained network sees in any video, and what that took."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import torch
from torch import Tensor

from cdkd.data.clips.clip import ClipBatch, join_clips, read_clip
from cdkd.data.clips.sampling import ClipLayout, usable_gops, view_steps
from cdkd.data.clips.transforms import prepare_inputs, view_boxes
from cdkd.inference.model_reference import checkpoint_file
from cdkd.inference.preprocessing import VideoEncoding, read_preprocessing
from cdkd.models.devices import choose_device
from cdkd.models.teacher.teacher import Teacher
from cdkd.models.weights.loading import load_model
from cdkd.video.frames import StreamInfo, VideoError
from cdkd.video.reader import describe
from cdkd.video.transcode import transcode


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

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        top = [{"class": name, "score": score} for name, score in zip(self.classes, self.scores, strict=True)]
        seconds = {
            "transcode": self.transcode_seconds,
            "decode": self.decode_seconds,
            "network": self.network_seconds,
        }
        because = self.transcoded_because or None
        return {"video": str(self.video), "top": top, "seconds": seconds, "transcoded_because": because, "error": None}


class Predictor:
    """A trained network with the preprocessing that its checkpoint describes.

        >>> predictor = Predictor("student.safetensors", device="cpu")
        >>> prediction = predictor.predict("clip.mp4", top=3)
        >>> len(prediction.classes), prediction.scores[0] >= prediction.scores[1]
        (3, True)

    Args:
        checkpoint: file of a student or of a teacher.
        device: auto (the first GPU, else the CPU), cpu, cuda, cuda:1 ...

    Raises:
        ModelError, PreprocessingError: the checkpoint is missing, damaged, foreign or says too little.
        DeviceError: this machine has no such device.
    """

    def __init__(self, checkpoint: Path | str, device: torch.device | str = "auto") -> None:
        self.device = choose_device(device, "device") if isinstance(device, str) else device
        network, description = load_model(checkpoint)
        self.network = network.to(self.device)
        self.preprocessing = read_preprocessing(Path(checkpoint), description)
        names = description.get("classes") or [f"class {k}" for k in range(description["architecture"]["num_classes"])]
        self.classes: tuple[str, ...] = tuple(names)
        self.layout = ClipLayout(
            self.preprocessing.gops_per_clip,
            self.preprocessing.frames_per_gop,
            student_window=0 if isinstance(network, Teacher) else network.window,
            teacher_window=network.window if isinstance(network, Teacher) else 0,
            sampling=self.preprocessing.sampling,
        )

    @classmethod
    def from_run(
        cls, reference: Path | str, device: torch.device | str = "auto", tracking_uri: str | None = None
    ) -> Self:
        """The network of a tracked run (its id), of a registered model (`models:/name/version`) or of a file.

        Args:
            reference: any of the three.
            device: as of the class.
            tracking_uri: the store of runs and models; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.

        Raises:
            ModelReferenceError: it is none of the three.
            TrackingError: the tracking store has no such run, model or checkpoint.
        """
        with checkpoint_file(reference, tracking_uri) as checkpoint:
            return cls(checkpoint, device)

    def predict(self, video: Path | str, top: int = 5) -> Prediction:
        """The `top` classes of a video, as any file that FFmpeg reads.

        What the network cannot read as it is, such as groups of pictures of another length than those of its training,
        is transcoded first, in a temporary folder.

        Raises:
            VideoError: the file cannot be decoded, or is too short for one clip.
        """
        video = Path(video)
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
        form = self.preprocessing.p_frame_form
        if reason := info.unsupported_residual_reason(form.reference, form.residual):
            return reason
        if not usable_gops(info.gop_lengths, self.layout.frames_per_gop):
            return f"no group of pictures has the {self.layout.frames_per_gop + 1} frames that the network reads"
        encoding = self.preprocessing.transcode
        if encoding is not None and not isinstance(self.network, Teacher):
            # The last one of a video ends with it.
            usual = Counter(info.gop_lengths[:-1] or info.gop_lengths).most_common(1)[0][0]
            is_short_video = info.num_gops == 1 and usual < encoding.gop_length
            if usual != encoding.gop_length and not is_short_video:
                return f"its groups of pictures have {usual} frames; the network learnt from {encoding.gop_length}"
        return ""

    def _transcode(self, video: Path, folder: Path) -> Path:
        encoding = self.preprocessing.transcode or VideoEncoding()
        target = folder / "transcoded.mp4"
        transcode(video, target, **encoding.model_dump())
        return target

    def _read(self, video: Path, readable: Path) -> ClipBatch:
        """All test clips of a video as one batch."""
        settings = self.preprocessing
        info = describe(readable)
        usable = usable_gops(info.gop_lengths, settings.frames_per_gop)
        if not usable:
            needed = settings.frames_per_gop + 1
            raise VideoError(video, f"is too short: {info.num_frames} frames, the network reads {needed} in a row")
        form = settings.p_frame_form
        return join_clips(
            [
                read_clip(
                    readable, view_steps(usable, self.layout, clip, settings.clips), self.layout, form,
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
                boxes = view_boxes(len(batch.labels), size, settings.view, crop)
                pictures = prepare_inputs(moved, boxes, settings.view.crop_size)
                if isinstance(self.network, Teacher):
                    logits = self.network(pictures.frames).logits
                else:
                    logits = self.network(pictures.iframes, pictures.motion, pictures.residual).logits
                views.append(logits.float().mean(dim=0))
        return torch.stack(views).mean(dim=0).cpu()


@contextmanager
def _finished(device: torch.device) -> Iterator[None]:
    """A GPU works on after the call returns; a clock must wait for it."""
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
