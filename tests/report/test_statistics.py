"""Statistics against hand-computed literals and slow independent versions."""

import itertools
import random

import numpy as np
import pytest
import scipy.stats

from cdkd.report.statistics import (
    Interval,
    exact_mcnemar,
    holm,
    mean,
    paired_bootstrap,
    paired_difference,
    resolution_half_width,
    sample_deviation,
    sign_flip_p_value,
    t_interval,
)


def test_mean_and_sample_deviation() -> None:
    # Deviations from 62 are -2, 0, 2: (4 + 0 + 4) / 2 = 4.
    assert mean([60.0, 62.0, 64.0]) == 62.0
    assert sample_deviation([60.0, 62.0, 64.0]) == 2.0
    assert sample_deviation([60.0]) is None


def test_paired_difference_uses_common_seeds_only() -> None:
    result = paired_difference({0: 70.0, 1: 72.0, 2: 71.0, 9: 10.0}, {2: 69.0, 1: 68.0, 0: 65.0, 3: 50.0})
    assert result is not None and result.interval is not None
    # Differences 5, 4, 2: mean 11/3, variance 7/3, t(2 degrees) = 4.302653.
    assert result.mean == pytest.approx(11 / 3)
    assert result.num_pairs == 3
    assert result.interval.low == pytest.approx(11 / 3 - 4.302653 * (7 / 9) ** 0.5, abs=1e-5)
    assert result.interval.high == pytest.approx(11 / 3 + 4.302653 * (7 / 9) ** 0.5, abs=1e-5)
    assert result.p_value is None


def test_one_pair_has_no_interval_and_none_has_no_difference() -> None:
    single = paired_difference({4: 70.0}, {4: 65.5})
    assert single is not None
    assert (single.mean, single.num_pairs, single.interval, single.p_value) == (4.5, 1, None, None)
    assert paired_difference({0: 70.0}, {1: 65.0}) is None


def test_t_interval_agrees_with_scipy_stats() -> None:
    values = [1.5, -0.25, 3.0, 2.0, 0.5]
    low, high = scipy.stats.t.interval(0.95, 4, np.mean(values), scipy.stats.sem(values))
    interval = t_interval(values)
    assert interval is not None
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))


def test_five_seeds_are_too_few_to_test_and_six_are_enough() -> None:
    five = paired_difference(dict.fromkeys(range(5), 70.0), dict.fromkeys(range(5), 60.0))
    six = paired_difference(dict.fromkeys(range(6), 70.0), dict.fromkeys(range(6), 60.0))
    assert five is not None and five.p_value is None
    assert six is not None and six.p_value == 2 / 2**6


def test_sign_flip_by_enumeration() -> None:
    differences = [0.5, -0.1, 1.2, 0.3, 0.8, -0.4, 0.3]
    observed = abs(sum(differences))
    patterns = list(itertools.product((1, -1), repeat=7))
    extreme = sum(abs(sum(s * d for s, d in zip(p, differences, strict=True))) >= observed - 1e-9 for p in patterns)
    assert sign_flip_p_value(differences) == extreme / 2**7
    assert 0.0 < extreme / 2**7 < 1.0


def test_sign_flip_of_many_pairs_is_drawn() -> None:
    generator = random.Random(3)
    differences = [generator.gauss(0.35, 1.0) for _ in range(24)]
    exact_like = scipy.stats.permutation_test(
        (differences,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples",
        n_resamples=40_000, vectorized=True, random_state=5,
    ).pvalue  # fmt: skip
    assert sign_flip_p_value(differences) == pytest.approx(exact_like, abs=0.01)


@pytest.mark.parametrize("count", [63, 64, 150])
def test_sign_flip_of_more_pairs_than_a_number_has_bits(count: int) -> None:
    assert sign_flip_p_value([1.0] * count) == 0.0
    # Half of them +1: a sum of 0 is the least extreme. Two more: P(|sum| >= 4), twice the binomial's tail.
    assert sign_flip_p_value([1.0] * (count // 2) + [-1.0] * (count - count // 2)) == pytest.approx(1.0)
    row = [1.0] * (count // 2 + 2) + [-1.0] * (count - count // 2 - 2)
    expected = 2 * scipy.stats.binom.cdf(count - count // 2 - 2, count, 0.5)
    assert sign_flip_p_value(row) == pytest.approx(expected, abs=0.003)


def test_holm_by_hand() -> None:
    # Sorted .01, .03, .04 times 3, 2, 1 gives .03, .06, .04; no step may go down, so .04 becomes .06.
    assert holm([0.01, 0.04, None, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06)]
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([None]) == [None]


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


def test_bootstrap_agrees_with_plain_resampling() -> None:
    generator = np.random.default_rng(11)
    row, baseline = generator.random((3, 60)) < 0.7, generator.random((3, 60)) < 0.55
    interval = paired_bootstrap(row, baseline, np.random.default_rng(1), num_resamples=20_000)
    draws = []
    for _ in range(20_000):
        seeds, videos = generator.integers(0, 3, 3), generator.integers(0, 60, 60)
        draws.append(100 * (row[seeds][:, videos].mean() - baseline[seeds][:, videos].mean()))
    low, high = np.percentile(draws, (2.5, 97.5))
    assert interval.low == pytest.approx(low, abs=0.7)
    assert interval.high == pytest.approx(high, abs=0.7)


def test_bootstrap_of_certain_outcomes() -> None:
    right, wrong = np.ones((2, 5), dtype=bool), np.zeros((2, 5), dtype=bool)
    assert paired_bootstrap(right, wrong, np.random.default_rng(0)) == Interval(100.0, 100.0)
    assert paired_bootstrap(right, right, np.random.default_rng(0)) == Interval(0.0, 0.0)


def test_different_videos_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 5\) and \(2, 4\)"):
        paired_bootstrap(np.ones((2, 5), dtype=bool), np.ones((2, 4), dtype=bool), np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"\(5,\) and \(4,\)"):
        exact_mcnemar(np.ones(5, dtype=bool), np.ones(4, dtype=bool))


@pytest.mark.parametrize(
    ("num_videos", "accuracy", "points"), [(1530, 73.5, 2.2), (3783, 95.8, 0.6), (24777, 62.8, 0.6), (100, 50.0, 9.8)]
)
def test_resolution_of_a_test_split(num_videos: int, accuracy: float, points: float) -> None:
    assert round(resolution_half_width(num_videos, accuracy), 1) == points
