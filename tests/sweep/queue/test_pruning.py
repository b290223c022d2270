"""Pruners on curves written by hand."""

from cdkd.sweep.queue.pruning import PastCurve, is_behind

FIVE = [PastCurve({1: 10.0 * number, 2: 20.0 * number}, is_finished=True) for number in range(1, 6)]


def test_the_median_of_five_that_have_ended_decides() -> None:
    # Their values after two epochs are 20, 40, 60, 80, 100.
    assert is_behind("median", {1: 29.0, 2: 59.0}, FIVE, 1, 4)
    assert not is_behind("median", {1: 29.0, 2: 60.0}, FIVE, 1, 4)
    # Four are too few, by Optuna's own rule; and one that was ended early is none of them.
    ended_early = PastCurve(FIVE[4].curve, is_finished=False)
    assert not is_behind("median", {1: 0.0, 2: 0.0}, [*FIVE[:4], ended_early], 1, 4)
    assert not is_behind("none", {1: 0.0, 2: 0.0}, FIVE, 1, 4)


def test_hyperband_lets_the_better_third_pass_each_rung() -> None:
    others = [PastCurve({step: float(number) for step in range(1, 10)}, is_finished=True) for number in range(30)]
    # 31 is in one of the brackets; whichever it is, the worst of all never reaches the last step and the best does.
    worst = [is_behind("hyperband", dict.fromkeys(range(1, last + 1), -1.0), others, 1, 9) for last in range(1, 10)]
    best = [is_behind("hyperband", dict.fromkeys(range(1, last + 1), 99.0), others, 1, 9) for last in range(1, 10)]
    assert any(worst) and not any(best)


def test_wilcoxon_compares_seed_by_seed_with_the_best() -> None:
    best = PastCurve({0: 60.0, 1: 61.0, 2: 62.0, 3: 63.0, 4: 64.0}, is_finished=True)
    # All four worse: p = 1/16, below 0.1. Three: p = 1/8.
    assert is_behind("wilcoxon", {0: 50.0, 1: 52.0, 2: 51.0, 3: 53.0}, [best], 0, 5)
    assert not is_behind("wilcoxon", {0: 50.0, 1: 52.0, 2: 51.0}, [best], 0, 5)
    assert not is_behind("wilcoxon", {0: 50.0, 1: 52.0, 2: 73.0, 3: 75.0}, [best], 0, 5)
