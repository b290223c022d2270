"""The pseudo-decoder: from the features of compressed video to those of the P-frames' pictures (Eq. 1, Eq. 2)."""

import torch
from torch import Tensor, nn

from cdkd.models.student.conv_lstm import BiConvLSTM
from cdkd.models.student.cross_attention import CrossAttention
from cdkd.models.student.streams import StreamMaps

_MAX_DIM = 512


class PseudoDecoder(nn.Module):
    """Projection of every stream to D channels, cross-attention within each GOP, Bi-ConvLSTM over the clip.

    Raises:
        ModelError: the width is no multiple of the number of heads.
    """

    def __init__(
        self, widths: tuple[int, int, int], frames_per_gop: int, out_channels: int, attention_dim: int = 0
    ) -> None:
        """
        Args:
            widths: C of the I-frame's, the motion's and the residual's maps.
            frames_per_gop: P.
            out_channels: C of the teacher's maps.
            attention_dim: D; 0 for min(512, C of the I-frame's maps).
        """
        super().__init__()
        dim = attention_dim or min(_MAX_DIM, widths[0])
        self.frames_per_gop = frames_per_gop
        self.iframe_in = nn.Conv2d(widths[0], dim, 1)
        self.motion_in = nn.Conv2d(widths[1], dim, 1)
        self.residual_in = nn.Conv2d(widths[2], dim, 1)
        self.attention = CrossAttention(dim)
        self.recurrence = BiConvLSTM(dim, dim // 2, out_channels)

    def forward(self, maps: StreamMaps) -> Tensor:
        """Maps of G I-frames and T = G * P P-frames to h_hat (B, T, out_channels, H, W)."""
        per_gop = (-1, self.frames_per_gop)
        reconstructed = self.attention(
            self.iframe_in(maps.iframe.flatten(0, 1)),
            torch.unflatten(self.motion_in(maps.motion.flatten(0, 1)), 0, per_gop),
            torch.unflatten(self.residual_in(maps.residual.flatten(0, 1)), 0, per_gop),
        )
        batch, num_frames = maps.motion.shape[:2]
        sequence = torch.unflatten(reconstructed.flatten(0, 1), 0, (batch, num_frames))
        decoded: Tensor = self.recurrence(sequence)
        return decoded
