"""Scores of a part of a data set, logits averaged over test clips and crops, and the accuracies they give."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cdkd.callbacks import Progress, silent
from cdkd.data.clips.clip import ClipBatch
from cdkd.data.loading.dataset import ClipDataset
from cdkd.settings import EvaluationSettings
from cdkd.train.processes import ALONE, Processes

Predict = Callable[[ClipBatch, int], Tensor]
"""(batch, crop) -> logits (B, K)."""


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
        # (N, 1)
        own = np.take_along_axis(self.scores, self.labels[:, None], axis=1)
        rank = (self.scores >= own).sum(axis=1)  # 1 where the label's score is the strict maximum
        return float((rank <= k).mean() * 100)

    @property
    def cross_entropy(self) -> float:
        """Mean over videos, in nats, of the softmax of the averaged logits: what training minimises, unsmoothed."""
        logits = self.scores.astype(np.float64)
        # (N,): the logarithm of the sum of exponentials, less the largest logit so that none overflows.
        largest = logits.max(axis=1)
        log_sums = largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1))
        own = np.take_along_axis(logits, self.labels[:, None], axis=1)[:, 0]
        return float((log_sums - own).mean())

    def accuracies(self, part: str) -> dict[str, float]:
        """Top-1 and top-5 by the names that they are logged under: `test/top1` and so on."""
        return {f"{part}/top{k}": self.accuracy(k) for k in (1, 5)}


def evaluate(
    network: nn.Module,
    predict: Predict,
    source: ClipDataset,
    settings: EvaluationSettings,
    processes: Processes = ALONE,
    progress: Progress = silent,
) -> Scores:
    """Every video of `source` through every view (test clips x crops), in eval mode and without gradient.

    The processes of a data-parallel training share the videos; each of them gets all scores.

    Source of the rule: TSM averages logits, not probabilities, over views.
    """
    was_training = network.training
    network.eval()
    sums: Tensor | None = None
    num_done = 0
    with torch.inference_mode():
        for clip in range(settings.clips):
            rows = []
            for batch in source.view_batches(
                clip, settings.clips, settings.batch_size, processes.rank, processes.world_size
            ):
                # A clip is read once for all of its crops. To the CPU at once: the scores of a large part need not stay
                # on the GPU.
                crops = torch.stack([predict(batch, crop).float() for crop in range(settings.crops)])
                rows.append(crops.sum(dim=0).cpu())
                num_done += len(batch.labels)
                # This process's share of the videos may be one larger than that of others.
                progress(min(1.0, num_done * processes.world_size / (len(source) * settings.clips)))
            if not rows:
                break  # fewer videos than processes
            sums = torch.cat(rows) if sums is None else sums + torch.cat(rows)
    network.train(was_training)
    # This process's rows, (K,) each; `gather` puts those of all processes in the videos' order.
    own = [] if sums is None else list((sums / (settings.clips * settings.crops)).numpy())
    return Scores(
        videos=tuple(video.path for video in source.videos),
        labels=np.array([video.label for video in source.videos], dtype=np.int64),
        scores=np.stack(processes.gather(own)),
    )
