"""Temporal difference network: motion from five neighbouring frames within, and between the segments of a clip."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdkd.models.backbones.consensus import ConsensusNetwork
from cdkd.models.backbones.long_term import insert_long_term
from cdkd.models.backbones.resnet import BackboneConv2d, BackboneSpec, backbone_spec, build_backbone, residual_stage
from cdkd.models.backbones.tsm import check_frames

WINDOW = 5
"""Consecutive frames per segment; the middle one is the segment's picture."""


def mixing_weights(trained_segments: int) -> tuple[float, float]:
    """(alpha, beta) of y = alpha * y + beta * difference, as the released networks were trained."""
    return (0.5, 0.5) if trained_segments == 8 else (0.75, 0.25)


def upsample_to(x: Tensor, like: Tensor) -> Tensor:
    """Nearest-neighbour up-sampling of (N, C, h, w) to the height and width of `like`."""
    return F.interpolate(x, size=like.shape[-2:], mode="nearest")


class ShortTermDifference(nn.Module):
    """S-TDM: the four differences within a window, at half size, through a stem and a first stage of their own."""

    def __init__(self, spec: BackboneSpec, in_channels: int) -> None:
        super().__init__()
        self.conv = BackboneConv2d((WINDOW - 1) * in_channels, spec.width, 7, 2)
        self.bn = nn.BatchNorm2d(spec.width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = residual_stage(spec, 0, spec.width)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Windows (N, 5, C, H, W) to d0 (N, width, H / 8, W / 8) and d1 (N, width * expansion, H / 8, W / 8)."""
        # Pooling and differencing commute; pooled first, the differences cost a quarter.
        halved = torch.unflatten(F.avg_pool2d(windows.flatten(0, 1), 2), 0, windows.shape[:2])
        differences = (halved[:, 1:] - halved[:, :-1]).flatten(1, 2)
        d0 = self.maxpool(F.relu(self.bn(self.conv(differences)), inplace=True))
        return d0, self.layer1(d0)


class TDNEncoder(nn.Module):
    """A ResNet whose first two stages add short-term, and whose later stages long-term differences.

    Raises:
        ModelError: an unknown backbone.
    """

    window = WINDOW

    def __init__(
        self,
        backbone: str | BackboneSpec,
        num_segments: int,
        in_channels: int = 3,
        input_norm: bool = False,
        trained_segments: int | None = None,
    ) -> None:
        super().__init__()
        spec = backbone_spec(backbone)
        self.num_segments = num_segments
        self.mixing = mixing_weights(trained_segments or num_segments)
        self.backbone = build_backbone(spec, in_channels, input_norm=input_norm)
        self.num_features = self.backbone.num_features
        self.short_term = ShortTermDifference(spec, in_channels)
        insert_long_term(self.backbone, num_segments)

    def stage_maps(self, frames: Tensor) -> list[Tensor]:
        """The output of every stage, frames (B, T, 5, C, H, W) to a list of (B, T, C_i, H_i, W_i)."""
        check_frames(frames, self.num_segments, WINDOW, self.backbone.in_channels)
        windows = frames.flatten(0, 1)
        d0, d1 = self.short_term(windows)
        first, *later = self.backbone.stages
        # The input norm sees the pictures only: in differences the mean cancels, and a batch norm follows.
        pictures = self.backbone.input_norm(windows[:, WINDOW // 2])
        x = self.backbone.run_stage(first, self._mix(self.backbone.stem(pictures), d0))
        maps = [x]
        x = self._mix(x, d1)
        for stage in later:
            x = self.backbone.run_stage(stage, x)
            maps.append(x)
        return [torch.unflatten(x, 0, (-1, self.num_segments)) for x in maps]

    def _mix(self, x: Tensor, difference: Tensor) -> Tensor:
        alpha, beta = self.mixing
        return alpha * x + beta * upsample_to(difference, x)

    def forward(self, frames: Tensor) -> Tensor:
        """Normalised frames (B, T, 5, C, H, W) to the last maps (B, T, num_features, H', W')."""
        return self.stage_maps(frames)[-1]


class TDN(ConsensusNetwork):
    """TDN as published, less its unused convolution and the convolution biases that batch norm cancels."""

    window = WINDOW

    def __init__(
        self,
        backbone: str | BackboneSpec,
        num_classes: int,
        num_segments: int,
        dropout: float = 0.5,
        in_channels: int = 3,
        trained_segments: int | None = None,
    ) -> None:
        encoder = TDNEncoder(backbone, num_segments, in_channels, trained_segments=trained_segments)
        super().__init__(encoder, encoder.num_features, num_classes, num_segments, dropout)
