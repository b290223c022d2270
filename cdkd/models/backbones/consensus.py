"""A linear classifier of every frame whose logits are averaged over time (TSN's segment consensus)."""

from typing import cast

import torch
from torch import Tensor, nn

from cdkd.models.outputs import TeacherOutput


class ClassifierLinear(nn.Linear):
    """A linear layer that starts as N(0, 0.001) with zero bias, as TSM's and TDN's classifiers do."""

    def reset_parameters(self) -> None:
        """Draws the weights anew from torch's current generator."""
        nn.init.normal_(self.weight, 0.0, 0.001)
        nn.init.zeros_(self.bias)


class ConsensusHead(nn.Module):
    """Global average pooling, dropout, one linear layer, mean of the logits over T."""

    def __init__(self, num_features: int, num_classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc = ClassifierLinear(num_features, num_classes)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, T, C, H, W) to logits (B, K)."""
        pooled = torch.mean(maps, dim=(3, 4))
        logits: Tensor = self.fc(self.dropout(pooled))
        return logits.mean(dim=1)


class ConsensusNetwork(nn.Module):
    """An encoder of frames and the consensus head on its last maps: TSM and TDN differ in the encoder alone."""

    def __init__(
        self, encoder: nn.Module, num_features: int, num_classes: int, num_segments: int, dropout: float
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.num_segments = num_segments
        self.num_features = num_features
        self.head = ConsensusHead(num_features, num_classes, dropout)

    def forward(self, frames: Tensor) -> TeacherOutput:
        """Normalised frames (B, T, window, C, H, W) to logits (B, K) and maps (B, T, num_features, H', W')."""
        maps = cast(Tensor, self.encoder(frames))
        return TeacherOutput(self.head(maps), maps)
