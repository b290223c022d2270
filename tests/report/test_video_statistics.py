"""Comparisons over test videos against hand-computed literals, scipy, and plain resampling."""

import numpy as np
import pytest
import scipy.stats

from cdkd.report.statistics import Interval
from cdkd.report.video_statistics import exact_mcnemar, hierarchical_bootstrap, resolution_half_width


def test_mcnemar_by_hand() -> None:
    row = np.array([True] * 10 + [False] * 2 + [True] * 30 + [False] * 7)
    baseline = np.array([False] * 10 + [True] * 2 + [True] * 30 + [False] * 7)
    result = exact_mcnemar(row, baseline)
    assert (result.num_only_row, result.num_only_baseline) == (10, 2)
    # 2 * (C(12,0) + C(12,1) + C(12,2)) / 2^12
    assert result.p_value == 2 * (1 + 12 + 66) / 4096
    assert exact_mcnemar(row, row).p_value == 1.0


def test_mcnemar_of_many_disagreements_agrees_with_the_binomial_test() -> None:
    row = np.array([True] * 1500 + [False] * 1400)
    result = exact_mcnemar(row, ~row)
    assert result.p_value == pytest.approx(scipy.stats.binomtest(1500, 2900).pvalue, rel=1e-9)


def test_mcnemar_is_never_zero() -> None:
    row = np.ones(3000, dtype=bool)
    assert 0.0 < exact_mcnemar(row, ~row).p_value < 1e-300


def test_bootstrap_agrees_with_plain_resampling() -> None:
    generator = np.random.default_rng(11)
    row, baseline = generator.random((3, 60)) < 0.7, generator.random((3, 60)) < 0.55
    interval = hierarchical_bootstrap(row, baseline, np.random.default_rng(1), num_resamples=20_000)
    draws = []
    for _ in range(20_000):
        seeds, videos = generator.integers(0, 3, 3), generator.integers(0, 60, 60)
        draws.append(100 * (row[seeds][:, videos].mean() - baseline[seeds][:, videos].mean()))
    low, high = np.percentile(draws, (2.5, 97.5))
    assert interval.low == pytest.approx(low, abs=0.7)
    assert interval.high == pytest.approx(high, abs=0.7)


def test_bootstrap_of_certain_outcomes() -> None:
    right, wrong = np.ones((2, 5), dtype=bool), np.zeros((2, 5), dtype=bool)
    assert hierarchical_bootstrap(right, wrong, np.random.default_rng(0)) == Interval(100.0, 100.0)
    assert hierarchical_bootstrap(right, right, np.random.default_rng(0)) == Interval(0.0, 0.0)


def test_different_videos_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 5\) and \(2, 4\)"):
        hierarchical_bootstrap(np.ones((2, 5), dtype=bool), np.ones((2, 4), dtype=bool), np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"\(5,\) and \(4,\)"):
        exact_mcnemar(np.ones(5, dtype=bool), np.ones(4, dtype=bool))


@pytest.mark.parametrize(
    ("num_videos", "accuracy", "points"), [(1530, 73.5, 2.2), (3783, 95.8, 0.6), (24777, 62.8, 0.6), (100, 50.0, 9.8)]
)
def test_resolution_of_a_test_split(num_videos: int, accuracy: float, points: float) -> None:
    assert round(resolution_half_width(num_videos, accuracy), 1) == points


def test_bootstrap_of_one_seed_is_scipys_bca_over_videos() -> None:
    generator = np.random.default_rng(7)
    # Far from the middle, where bias and skewness move the interval.
    row, baseline = generator.random((1, 80)) < 0.97, generator.random((1, 80)) < 0.88
    signed = (row.astype(float) - baseline.astype(float))[0]
    expected = scipy.stats.bootstrap((signed,), np.mean, n_resamples=40_000, method="BCa", random_state=3)
    interval = hierarchical_bootstrap(row, baseline, np.random.default_rng(1), num_resamples=40_000)
    # A video is worth 1.25 points, and both ends are multiples of it.
    assert interval.low == pytest.approx(100 * expected.confidence_interval.low, abs=1.26)
    assert interval.high == pytest.approx(100 * expected.confidence_interval.high, abs=1.26)
