"""TDN's long-term modules: attention from differences between segments, and a learnable temporal shift."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdkd.models.backbones.resnet import BackboneConv2d, Block, ResNet

_REDUCTION = 16
_SHIFT_DIV = 8


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
        z = self.squeeze_bn(self.squeeze(x))
        now = torch.unflatten(z, 0, (-1, self.num_segments))
        other = torch.unflatten(self.smooth(z), 0, (-1, self.num_segments))
        ahead = F.pad(other[:, 1:] - now[:, :-1], (0, 0, 0, 0, 0, 0, 0, 1))
        back = F.pad(other[:, :-1] - now[:, 1:], (0, 0, 0, 0, 0, 0, 1, 0))
        weight = 0.5 * self._branch(ahead.flatten(0, 1)) + 0.5 * self._branch(back.flatten(0, 1))
        return x + x * weight

    def _branch(self, difference: Tensor) -> Tensor:
        coarse = self.coarse_bn(self.coarse(F.avg_pool2d(difference, 2)))
        coarse = F.interpolate(coarse, size=difference.shape[-2:], mode="nearest")
        fine = self.fine_bn(self.fine(difference))
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
