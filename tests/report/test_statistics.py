"""Statistics against hand-computed literals and slow independent versions."""

import itertools
import random

import numpy as np
import pytest
import scipy.stats

from cdkd.report.statistics import (
    MIN_SEEDS_TO_TEST,
    PairedDifference,
    correct_family,
    holm,
    mean,
    paired_difference,
    sample_deviation,
    seeds_to_resolve,
    sign_flip_can_decide,
    sign_flip_p_value,
    t_interval,
    t_test_p_value,
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
    assert six is not None and six.sign_flip_p == 2 / 2**6
    # Equal to the last bit: t is infinite, and the p still no 0.
    assert six.p_value is not None and 0.0 < six.p_value < 1e-300
    assert MIN_SEEDS_TO_TEST == 6


def test_paired_t_agrees_with_scipy() -> None:
    row, baseline = [70.1, 68.4, 73.0, 71.7, 69.9, 72.2, 70.0], [69.0, 68.9, 70.1, 70.2, 69.8, 70.0, 70.4]
    differences = [a - b for a, b in zip(row, baseline, strict=True)]
    assert t_test_p_value(differences) == pytest.approx(scipy.stats.ttest_rel(row, baseline).pvalue, rel=1e-9)
    assert t_test_p_value([0.0] * 4) == 1.0
    with pytest.raises(ValueError, match="at least two"):
        t_test_p_value([1.0])


def _family(generator: random.Random, num_rows: int, num_seeds: int) -> list[PairedDifference | None]:
    rows = []
    for _ in range(num_rows):
        shift = generator.choice([0.0, 0.5, 1.0, 2.0])
        row = {seed: 70 + shift + generator.gauss(0, 1) for seed in range(num_seeds)}
        rows.append(paired_difference(row, dict.fromkeys(range(num_seeds), 70.0)))
    return rows


def test_an_interval_excludes_zero_exactly_where_its_p_is_small() -> None:
    generator = random.Random(1)
    seen = set()
    for _ in range(400):
        for each in correct_family(_family(generator, 4, 6)):
            assert each is not None and each.p_value is not None and each.interval is not None
            assert each.interval.excludes_zero == (each.p_value < 0.05)
            assert each.interval.low <= each.mean <= each.interval.high
            seen.add((each.p_value < 0.05, each.interval.is_open_at_zero))
    # Clear, not clear, and those that only the stepwise test decides.
    assert seen == {(True, False), (False, False), (True, True)}


def test_family_intervals_hold_together() -> None:
    # Four true nulls: the chance that any of the four intervals misses 0 is 5 %, so over 4,000 families 200 +- 14.
    draws = np.random.default_rng(4).normal(size=(4000, 4, 6))
    p_values = scipy.stats.ttest_1samp(draws, 0, axis=2).pvalue
    num_missed = 0
    for means, deviations, ps in zip(draws.mean(axis=2), draws.std(axis=2, ddof=1), p_values, strict=True):
        rows = zip(means.tolist(), deviations.tolist(), ps.tolist(), strict=True)
        corrected = correct_family([PairedDifference(m, 6, d, None, p, None) for m, d, p in rows])
        num_missed += any(each.interval.excludes_zero for each in corrected if each and each.interval)
    assert 150 < num_missed < 250


def test_an_effect_of_ten_points_is_found_with_six_seeds() -> None:
    effect = paired_difference({k: 80.0 + k % 2 for k in range(6)}, {k: 70.0 + (k % 3) / 2 for k in range(6)})
    none = [paired_difference({k: 70.0 + (-1) ** k for k in range(6)}, dict.fromkeys(range(6), 70.0))] * 7
    corrected = correct_family([effect, *none, None])[0]
    assert effect is not None and effect.p_value is not None
    assert corrected is not None and corrected.p_value == pytest.approx(8 * effect.p_value) and corrected.p_value < 0.05
    # The smallest p of the sign-flip test, 1/32, is nothing among eight: it needs nine seeds.
    assert corrected.sign_flip_p == 8 / 32
    assert [sign_flip_can_decide(n, 8) for n in (6, 8, 9)] == [False, False, True]


def test_seeds_to_resolve_agree_with_tables_of_power() -> None:
    # Cohen's table, two-sided 5 %, power 0.8: an effect of one deviation takes 10 pairs, of a half 34.
    assert seeds_to_resolve(1.0, 1.0) == 10
    assert seeds_to_resolve(-2.0, 4.0) == 34
    assert seeds_to_resolve(5.0, 1.0) == 6
    assert seeds_to_resolve(1.0, 0.0) == 6
    assert seeds_to_resolve(0.01, 5.0) is None
    by_hand = next(
        n for n in range(2, 99)
        if scipy.stats.nct.sf(scipy.stats.t.ppf(1 - 0.0125 / 2, n - 1), n - 1, n**0.5) >= 0.8
    )  # fmt: skip
    assert seeds_to_resolve(1.0, 1.0, num_tests=4) == by_hand


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
    # No drawn pattern is as extreme as the observed one, which counts.
    assert sign_flip_p_value([1.0] * count) == 1 / (2**20 + 1)
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
