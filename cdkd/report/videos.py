"""Two rows compared video by video, from the scores that every evaluation stores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cdkd.report.statistics import MIN_SEEDS_TO_TEST, Interval
from cdkd.report.tracked import ReportError, Run
from cdkd.report.video_statistics import hierarchical_bootstrap

if TYPE_CHECKING:
    import pandas as pd

ScoreLoader = Callable[[str], "pd.DataFrame"]
"""Run id -> a line per test video: video, label, and a score per class (score_0, score_1, ... or one column scores)."""


@dataclass(frozen=True)
class VideoComparison:
    """A row against its baseline over the same test videos."""

    num_videos: int
    interval: Interval
    """95 % interval of the difference in points: seeds resampled, then videos."""


def correct_by_video(scores: "pd.DataFrame") -> dict[str, bool]:
    """Whether the highest score of each test video is its label's.

    Raises:
        ReportError: the scores lack a column, or a video stands there twice.
    """
    names = [name for name in scores.columns if str(name).startswith("score_")]
    names.sort(key=lambda name: int(str(name).removeprefix("score_")))
    if not {"video", "label"} <= set(scores.columns) or not (names or "scores" in scores.columns):
        raise ReportError("per-video scores need the columns video, label and score_0, score_1, ... (or scores)")
    if scores["video"].duplicated().any():
        raise ReportError(f"per-video scores name {scores['video'][scores['video'].duplicated()].iloc[0]} twice")
    matrix = scores[names].to_numpy() if names else np.stack([np.asarray(row) for row in scores["scores"]])
    correct = matrix.argmax(axis=1) == scores["label"].to_numpy()
    return dict(zip(scores["video"].astype(str), correct.tolist(), strict=True))


def compare_videos(
    row: Sequence[Run],
    baseline: Sequence[Run],
    outcomes: Callable[[str], Mapping[str, bool]],
    least_seeds: int = MIN_SEEDS_TO_TEST,
) -> VideoComparison | None:
    """Bootstrap over seeds and videos; None below `least_seeds` common seeds.

    Args:
        outcomes: run id -> whether each test video was classified right.
        least_seeds: with fewer than the default, what resampling them says of their spread is too narrow.

    Raises:
        ReportError: two runs were tested on different videos.
    """
    runs, others = ({run.seed: run for run in side if run.is_finished} for side in (row, baseline))
    seeds = sorted(runs.keys() & others.keys())
    if len(seeds) < least_seeds:
        return None
    videos: list[str] | None = None
    tables: list[list[NDArray[np.bool_]]] = [[], []]
    for seed in seeds:
        for side, run in enumerate((runs[seed], others[seed])):
            correct = outcomes(run.run_id)
            videos = sorted(correct) if videos is None else videos
            if sorted(correct) != videos:
                raise ReportError(f"run {run.run_id} was tested on other videos than the rest")
            tables[side].append(np.array([correct[video] for video in videos]))
    ours, theirs = np.stack(tables[0]), np.stack(tables[1])
    return VideoComparison(
        num_videos=ours.shape[1],
        interval=hierarchical_bootstrap(ours, theirs, np.random.default_rng(0)),
    )
