"""Paired comparisons over seeds: differences with intervals and tests, corrected within a family."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

LEVEL = 0.05
"""A p below it counts; intervals hold 1 - LEVEL."""
MIN_SEEDS_TO_TEST = next(n for n in count(2) if 2.0 ** (1 - n) < LEVEL)
"""6: with fewer pairs no test without a distribution can go below LEVEL, and a t-test would rest on normality alone."""
MAX_SEEDS_ENUMERATED = 20
"""Above it, all 2^n sign patterns are too many, and 2^20 are drawn instead."""
POWER = 0.8
"""How probable it is to be that a difference of the asked size is found (`seeds_to_resolve`)."""

_SIGNS_PER_DRAW = 63
"""Signs are the bits of drawn 64-bit integers, which are not negative."""
_SIGNS_PER_TABLE = 16
SMALLEST_P = float(np.finfo(np.float64).tiny)
"""Where all differences are the same to the last bit, t is infinite; a p is never 0 all the same."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval in points of accuracy."""

    low: float
    high: float
    is_open_at_zero: bool = False
    """The bound that is 0 does not belong to it."""

    @property
    def excludes_zero(self) -> bool:
        """The difference has a sign."""
        return self.low > 0 or self.high < 0 or self.is_open_at_zero


@dataclass(frozen=True)
class PairedDifference:
    """A row minus its baseline, over the seeds that both have."""

    mean: float
    """Points of accuracy."""
    num_pairs: int
    deviation: float | None
    """Sample standard deviation of the differences in points; None below two pairs."""
    interval: Interval | None
    """Of the mean: Student's t interval of this row alone, or, where there is a p, simultaneous over the family. None
    below two pairs."""
    p_value: float | None
    """Two-sided paired t-test, once `correct_family` has seen it with Holm's correction; None below six pairs."""
    sign_flip_p: float | None
    """The same by the two-sided sign-flip test, which assumes no distribution."""


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
    is_tested = len(differences) >= MIN_SEEDS_TO_TEST
    return PairedDifference(
        mean=mean(differences),
        num_pairs=len(differences),
        deviation=sample_deviation(differences),
        interval=t_interval(differences),
        p_value=t_test_p_value(differences) if is_tested else None,
        sign_flip_p=sign_flip_p_value(differences) if is_tested else None,
    )


def t_interval(values: Sequence[float], num_tests: int = 1) -> Interval | None:
    """95 % interval of the mean by Student's t with n - 1 degrees of freedom; None below two values.

    Args:
        values: one per seed.
        num_tests: as one of so many that hold together (Bonferroni).
    """
    deviation = sample_deviation(values)
    return None if deviation is None else _t_interval(mean(values), deviation, len(values), num_tests)


def _t_interval(centre: float, deviation: float, num_values: int, num_tests: int) -> Interval:
    # scipy.special alone: scipy.stats takes a second to import.
    from scipy.special import stdtrit

    # t's 97.5 % point for one test: 2.5 % are left out on either side.
    point = float(stdtrit(num_values - 1, 1 - LEVEL / (2 * num_tests)))
    half_width = point * deviation / math.sqrt(num_values)
    return Interval(centre - half_width, centre + half_width)


def t_test_p_value(differences: Sequence[float]) -> float:
    """Two-sided paired t-test of "the mean difference is 0" on at least two differences.

    Raises:
        ValueError: fewer than two.
    """
    from scipy.special import stdtr

    deviation = sample_deviation(differences)
    if deviation is None:
        raise ValueError("a t-test needs at least two differences")
    centre = abs(mean(differences))
    if deviation == 0.0:
        return SMALLEST_P if centre else 1.0
    statistic = centre / (deviation / math.sqrt(len(differences)))
    return max(SMALLEST_P, 2 * float(stdtr(len(differences) - 1, -statistic)))


