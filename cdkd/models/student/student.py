"""The compressed-domain network: three streams, pseudo-decoder, attention gate, FC fusion.

    iframes  --> stream --> f_I   --+
    motion   --> stream --> f_M_t --+--> pooled, mean over G or T -----------------------+
    residual --> stream --> f_R_t --+                                                    +--> FC fusion --> logits
                                    +--> pseudo-decoder --> h_hat_t --> pooled, mean ----+
                                    |                                     ^
                                    +--> gate of f_M_t, f_R_t --> alpha_t-+ with the softmax gate alone

Which of the features the fusion reads is the setting `student.head`.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cdkd.models.errors import ModelError
from cdkd.models.outputs import StudentOutput
from cdkd.models.student.attention_gate import AttentionGate
from cdkd.models.student.fusion import FusionHead, LateFusion
from cdkd.models.student.pseudo_decoder import PseudoDecoder
from cdkd.models.student.streams import StreamMaps, ThreeStreams, stream_set
from cdkd.settings import StudentSettings

_STREAM_SOURCES = ("iframe", "motion", "residual")
_SOURCES: dict[str, tuple[str, ...]] = {
    "streams": _STREAM_SOURCES,
    "decoded": ("decoded",),
    "both": (*_STREAM_SOURCES, "decoded"),
}
_COVIAR_WEIGHTS = {"iframe": 2.0, "motion": 1.0, "residual": 1.0}


def _pool(maps: Tensor) -> Tensor:
    """(B, N, C, H, W) to (B, N, C)."""
    return maps.mean(dim=(3, 4))


class StreamStudent(nn.Module):
    """What every student has: three streams, and what they ask of their input."""

    streams: ThreeStreams

    if TYPE_CHECKING:

        def __call__(self, iframes: Tensor, motion: Tensor, residual: Tensor) -> StudentOutput: ...

    @property
    def window(self) -> int:
        """F: frames per P-frame position that motion and residual must bring (TDN 5, others 1)."""
        return self.streams.window

    @property
    def map_stride(self) -> int:
        """Input pixels per position of the streams' and the decoded maps."""
        return self.streams.map_stride


class Student(StreamStudent):
    """The paper's student, or without decoder its baseline.

    The classifier reads the means over time of the pooled streams and of the pooled h_hat. With the softmax gate
    the latter is weighted by alpha_t / T: Eq. 4 alone would drive a learned gate to an extreme, so the cross-entropy
    trains it here and Eq. 4 reads it detached.
    """

    def __init__(
        self,
        settings: StudentSettings,
        *,
        num_classes: int,
        num_gops: int,
        frames_per_gop: int,
        teacher_channels: int,
    ) -> None:
        super().__init__()
        num_frames = num_gops * frames_per_gop
        self.streams = ThreeStreams(
            stream_set(settings.streams), settings.arch, num_gops, num_frames, settings.shift_div
        )
        widths = self.streams.widths
        self.decoder: PseudoDecoder | None = None
        self.gate: AttentionGate | None = None
        if settings.decoder:
            self.decoder = PseudoDecoder(
                (widths["iframe"], widths["motion"], widths["residual"]),
                frames_per_gop,
                teacher_channels,
                settings.attention_dim,
            )
            self.gate = AttentionGate(widths["motion"] + widths["residual"], settings.gate)
        sources = {**widths, "decoded": teacher_channels}
        self.head = FusionHead({name: sources[name] for name in _SOURCES[settings.head]}, num_classes, settings.dropout)

    def forward(self, iframes: Tensor, motion: Tensor, residual: Tensor) -> StudentOutput:
        """Normalised iframes (B, G, 3, H, W), motion (B, T, F, 2, H, W), residual (B, T, F, 3, H, W).

        Raises:
            ModelError: an input has another shape; says both.
        """
        # 1. The three streams.
        maps = self.streams(iframes, motion, residual)
        # 2. Over space, (B, G or T, C); then over time, (B, C), which is what the classifier reads.
        pooled = {"iframe": _pool(maps.iframe), "motion": _pool(maps.motion), "residual": _pool(maps.residual)}
        features = {name: x.mean(dim=1) for name, x in pooled.items()}
        if self.decoder is None or self.gate is None:
            return StudentOutput(self.head(features))
        # 3. alpha (B, T) from [f_M_t, f_R_t] (B, T, C_M + C_R), and the decoded maps (B, T, C, H, W).
        gate = self.gate(torch.cat([pooled["motion"], pooled["residual"]], dim=2))
        decoded = self.decoder(maps)
        features["decoded"] = self._pool_decoded(decoded, gate)
        return StudentOutput(self.head(features), decoded, gate)

    def _pool_decoded(self, decoded: Tensor, gate: Tensor) -> Tensor:
        """h_hat (B, T, C, H, W) and alpha (B, T) to (B, C)."""
        pooled = _pool(decoded)
        # The other forms weight Eq. 4 alone: of a sigmoid the mean could fall to 0 and take the features along.
        if self.gate is not None and self.gate.form == "softmax":
            pooled = pooled * gate.unsqueeze(2)
        return pooled.mean(dim=1)


class CoviarStudent(StreamStudent):
    """The CoViAR baseline: no temporal module, a classifier per stream, mean over segments, late fusion 2:1:1."""

    def __init__(self, settings: StudentSettings, *, num_classes: int, num_gops: int, frames_per_gop: int) -> None:
        super().__init__()
        num_frames = num_gops * frames_per_gop
        self.streams = ThreeStreams(stream_set(settings.streams), "none", num_gops, num_frames, settings.shift_div)
        self.head = LateFusion(self.streams.widths, _COVIAR_WEIGHTS, num_classes, settings.dropout)

    def forward(self, iframes: Tensor, motion: Tensor, residual: Tensor) -> StudentOutput:
        """Normalised iframes (B, G, 3, H, W), motion (B, T, 1, 2, H, W), residual (B, T, 1, 3, H, W).

        Raises:
            ModelError: an input has another shape; says both.
        """
        maps: StreamMaps = self.streams(iframes, motion, residual)
        features = {"iframe": _pool(maps.iframe), "motion": _pool(maps.motion), "residual": _pool(maps.residual)}
        return StudentOutput(self.head(features))


def build_student(
    settings: StudentSettings, *, num_classes: int, num_gops: int, frames_per_gop: int, teacher_channels: int
) -> Student | CoviarStudent:
    """The student that the settings describe, for clips of `num_gops` GOPs with `frames_per_gop` P-frames each.

    Raises:
        ModelError: settings that contradict each other.
    """
    if settings.model == "three_stream":
        return Student(
            settings,
            num_classes=num_classes,
            num_gops=num_gops,
            frames_per_gop=frames_per_gop,
            teacher_channels=teacher_channels,
        )
    if settings.decoder or settings.head != "streams":
        raise ModelError(
            "student.model: coviar has no pseudo-decoder; set student.decoder to false and student.head to streams"
        )
    return CoviarStudent(settings, num_classes=num_classes, num_gops=num_gops, frames_per_gop=frames_per_gop)
