"""The pseudo-decoder: from the features of compressed video to those of the P-frames' pictures (Eq. 1, Eq. 2)."""

import torch
from torch import Tensor, nn

from cdkd.models.student.cross_attention import CrossAttention
from cdkd.models.student.streams import StreamMaps

_MAX_DIM = 512


class ConvLSTM(nn.Module):
    """Eq. 2, one direction: one layer, 3x3 convolutions, no peepholes; starts from zero state.

    i, f, o = sigmoid(W_x * x_t + W_h * h_(t-1) + b);  g = tanh(...)
    c_t = f c_(t-1) + i g;  h_t = o tanh(c_t)
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        # The four gates of a step as one convolution each of input and state; one bias for the sum of both.
        self.from_input = nn.Conv2d(in_channels, 4 * hidden_channels, 3, padding=1)
        self.from_hidden = nn.Conv2d(hidden_channels, 4 * hidden_channels, 3, padding=1, bias=False)

    def forward(self, sequence: Tensor, reverse: bool = False) -> Tensor:
        """(B, T, C, H, W) to (B, T, hidden, H, W); `reverse` reads from the last to the first, output in order."""
        num_frames = sequence.shape[1]
        # (B, T, 4 * hidden, H, W): what depends on the input alone is computed for all time steps at once.
        inputs = torch.unflatten(self.from_input(sequence.flatten(0, 1)), 0, (-1, num_frames))
        hidden: Tensor | None = None
        cell: Tensor | None = None
        outputs: list[Tensor] = []
        order = range(num_frames - 1, -1, -1) if reverse else range(num_frames)
        for t in order:
            # At the first step the state is 0, which a convolution without bias leaves at 0: it is left out.
            gates = inputs[:, t] if hidden is None else inputs[:, t] + self.from_hidden(hidden)
            keep_in, forget, emit, candidate = gates.chunk(4, dim=1)
            update = torch.sigmoid(keep_in) * torch.tanh(candidate)
            cell = update if cell is None else torch.sigmoid(forget) * cell + update
            hidden = torch.sigmoid(emit) * torch.tanh(cell)
            outputs.append(hidden)
        # In the order of time again, so that both directions can be put side by side.
        return torch.stack(outputs[::-1] if reverse else outputs, dim=1)


class BiConvLSTM(nn.Module):
    """Two ConvLSTMs in opposite directions, concatenated, and a 1x1 convolution to the wanted width."""

    def __init__(self, in_channels: int, hidden_channels: int, out_channels: int) -> None:
        super().__init__()
        self.ahead = ConvLSTM(in_channels, hidden_channels)
        self.back = ConvLSTM(in_channels, hidden_channels)
        self.out = nn.Conv2d(2 * hidden_channels, out_channels, 1)

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, T, C, H, W) to (B, T, out_channels, H, W)."""
        # (B, T, 2 * hidden, H, W)
        both = torch.cat([self.ahead(sequence), self.back(sequence, reverse=True)], dim=2)
        return torch.unflatten(self.out(both.flatten(0, 1)), 0, (-1, sequence.shape[1]))


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
        # Half the width for each direction, D for both.
        self.recurrence = BiConvLSTM(dim, dim // 2, out_channels)

    def forward(self, maps: StreamMaps) -> Tensor:
        """Maps of G I-frames and T = G * P P-frames to h_hat (B, T, out_channels, H, W)."""
        # (B, T, ...) -> (B * T, ...) -> (B * G, P, ...): the I-frame of a GOP explains that GOP's P-frames alone.
        per_gop = (-1, self.frames_per_gop)
        reconstructed = self.attention(
            self.iframe_in(maps.iframe.flatten(0, 1)),
            torch.unflatten(self.motion_in(maps.motion.flatten(0, 1)), 0, per_gop),
            torch.unflatten(self.residual_in(maps.residual.flatten(0, 1)), 0, per_gop),
        )
        batch, num_frames = maps.motion.shape[:2]
        # (B * G, P, D, H, W) -> (B, T, D, H, W): the recurrence runs over the borders of GOPs, through the whole clip.
        sequence = torch.unflatten(reconstructed.flatten(0, 1), 0, (batch, num_frames))
        decoded: Tensor = self.recurrence(sequence)
        return decoded
