"""Paired comparisons of two rows: over seeds, and over test videos."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_SEEDS_TO_TEST = 6
"""A two-sided sign-flip test on n seeds cannot go below 2^(1-n): 5 seeds give 0.0625, 6 give 0.031."""
MAX_SEEDS_ENUMERATED = 20
"""Above it, all 2^n sign patterns are too many, and 2^20 are drawn instead."""

_SIGNS_PER_DRAW = 63
"""Signs are the bits of drawn 64-bit integers, which are not negative."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval in points of accuracy."""

    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """A row minus its baseline, over the seeds that both have."""

    mean: float
    """Points of accuracy."""
    num_pairs: int
    interval: Interval | None
    """Student's t interval of the mean; None below two pairs."""
    p_value: float | None
    """Two-sided sign-flip test; None below six pairs."""


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, summed without rounding errors."""
    return math.fsum(values) / len(values)


def sample_deviation(values: Sequence[float]) -> float | None:
    """Standard deviation with n - 1; None for one value, which has no spread."""
    if len(values) < 2:
        return None
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))


def paired_difference(row: Mapping[int, float], baseline: Mapping[int, float]) -> PairedDifference | None:
    """Compares two rows seed by seed.

    Args:
        row: accuracy in percent by seed.
        baseline: the same of the baseline row.

    Returns:
        None where no seed is common to both.
    """
    seeds = sorted(row.keys() & baseline.keys())
    if not seeds:
        return None
    differences = [row[seed] - baseline[seed] for seed in seeds]
    return PairedDifference(
        mean=mean(differences),
        num_pairs=len(differences),
        interval=t_interval(differences),
        p_value=sign_flip_p_value(differences) if len(differences) >= MIN_SEEDS_TO_TEST else None,
    )


def t_interval(values: Sequence[float]) -> Interval | None:
    """95 % interval of the mean by Student's t with n - 1 degrees of freedom; None below two values."""
    deviation = sample_deviation(values)
    if deviation is None:
        return None
    # scipy.special alone: scipy.stats takes a second to import.
    from scipy.special import stdtrit

    # t's 97.5 % point: 2.5 % are left out on either side.
    half_width = float(stdtrit(len(values) - 1, 0.975)) * deviation / math.sqrt(len(values))
    centre = mean(values)
    return Interval(centre - half_width, centre + half_width)


def sign_flip_p_value(differences: Sequence[float]) -> float:
    """Two-sided permutation test of "the difference's sign is a coin toss": share of sign patterns at least as extreme.

    Exact up to 20 differences; above, over 2^20 patterns drawn with a fixed seed.
    """
    # Under the null hypothesis each difference might as well have the other sign, so the signs that it has do not
    # count.
    values = np.abs(np.asarray(differences, dtype=np.float64))
    count = len(values)
    observed = abs(float(np.sum(np.asarray(differences, dtype=np.float64))))
    is_enumerated = count <= MAX_SEEDS_ENUMERATED
    generator = np.random.default_rng(0)
    # One sum for each pattern of signs: all patterns, or as many that were drawn.
    sums = np.zeros(2 ** min(count, MAX_SEEDS_ENUMERATED))
    for start in range(0, count, _SIGNS_PER_DRAW):
        signed = values[start : start + _SIGNS_PER_DRAW]
        numbers = 2 ** len(signed)
        # Bit k of a number is the sign of difference k: counting through the numbers goes through all patterns.
        drawn = np.arange(numbers) if is_enumerated else generator.integers(0, numbers, size=len(sums), dtype=np.int64)
        for position, value in enumerate(signed):
            sums += np.where((drawn >> position) & 1, value, -value)
    # Sums that are equal on paper may differ in their last bit.
    extreme = np.abs(sums) >= observed - 1e-9 * max(observed, 1.0)
    return float(np.mean(extreme))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction over the given tests; None (not tested) stays None and is not counted."""
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(order):
        # The smallest p is multiplied by the number of tests, the next by one less; none may fall below one before it.
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        adjusted[index] = largest
    return adjusted


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
    return McNemar(only_row, only_baseline, min(1.0, 2 * tail / 2**total))


def paired_bootstrap(
    row: NDArray[np.bool_],
    baseline: NDArray[np.bool_],
    generator: np.random.Generator,
    num_resamples: int = 4000,
) -> Interval:
    """95 % percentile interval of the difference: resamples seeds, then test videos, the same for both rows.

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
    # Videos with the same outcome on every seed are interchangeable: a draw of videos is a multinomial over outcomes.
    # (S, U): the U different columns of -1, 0, 1; a draw then takes U numbers, not N.
    outcomes, counts = np.unique(row.astype(np.int8) - baseline.astype(np.int8), axis=1, return_counts=True)
    video_counts = generator.multinomial(num_videos, counts / num_videos, size=num_resamples)
    seed_counts = generator.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=num_resamples)
    # How often each seed was drawn, times what came of it on each outcome, times how often that was drawn.
    differences = np.einsum("rs,su,ru->r", seed_counts, outcomes.astype(np.float64), video_counts, optimize=True)
    low, high = np.percentile(differences * 100 / (num_seeds * num_videos), (2.5, 97.5))
    return Interval(float(low), float(high))


def resolution_half_width(num_videos: int, accuracy_percent: float) -> float:
    """95 % half-width, in points, of one accuracy measured on `num_videos` test videos."""
    fraction = accuracy_percent / 100
    return 100 * 1.96 * math.sqrt(fraction * (1 - fraction) / num_videos)
