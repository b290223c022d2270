"""Fully connected fusion: one linear layer over the concatenated features, kept as one block per source."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class FusionHead(nn.Module):
    """logits = b + sum over sources of W_source f_source, which is W [f_1; f_2; ...] + b.

    A block per source lets networks with and without a pseudo-decoder share the weights of what both have.
    """

    def __init__(self, widths: Mapping[str, int], num_classes: int, dropout: float) -> None:
        super().__init__()
        self.sources = tuple(widths)
        self.dropout = nn.Dropout(dropout)
        for name, width in widths.items():
            self.add_module(name, nn.Linear(width, num_classes, bias=False))
        self.bias = nn.Parameter(torch.empty(num_classes))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Zero bias; each block initialises itself."""
        nn.init.zeros_(self.bias)

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Features (B, D_source) by source to logits (B, K); sources the head does not read are ignored."""
        # One product for each source and their sum: the concatenation is never made.
        logits = self.bias
        for name in self.sources:
            logits = logits + self.get_submodule(name)(self.dropout(features[name]))
        return logits


class LateFusion(nn.Module):
    """CoViAR: every stream classifies its own frames; the mean logits are averaged with fixed weights."""

    def __init__(
        self, widths: Mapping[str, int], weights: Mapping[str, float], num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        total = sum(weights.values())
        # Numbers and no parameters: CoViAR's 2:1:1 is fixed, and a checkpoint need not hold it.
        self.weights = {name: weight / total for name, weight in weights.items()}
        self.dropout = nn.Dropout(dropout)
        for name, width in widths.items():
            self.add_module(name, nn.Linear(width, num_classes))

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Features per frame (B, N_source, D_source) by source to logits (B, K)."""
        # Logits per frame (B, N_source, K), their mean (B, K); the streams have different numbers of frames.
        return torch.stack(
            [
                weight * self.get_submodule(name)(self.dropout(features[name])).mean(dim=1)
                for name, weight in self.weights.items()
            ]
        ).sum(dim=0)
