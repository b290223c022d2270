"""The student's three parallel backbones: I-frame, motion vectors, residuals."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from cdkd.modality import IFRAME, MOTION, RESIDUAL
from cdkd.models.backbones.tdn import TDNEncoder
from cdkd.models.backbones.tsm import TSMEncoder
from cdkd.models.errors import ModelError


@dataclass(frozen=True)
class StreamSet:
    """Names of the backbones of the three streams."""

    iframe: str
    motion: str
    residual: str


STREAMS: dict[str, StreamSet] = {
    "slim": StreamSet("slim", "slim", "slim"),
    "paper": StreamSet("resnet50", "resnet50", "resnet50"),
    "lite": StreamSet("resnet50", "resnet18", "resnet18"),
    "resnet18": StreamSet("resnet18", "resnet18", "resnet18"),
    "coviar": StreamSet("resnet152", "resnet18", "resnet18"),
}


def stream_set(name: str) -> StreamSet:
    """The backbones behind a name.

    Raises:
        ModelError: an unknown name.
    """
    if name not in STREAMS:
        raise ModelError(f"student.streams: unknown set '{name}'; known: {', '.join(STREAMS)}")
    return STREAMS[name]


@dataclass(frozen=True)
class StreamMaps:
    """The last feature maps of the three streams (f^I, f^M_t, f^R_t of Eq. 1); widths may differ."""

    iframe: Tensor
    """(B, G, C_I, H, W)."""
    motion: Tensor
    """(B, T, C_M, H, W)."""
    residual: Tensor
    """(B, T, C_R, H, W)."""


class ThreeStreams(nn.Module):
    """One encoder per modality; each mixes time only over its own frames.

    `tsm` shifts (motion and residual over T, the I-stream over G), `tdn` adds the differences of five-frame
    windows and of neighbouring segments, `none` leaves time alone. I-frames have no neighbours in the compressed
    domain, so the I-stream has no window: under `tdn` it shifts over G, and is a plain ResNet where G = 1.
    """

    def __init__(
        self,
        streams: StreamSet,
        temporal: Literal["tsm", "tdn", "none"],
        num_gops: int,
        num_frames: int,
        shift_div: int,
    ) -> None:
        super().__init__()

        def encoder(backbone: str, num_channels: int) -> TSMEncoder | TDNEncoder:
            if temporal == "tdn":
                return TDNEncoder(backbone, num_frames, num_channels, input_norm=True)
            return TSMEncoder(backbone, num_frames, shift_div, num_channels, input_norm=True, shift=temporal == "tsm")

        # No input norm: I-frames are RGB pictures with ImageNet's statistics, for which the pretrained weights were
        # made.
        self.iframe = TSMEncoder(streams.iframe, num_gops, shift_div, IFRAME.num_channels, shift=temporal != "none")
        self.motion = encoder(streams.motion, MOTION.num_channels)
        self.residual = encoder(streams.residual, RESIDUAL.num_channels)
        # Of motion and residual; the I-stream reads one frame, see the class's text.
        self.window = self.motion.window
        self.widths = {
            "iframe": self.iframe.num_features,
            "motion": self.motion.num_features,
            "residual": self.residual.num_features,
        }
        self.map_stride = self.iframe.backbone.spec.map_stride

    def forward(self, iframes: Tensor, motion: Tensor, residual: Tensor) -> StreamMaps:
        """Normalised iframes (B, G, 3, H, W), motion (B, T, F, 2, H, W), residual (B, T, F, 3, H, W) to maps.

        Raises:
            ModelError: an input has another shape; says both.
        """
        # (B, G, 1, 3, H, W): an I-frame is a window of one frame.
        return StreamMaps(self.iframe(iframes.unsqueeze(2)), self.motion(motion), self.residual(residual))
