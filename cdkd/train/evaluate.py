"""Scores of a part of a data set: logits averaged over test clips and crops."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from cdkd.data.clips.clip import ClipBatch
from cdkd.data.loading.dataset import ClipDataset
from cdkd.settings import EvaluationSettings
from cdkd.train.metrics import Scores
from cdkd.train.processes import ALONE, Processes

Predict = Callable[[ClipBatch, int], Tensor]
"""(batch, crop) -> logits (B, K)."""


def evaluate(
    network: nn.Module,
    predict: Predict,
    source: ClipDataset,
    settings: EvaluationSettings,
    processes: Processes = ALONE,
) -> Scores:
    """Every video of `source` through every view (test clips x crops), in eval mode and without gradient.

    The processes of a data-parallel training share the videos; each of them gets all scores.

    Source of the rule: TSM averages logits, not probabilities, over views.
    """
    was_training = network.training
    network.eval()
    sums: Tensor | None = None
    with torch.inference_mode():
        for clip in range(settings.clips):
            rows = [
                torch.stack([predict(batch, crop).float() for crop in range(settings.crops)]).sum(dim=0).cpu()
                for batch in source.view_batches(
                    clip, settings.clips, settings.batch_size, processes.rank, processes.world_size
                )
            ]
            if not rows:
                break  # fewer videos than processes
            sums = torch.cat(rows) if sums is None else sums + torch.cat(rows)
    network.train(was_training)
    own = [] if sums is None else list((sums / (settings.clips * settings.crops)).numpy())
    return Scores(
        videos=tuple(video.path for video in source.videos),
        labels=np.array([video.label for video in source.videos], dtype=np.int64),
        scores=np.stack(processes.gather(own)),
    )
