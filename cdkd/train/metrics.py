"""Scores of videos and the accuracies that follow from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scores:
    """Per-video results: names (N,), labels (N,) int64, scores (N, K) float32, logits averaged over views."""

    videos: tuple[str, ...]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not len(self.videos) == len(self.labels) == len(self.scores):
            raise ValueError(f"{len(self.videos)} videos, {len(self.labels)} labels, {len(self.scores)} scores")

    def accuracy(self, k: int) -> float:
        """Share of videos, in percent, whose label is among the k highest scores; a tie counts against the label."""
        own = np.take_along_axis(self.scores, self.labels[:, None], axis=1)
        rank = (self.scores >= own).sum(axis=1)  # 1 where the label's score is the strict maximum
        return float((rank <= k).mean() * 100)

    def accuracies(self, part: str) -> dict[str, float]:
        """Top-1 and top-5 by the names that they are logged under: `test_top1` and so on."""
        return {f"{part}_top{k}": self.accuracy(k) for k in (1, 5)}
