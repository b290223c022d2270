"""Eq. 2: a convolutional LSTM that reads a sequence of maps in both directions."""

import torch
from torch import Tensor, nn


class ConvLSTM(nn.Module):
    """One layer, 3x3 convolutions, no peepholes; starts from zero state.

    i, f, o = sigmoid(W_x * x_t + W_h * h_(t-1) + b);  g = tanh(...)
    c_t = f c_(t-1) + i g;  h_t = o tanh(c_t)
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.from_input = nn.Conv2d(in_channels, 4 * hidden_channels, 3, padding=1)
        self.from_hidden = nn.Conv2d(hidden_channels, 4 * hidden_channels, 3, padding=1, bias=False)

    def forward(self, sequence: Tensor, reverse: bool = False) -> Tensor:
        """(B, T, C, H, W) to (B, T, hidden, H, W); `reverse` reads from the last to the first, output in order."""
        num_frames = sequence.shape[1]
        inputs = torch.unflatten(self.from_input(sequence.flatten(0, 1)), 0, (-1, num_frames))
        hidden: Tensor | None = None
        cell: Tensor | None = None
        outputs: list[Tensor] = []
        order = range(num_frames - 1, -1, -1) if reverse else range(num_frames)
        for t in order:
            gates = inputs[:, t] if hidden is None else inputs[:, t] + self.from_hidden(hidden)
            keep_in, forget, emit, candidate = gates.chunk(4, dim=1)
            update = torch.sigmoid(keep_in) * torch.tanh(candidate)
            cell = update if cell is None else torch.sigmoid(forget) * cell + update
            hidden = torch.sigmoid(emit) * torch.tanh(cell)
            outputs.append(hidden)
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
        both = torch.cat([self.ahead(sequence), self.back(sequence, reverse=True)], dim=2)
        return torch.unflatten(self.out(both.flatten(0, 1)), 0, (-1, sequence.shape[1]))
