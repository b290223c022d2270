"""Two rows compared video by video, from the scores that every evaluation stores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cdkd.report.protocol import has_own_videos
from cdkd.report.score_set import VideoScores
from cdkd.report.statistics import MIN_SEEDS_TO_TEST, Interval
from cdkd.report.tracked import ReportError, Run
from cdkd.report.video_statistics import hierarchical_bootstrap

if TYPE_CHECKING:
    import pandas as pd

ScoreLoader = Callable[[str], "pd.DataFrame"]
"""Run id -> a line per test video, as `video_scores` reads it."""


@dataclass(frozen=True)
class VideoOutcomes:
    """What is kept of one network's scores of N test videos: of hundreds of networks the logits would fill memory."""

    videos: tuple[str, ...]
    correct: NDArray[np.bool_]
    """(N,)"""


def outcomes_of(scores: VideoScores) -> VideoOutcomes:
    """Which videos a network gets right."""
    return VideoOutcomes(scores.videos, scores.correct)


@dataclass(frozen=True)
class VideoComparison:
    """A row against its baseline over the same test videos."""

    num_videos: int
    interval: Interval
    """95 % interval of the difference in points: seeds resampled, then videos."""


def compare_videos(
    row: Sequence[Run],
    baseline: Sequence[Run],
    outcomes: Callable[[str], VideoOutcomes],
    least_seeds: int = MIN_SEEDS_TO_TEST,
) -> VideoComparison | None:
    """Bootstrap over seeds and videos; None below `least_seeds` common seeds.

    None as well where each seed has videos of its own: seeds that are resampled resample videos then, and the interval
    over seeds says all that there is to say.

    Args:
        outcomes: run id -> what its network gets right.
        least_seeds: with fewer than the default, what resampling them says of their spread is too narrow.

    Raises:
        ReportError: two runs were tested on different videos.
    """
    runs, others = ({run.seed: run for run in side if run.is_finished} for side in (row, baseline))
    seeds = sorted(runs.keys() & others.keys())
    if len(seeds) < least_seeds or any(has_own_videos(run.settings) for run in row):
        return None
    videos: tuple[str, ...] | None = None
    tables: list[list[NDArray[np.bool_]]] = [[], []]
    for seed in seeds:
        for side, run in enumerate((runs[seed], others[seed])):
            found = outcomes(run.run_id)
            videos = found.videos if videos is None else videos
            if found.videos != videos:
                raise ReportError(f"run {run.run_id} was tested on other videos than the rest")
            tables[side].append(found.correct)
    ours, theirs = np.stack(tables[0]), np.stack(tables[1])
    return VideoComparison(
        num_videos=ours.shape[1],
        interval=hierarchical_bootstrap(ours, theirs, np.random.default_rng(0)),
    )