def sign_flip_p_value(differences: Sequence[float]) -> float:
    """Two-sided permutation test of "the difference's sign is a coin toss": share of sign patterns at least as extreme.

    Exact up to 20 differences; above, over 2^20 patterns drawn with a fixed seed and the observed one, so that it is
    never 0.
    """
    # Under the null hypothesis each difference might as well have the other sign, so the signs that it has do not
    # count.
    values = np.abs(np.asarray(differences, dtype=np.float64))
    num_values = len(values)
    observed = abs(float(np.sum(np.asarray(differences, dtype=np.float64))))
    is_enumerated = num_values <= MAX_SEEDS_ENUMERATED
    sums = _signed_sums(values) if is_enumerated else _drawn_sums(values)
    # Sums that are equal on paper may differ in their last bit.
    num_extreme = int(np.count_nonzero(np.abs(sums) >= observed - 1e-9 * max(observed, 1.0)))
    return num_extreme / len(sums) if is_enumerated else (num_extreme + 1) / (len(sums) + 1)


def _signed_sums(values: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The sums of n values (n,) under all patterns of signs (2^n,): bit k of an index is the sign of value k."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def _drawn_sums(values: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The sums of values (n,) under 2^20 drawn patterns of signs (2^20,).

    Looked up sixteen values at a time, which for 100 of them takes a twentieth of adding one after the other.
    """
    generator = np.random.default_rng(0)
    sums = np.zeros(2**MAX_SEEDS_ENUMERATED)
    for start in range(0, len(values), _SIGNS_PER_DRAW):
        signed = values[start : start + _SIGNS_PER_DRAW]
        drawn = generator.integers(0, 2 ** len(signed), size=len(sums), dtype=np.int64)
        for first in range(0, len(signed), _SIGNS_PER_TABLE):
            table = _signed_sums(signed[first : first + _SIGNS_PER_TABLE])
            sums += table[(drawn >> first) & (len(table) - 1)]
    return sums


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


def correct_family(differences: Sequence[PairedDifference | None]) -> list[PairedDifference | None]:
    """The differences of one family (one network, one question) with corrected p-values and simultaneous intervals.

    p-values are Holm's. Intervals are Bonferroni's, so that all of a family hold together with 95 %; where Holm's
    stepwise test finds a sign that Bonferroni's interval does not, the interval ends at 0 and leaves it out. So an
    interval excludes 0 exactly where its p is below 0.05. What was not tested stays as it is.
    """
    tested = [each for each in differences if each is not None and each.p_value is not None]
    p_values = holm([each.p_value if each else None for each in differences])
    sign_flips = holm([each.sign_flip_p if each else None for each in differences])
    return [
        each
        if each is None or p is None
        else replace(each, p_value=p, sign_flip_p=flip, interval=_simultaneous(each, p, len(tested)))
        for each, p, flip in zip(differences, p_values, sign_flips, strict=True)
    ]


def _simultaneous(difference: PairedDifference, p_value: float, num_tests: int) -> Interval:
    assert difference.deviation is not None
    interval = _t_interval(difference.mean, difference.deviation, difference.num_pairs, num_tests)
    if p_value >= LEVEL or interval.excludes_zero:
        return interval
    return Interval(0.0, interval.high, True) if difference.mean > 0 else Interval(interval.low, 0.0, True)


def sign_flip_can_decide(num_pairs: int, num_tests: int) -> bool:
    """The smallest p that so many pairs allow, 2^(1-n), is below 0.05 after the correction for a family."""
    return num_tests * 2.0 ** (1 - num_pairs) < LEVEL


def seeds_to_resolve(difference: float, deviation: float, num_tests: int = 1, most: int = 1000) -> int | None:
    """How many paired seeds find a difference with 80 % probability, by the t-test of a family.

    Args:
        difference: the true one that is to be found, in points.
        deviation: of the paired differences, in points.
        num_tests: size of the family (Bonferroni's level).
        most: more are not looked at.

    Returns:
        At least `MIN_SEEDS_TO_TEST`; None where `most` seeds do not suffice.
    """
    from scipy.special import nctdtr, stdtrit

    for num_seeds in range(MIN_SEEDS_TO_TEST, most + 1):
        if deviation == 0.0:
            return num_seeds
        critical = float(stdtrit(num_seeds - 1, 1 - LEVEL / (2 * num_tests)))
        shift = abs(difference) / deviation * math.sqrt(num_seeds)
        # The other side, where the wrong sign is found, adds nothing worth counting.
        if 1 - float(nctdtr(num_seeds - 1, shift, critical)) >= POWER:
            return num_seeds
    return None
