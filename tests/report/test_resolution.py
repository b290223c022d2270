"""How many seeds a study needs, from the spread so far."""

import numpy as np
import pytest
from support.report_runs import BOTH, PLAIN, SPATIAL, RunTable

from cdkd.report.resolution import advice_text, seed_advice
from cdkd.report.study_table import study_report
from cdkd.report.tracked import read_runs


def _rows(values: dict[str, list[float]]) -> RunTable:
    runs = RunTable()
    for name, settings in (("plain", PLAIN), ("spatial", SPATIAL), ("both", BOTH)):
        for seed, top1 in enumerate(values[name]):
            runs.add(settings, seed, top1, labels={"row": name})
    return runs


def test_spreads_are_pooled_and_the_power_is_what_was_asked_for() -> None:
    # Differences 5, 7, 6 with variance 1, and 8, 4 with variance 8: (2 x 1 + 1 x 8) / 3.
    runs = _rows({"plain": [60.0, 60.0, 60.0], "spatial": [65.0, 67.0, 66.0], "both": [68.0, 64.0]})
    advice = seed_advice(study_report("mine", read_runs(runs.frame())).rows, 2.0)
    assert advice is not None
    assert (advice.deviation, advice.num_rows, advice.num_tests) == (pytest.approx((10 / 3) ** 0.5), 2, 2)
    # By simulation: of many studies of so many seeds, tested at the level of two rows, 80 % find the 2 points.
    assert advice.num_seeds is not None
    generator = np.random.default_rng(0)
    drawn = generator.normal(2.0, advice.deviation, size=(20000, advice.num_seeds))
    t = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / advice.num_seeds**0.5)
    import scipy.stats

    critical = scipy.stats.t.ppf(1 - 0.05 / 4, advice.num_seeds - 1)
    assert 0.79 < np.mean(t > critical) < 0.88
    text = advice_text(advice)
    assert text.startswith("to find a difference of 2 points with 80 % probability, tested among 2 rows: ")
    assert text.endswith("deviate by 1.8 points from seed to seed (2 comparisons)")


def test_one_seed_has_no_spread() -> None:
    runs = _rows({"plain": [60.0], "spatial": [65.0], "both": [68.0]})
    assert seed_advice(study_report("mine", read_runs(runs.frame())).rows, 2.0) is None
