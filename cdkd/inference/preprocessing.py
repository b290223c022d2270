"""How videos become a trained network's input, as its checkpoint says it."""

from pathlib import Path
from typing import Literal

from cdkd.config import Record, build_record
from cdkd.data.clips.transforms import CropView
from cdkd.errors import CdkdError
from cdkd.modality import PFrameForm
from cdkd.models.weights.description import Description
from cdkd.settings import Sampling


class PreprocessingError(CdkdError):
    """A checkpoint does not say how to feed its network."""


class VideoEncoding(Record):
    """How the videos of the training were encoded; the defaults are those of `cdkd data prepare`."""

    width: int = 320
    """Pixels."""
    height: int = 256
    """Pixels."""
    gop_length: int = 12
    """Frames per group of pictures."""
    quantiser: int = 3


class Preprocessing(Record):
    """How a video becomes a network's input."""

    gops_per_clip: int
    """G."""
    frames_per_gop: int
    """P."""
    sampling: Sampling = "gops"
    """`data.sampling`; checkpoints that do not say it are older than the setting."""
    motion: Literal["accumulated", "per_frame"] = "accumulated"
    """`data.motion`."""
    residual: Literal["exact", "coviar"] = "exact"
    """`data.residual`."""
    input_size: int
    """H and W, in pixels."""
    resize: int
    """Frames are resized to this many pixels square before the crop."""
    crop_size: int = 0
    """H and W of what a test sees; 0: input_size."""
    keep_aspect: bool = False
    """`evaluation.keep_aspect`: only the shorter side is resized."""
    clips: int = 1
    crops: int = 1
    transcode: VideoEncoding | None = None
    """None: nobody noted it; the settings of `data prepare` are taken, and every GOP length is accepted."""

    @property
    def view(self) -> CropView:
        """How crops are cut."""
        return CropView(self.resize, self.crop_size or self.input_size, self.crops, self.keep_aspect)

    @property
    def p_frame_form(self) -> PFrameForm:
        """What motion and residual mean."""
        return PFrameForm.named(self.motion, self.residual)


def read_preprocessing(checkpoint: Path, description: Description) -> Preprocessing:
    """What a checkpoint says about its network's input.

    Raises:
        PreprocessingError: it says too little.
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
            sampling="segments",
            input_size=found["crop_pixels"],
            resize=found["short_side_pixels"],
            keep_aspect=True,
        )
    raise PreprocessingError(
        f"{checkpoint}: does not say how videos become its network's input; it was written by another version of cdkd, "
        "train it again"
    )
