"""TSM and TDN as published: every segment is classified, and the logits are averaged over time (segment consensus)."""

from typing import Self

import torch
from torch import Tensor, nn

from cdkd.models.backbones.resnet import BackboneSpec
from cdkd.models.backbones.tdn import WINDOW, TDNEncoder
from cdkd.models.backbones.tsm import TSMEncoder
from cdkd.models.outputs import TeacherOutput
from cdkd.models.teacher.teacher import Teacher
from cdkd.settings import TeacherSettings


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


class ConsensusTeacher(Teacher):
    """An encoder of frames and the consensus head on its last maps: TSM and TDN differ in the encoder alone."""

    def __init__(self, encoder: TSMEncoder | TDNEncoder, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.num_segments = encoder.num_segments
        self.num_features = encoder.num_features
        self.head = ConsensusHead(encoder.num_features, num_classes, dropout)

    def forward(self, frames: Tensor) -> TeacherOutput:
        """Normalised frames (B, T, F, C, H, W) to logits (B, K) and maps (B, T, num_features, H', W')."""
        maps: Tensor = self.encoder(frames)
        return TeacherOutput(self.head(maps), maps)


class TSM(ConsensusTeacher):
    """TSM as published: a shifted ResNet."""

    window = 1

    def __init__(
        self,
        backbone: str | BackboneSpec,
        num_classes: int,
        num_segments: int,
        shift_div: int = 8,
        dropout: float = 0.5,
        in_channels: int = 3,
    ) -> None:
        super().__init__(TSMEncoder(backbone, num_segments, shift_div, in_channels), num_classes, dropout)

    @classmethod
    def from_settings(cls, settings: TeacherSettings, num_classes: int, num_segments: int) -> Self:
        """See `Teacher`."""
        return cls(settings.backbone, num_classes, num_segments, settings.shift_div, settings.dropout)


class TDN(ConsensusTeacher):
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
        super().__init__(encoder, num_classes, dropout)

    @classmethod
    def from_settings(cls, settings: TeacherSettings, num_classes: int, num_segments: int) -> Self:
        """See `Teacher`."""
        trained = settings.num_segments or None
        return cls(settings.backbone, num_classes, num_segments, settings.dropout, trained_segments=trained)
