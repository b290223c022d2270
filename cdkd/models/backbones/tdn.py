"""Temporal difference network: motion from five neighbouring frames within, and between the segments of a clip.

    the middle one of five frames --> stem --(+)--> layer1 --(+)--> layer2 --> ... --> maps
                                              ^               ^     with a LongTermBlock in each block
    their four differences --> own stem --> d0 --> own layer1 --> d1

(+) is alpha * left + beta * difference, up-sampled.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdkd.models.backbones.resnet import (
    BackboneConv2d,
    BackboneSpec,
    Block,
    ResNet,
    backbone_spec,
    build_backbone,
    residual_stage,
)
from cdkd.models.backbones.tsm import check_frames
from cdkd.models.errors import ModelError

WINDOW = 5
"""Consecutive frames per segment; the middle one is the segment's picture."""
_REDUCTION = 16
_SHIFT_DIV = 8


def mixing_weights(trained_segments: int) -> tuple[float, float]:
    """(alpha, beta) of y = alpha * y + beta * difference, as the released networks were trained."""
    return (0.5, 0.5) if trained_segments == 8 else (0.75, 0.25)


def upsample_to(x: Tensor, like: Tensor) -> Tensor:
    """Nearest-neighbour up-sampling of (N, C, H', W') to the height and width of `like` (N, C, H, W)."""
    return F.interpolate(x, size=like.shape[-2:], mode="nearest")


