"""Paired comparisons over test videos: what two trained networks get right, and what a test set can resolve."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdkd.report.statistics import SMALLEST_P, Interval


@dataclass(frozen=True)
class McNemar:
    """Exact McNemar test of two networks on the same videos."""

    num_only_row: int
    """Videos that only the row's network gets right."""
    num_only_baseline: int
    p_value: float


def exact_mcnemar(row: NDArray[np.bool_], baseline: NDArray[np.bool_]) -> McNemar:
    """Two-sided binomial test on the videos where two networks disagree.

    Args:
        row: (N,) whether the row's network is right on each test video.
        baseline: (N,) the same of the baseline's network.

    Raises:
        ValueError: the two have different shapes.
    """
    if row.shape != baseline.shape:
        raise ValueError(f"the same videos are needed on both sides: {row.shape} and {baseline.shape}")
    only_row = int(np.count_nonzero(row & ~baseline))
    only_baseline = int(np.count_nonzero(baseline & ~row))
    total = only_row + only_baseline
    # Integers, since 2^total overflows a float above about 1,000 disagreements.
    # `patterns` is total over k, each from the one before: choose(n, k + 1) = choose(n, k) * (n - k) / (k + 1), a whole
    # number every time.
    tail, patterns = 0, 1
    for k in range(min(only_row, only_baseline) + 1):
        tail += patterns
        patterns = patterns * (total - k) // (k + 1)
    # Of some thousand disagreements on one side the quotient is below every float; a p is never 0 all the same.
    return McNemar(only_row, only_baseline, max(SMALLEST_P, min(1.0, 2 * tail / 2**total)))


def hierarchical_bootstrap(
    row: NDArray[np.bool_],
    baseline: NDArray[np.bool_],
    generator: np.random.Generator,
    num_resamples: int = 4000,
) -> Interval:
    """95 % BCa interval of the difference: resamples seeds, then test videos, the same for both rows.

    Bias-corrected and accelerated (Efron 1987); the acceleration comes from the influence of each seed and of each
    video on the mean.

    Args:
        row: (S, N) whether seed s of the row is right on video n.
        baseline: (S, N) the same of the baseline, seeds and videos in the same order.

    Returns:
        Points of accuracy.

    Raises:
        ValueError: the two have different shapes.
    """
    if row.shape != baseline.shape:
        raise ValueError(f"the same seeds and videos are needed on both sides: {row.shape} and {baseline.shape}")
    num_seeds, num_videos = row.shape
    signed = row.astype(np.int8) - baseline.astype(np.int8)
    # Videos with the same outcome on every seed are interchangeable: a draw of videos is a multinomial over outcomes.
    # (S, U): the U different columns of -1, 0, 1; a draw then takes U numbers, not N.
    outcomes, counts = np.unique(signed, axis=1, return_counts=True)
    video_counts = generator.multinomial(num_videos, counts / num_videos, size=num_resamples)
    seed_counts = generator.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=num_resamples)
    # How often each seed was drawn, times what came of it on each outcome, times how often that was drawn.
    sums = np.einsum("rs,su,ru->r", seed_counts, outcomes.astype(np.float64), video_counts, optimize=True)
    differences = sums * 100 / (num_seeds * num_videos)
    low, high = np.percentile(differences, _bca_percentiles(signed.astype(np.float64), differences))
    return Interval(float(low), float(high))


def _bca_percentiles(signed: NDArray[np.float64], differences: NDArray[np.float64]) -> tuple[float, float]:
    """Which percentiles of the resampled `differences` (R,) bound the interval; `signed` is (S, N) of -1, 0, 1."""
    from scipy.special import ndtr, ndtri

    observed = signed.mean()
    # 1. Bias: how far the observed difference lies from the middle of the resampled ones; ties count half.
    centred = differences - 100 * observed
    below = np.mean(centred < -1e-9) + np.mean(np.abs(centred) <= 1e-9) / 2
    if below in (0.0, 1.0):
        return 2.5, 97.5
    bias = float(ndtri(below))
    # 2. Acceleration: skewness of the influences of seeds and of videos, which are drawn independently.
    influences = np.concatenate(
        [(signed.mean(axis=1) - observed) / signed.shape[0], (signed.mean(axis=0) - observed) / signed.shape[1]]
    )
    spread = float(np.sum(influences**2))
    acceleration = float(np.sum(influences**3)) / (6 * spread**1.5) if spread else 0.0

    def percentile(normal: float) -> float:
        shifted = bias + normal
        return 100 * float(ndtr(bias + shifted / (1 - acceleration * shifted)))

    edge = float(ndtri(0.975))
    return percentile(-edge), percentile(edge)


def resolution_half_width(num_videos: int, accuracy_percent: float) -> float:
    """95 % half-width, in points, of one accuracy measured on `num_videos` test videos."""
    fraction = accuracy_percent / 100
    return 100 * 1.96 * math.sqrt(fraction * (1 - fraction) / num_videos)
