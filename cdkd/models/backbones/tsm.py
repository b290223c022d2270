"""Temporal shift: a quarter of the channels of every residual branch moves one frame back or ahead."""

import torch
from torch import Tensor, nn

from cdkd.models.backbones.resnet import BackboneSpec, Block, ResNet, build_backbone
from cdkd.models.errors import ModelError

# Where layer3 is this deep (ResNet-101, ResNet-152), only every second block of each stage shifts.
_DEEP_STAGE_BLOCKS = 23


def temporal_shift(x: Tensor, num_segments: int, shift_div: int) -> Tensor:
    """Moves 1/shift_div of the channels one frame to the past, as many to the future; zeros come in at the ends.

        channels [0, fold)         out[t] = x[t + 1]
        channels [fold, 2 fold)    out[t] = x[t - 1]
        the rest                   out[t] = x[t]

    Args:
        x: (B * T, C, H, W), the frames of a clip one after another; its memory format is kept.
        num_segments: T.
        shift_div: fold = C // shift_div.
    """
    fold = x.shape[1] // shift_div
    # Not `torch.roll`, which would bring the last frame to the first; and in the memory format of x, channels last too.
    out = torch.zeros_like(x)
    source = torch.unflatten(x, 0, (-1, num_segments))
    target = torch.unflatten(out, 0, (-1, num_segments))
    target[:, :-1, :fold] = source[:, 1:, :fold]
    target[:, 1:, fold : 2 * fold] = source[:, :-1, fold : 2 * fold]
    target[:, :, 2 * fold :] = source[:, :, 2 * fold :]
    return out


class TemporalShift(nn.Module):
    """`temporal_shift` as a module without parameters."""

    def __init__(self, num_segments: int, shift_div: int) -> None:
        super().__init__()
        self.num_segments = num_segments
        self.shift_div = shift_div

    def forward(self, x: Tensor) -> Tensor:
        """(B * T, C, H, W) to the same shape."""
        return temporal_shift(x, self.num_segments, self.shift_div)

    def extra_repr(self) -> str:
        return f"num_segments={self.num_segments}, shift_div={self.shift_div}"


def insert_temporal_shift(backbone: ResNet, num_segments: int, shift_div: int) -> None:
    """Shifts the input of every residual branch of `backbone` (TSM's `blockres` placement)."""
    layers = backbone.spec.layers
    # As in TSM's released code, whose weights have to find the shifts where they were trained.
    step = 2 if len(layers) > 2 and layers[2] >= _DEEP_STAGE_BLOCKS else 1
    for stage in backbone.stages:
        for block in list(stage)[::step]:
            assert isinstance(block, Block)
            block.before = TemporalShift(num_segments, shift_div)


def check_frames(frames: Tensor, num_segments: int, window: int, num_channels: int) -> None:
    """Refuses frames that are not (B, T, F, C, H, W) as the network was built for.

    Raises:
        ModelError: says both shapes.
    """
    if frames.dim() != 6 or tuple(frames.shape[1:4]) != (num_segments, window, num_channels):
        raise ModelError(
            f"frames: expected (B, T, F, C, H, W) with T, F, C = {num_segments}, {window}, {num_channels}, "
            f"got {tuple(frames.shape)}"
        )


class TSMEncoder(nn.Module):
    """A ResNet over the frames of a clip with temporal shift; a plain ResNet where the clip is one frame.

    A shift over a single frame would only blank a quarter of the channels at every block.
    """

    window = 1

    def __init__(
        self,
        backbone: str | BackboneSpec,
        num_segments: int,
        shift_div: int = 8,
        in_channels: int = 3,
        input_norm: bool = False,
        shift: bool = True,
    ) -> None:
        super().__init__()
        self.num_segments = num_segments
        self.backbone = build_backbone(backbone, in_channels, input_norm=input_norm)
        self.num_features = self.backbone.num_features
        if shift and num_segments > 1:
            insert_temporal_shift(self.backbone, num_segments, shift_div)

    def stage_maps(self, frames: Tensor) -> list[Tensor]:
        """The output of every stage, frames (B, T, 1, C, H, W) to a list of (B, T, C_i, H_i, W_i)."""
        check_frames(frames, self.num_segments, 1, self.backbone.in_channels)
        # (B * T * 1, C, H, W): to the convolutions frames are a batch; only the shift knows which belong together.
        maps = self.backbone.stage_maps(frames.flatten(0, 2))
        return [torch.unflatten(x, 0, (-1, self.num_segments)) for x in maps]

    def forward(self, frames: Tensor) -> Tensor:
        """Normalised frames (B, T, 1, C, H, W) to the last maps (B, T, num_features, H', W')."""
        return self.stage_maps(frames)[-1]