def halve(pictures: Tensor) -> Tensor:
    """Means over squares of two by two pixels: (..., H, W) to (..., H // 2, W // 2).

    What `avg_pool2d` computes, in a seventh of its time on a CPU, whose kernel goes pixel by pixel.
    """
    height, width = (size // 2 * 2 for size in pictures.shape[-2:])
    rows = pictures[..., 0:height:2, :width] + pictures[..., 1:height:2, :width]
    return (rows[..., 0::2] + rows[..., 1::2]) * 0.25


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
        halved = halve(windows)
        # (N, 5, C, H / 2, W / 2) -> (N, 4, C, ...) -> (N, 4 * C, H / 2, W / 2): the four are channels of one picture.
        differences = (halved[:, 1:] - halved[:, :-1]).flatten(1, 2)
        d0 = self.maxpool(F.relu(self.bn(self.conv(differences)), inplace=True))
        return d0, self.layer1(d0)


class TemporalConv(nn.Module):
    """A depthwise convolution over three neighbouring segments that starts as the temporal shift."""

    def __init__(self, num_channels: int, num_segments: int) -> None:
        super().__init__()
        self.num_channels = num_channels
        self.num_segments = num_segments
        self.weight = nn.Parameter(torch.empty(num_channels, 1, 3))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Channels [0, C/8) take t + 1, [C/8, 2C/8) take t - 1, the rest t."""
        fold = self.num_channels // _SHIFT_DIV
        with torch.no_grad():
            self.weight.zero_()
            self.weight[:fold, 0, 2] = 1.0
            self.weight[fold : 2 * fold, 0, 0] = 1.0
            self.weight[2 * fold :, 0, 1] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """(B * T, C, H, W) to the same shape: w[0] x[t-1] + w[1] x[t] + w[2] x[t+1], zeros beyond the ends."""
        # (B, C, T, H * W)
        columns = torch.unflatten(x, 0, (-1, self.num_segments)).flatten(3).transpose(1, 2)
        # A convolution over (T, H * W) with a 3x1 kernel: no position has to become a batch entry.
        mixed = F.conv2d(columns, self.weight.unsqueeze(3), padding=(1, 0), groups=self.num_channels)
        return mixed.transpose(1, 2).reshape(x.shape)


class LongTermDifference(nn.Module):
    """L-TDM: channels that change between neighbouring segments are strengthened or weakened by up to one half."""

    def __init__(self, num_channels: int, num_segments: int) -> None:
        super().__init__()
        reduced = max(1, num_channels // _REDUCTION)
        self.num_segments = num_segments
        self.squeeze = BackboneConv2d(num_channels, reduced, 1)
        self.squeeze_bn = nn.BatchNorm2d(reduced)
        self.smooth = BackboneConv2d(reduced, reduced, 3, groups=reduced)
        self.coarse = BackboneConv2d(reduced, reduced, 3)
        self.coarse_bn = nn.BatchNorm2d(reduced)
        self.fine = BackboneConv2d(reduced, reduced, 3)
        self.fine_bn = nn.BatchNorm2d(reduced)
        self.expand = BackboneConv2d(reduced, num_channels, 1)
        self.expand_bn = nn.BatchNorm2d(num_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B * T, C, H, W) to the same shape."""
        # 1. A sixteenth of the channels: what follows only has to say where something changes.
        z = self.squeeze_bn(self.squeeze(x))
        # 2. Differences of each segment from the next and from the one before, (B, T, C / 16, H, W). The neighbour is
        # smoothed first, so that a small shift is not all difference; the last segment has no next one, the first none
        # before it, and both get 0 there.
        now = torch.unflatten(z, 0, (-1, self.num_segments))
        other = torch.unflatten(self.smooth(z), 0, (-1, self.num_segments))
        ahead = F.pad(other[:, 1:] - now[:, :-1], (0, 0, 0, 0, 0, 0, 0, 1))
        back = F.pad(other[:, :-1] - now[:, 1:], (0, 0, 0, 0, 0, 0, 1, 0))
        # 3. Both directions share the weights of one branch; the mean of their two answers is applied.
        weight = 0.5 * self._branch(ahead.flatten(0, 1)) + 0.5 * self._branch(back.flatten(0, 1))
        return x + x * weight

    def _branch(self, difference: Tensor) -> Tensor:
        """Differences (B * T, C / 16, H, W) to weights (B * T, C, H, W) between -0.5 and 0.5."""
        # Three scales: the difference itself, its neighbourhood, and that at half the resolution.
        coarse = self.coarse_bn(self.coarse(F.avg_pool2d(difference, 2)))
        coarse = F.interpolate(coarse, size=difference.shape[-2:], mode="nearest")
        fine = self.fine_bn(self.fine(difference))
        # Around 0, so that a segment in which nothing happens keeps its features.
        return torch.sigmoid(self.expand_bn(self.expand((difference + coarse + fine) / 3))) - 0.5


class LongTermBlock(nn.Module):
    """L-TDM, then the temporal convolution, between the first and second convolution of a residual block."""

    def __init__(self, num_channels: int, num_segments: int) -> None:
        super().__init__()
        self.difference = LongTermDifference(num_channels, num_segments)
        self.shift = TemporalConv(num_channels, num_segments)

    def forward(self, x: Tensor) -> Tensor:
        """(B * T, C, H, W) to the same shape."""
        out: Tensor = self.shift(self.difference(x))
        return out


def insert_long_term(backbone: ResNet, num_segments: int) -> None:
    """Puts the long-term modules into every block of every stage but the first."""
    for stage in backbone.stages[1:]:
        for block in stage:
            assert isinstance(block, Block)
            block.between = LongTermBlock(block.planes, num_segments)


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
        """The output of every stage, frames (B, T, 5, C, H, W) to a list of (B, T, C_i, H_i, W_i).

        Raises:
            ModelError: frames of another shape, or too small for the coarse branch of the last stage.
        """
        check_frames(frames, self.num_segments, WINDOW, self.backbone.in_channels)
        smallest = self.backbone.spec.map_stride + 1
        if min(frames.shape[-2:]) < smallest:
            height, width = frames.shape[-2:]
            raise ModelError(
                f"TDN with this backbone needs pictures of at least {smallest} pixels, not {height} x {width}; "
                "raise data.input_size, or choose a smaller backbone"
            )
        windows = frames.flatten(0, 1)  # (N, 5, C, H, W), N = B * T
        d0, d1 = self.short_term(windows)
        # 1. The stem of the middle frame, mixed with d0, and the first stage; its output mixed with d1.
        first, *later = self.backbone.stages
        # The input norm sees the pictures only: in differences the mean cancels, and a batch norm follows.
        pictures = self.backbone.input_norm(windows[:, WINDOW // 2])
        x = self.backbone.run_stage(first, self._mix(self.backbone.stem(pictures), d0))
        # The first map is taken before d1 is mixed in: it is the stage's own output.
        maps = [x]
        x = self._mix(x, d1)
        # 2. The later stages, whose blocks hold the long-term modules.
        for stage in later:
            x = self.backbone.run_stage(stage, x)
            maps.append(x)
        return [torch.unflatten(x, 0, (-1, self.num_segments)) for x in maps]

    def _mix(self, x: Tensor, difference: Tensor) -> Tensor:
        """(N, C, H, W) and (N, C, H', W') to (N, C, H, W)."""
        alpha, beta = self.mixing
        return alpha * x + beta * upsample_to(difference, x)

    def forward(self, frames: Tensor) -> Tensor:
        """Normalised frames (B, T, 5, C, H, W) to the last maps (B, T, num_features, H', W')."""
        return self.stage_maps(frames)[-1]
