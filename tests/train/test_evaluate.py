"""Accuracies of scores."""

import numpy as np
import pytest

from cdkd.train.evaluate import Scores


def test_accuracy_counts_ties_against_the_label() -> None:
    scores = np.array([[3, 2, 1], [1, 3, 2], [1, 1, 1], [0, 5, 4]], dtype=np.float32)
    result = Scores(("a", "b", "c", "d"), np.array([0, 2, 0, 0]), scores)
    assert (result.accuracy(1), result.accuracy(2), result.accuracy(3)) == (25.0, 50.0, 100.0)


def test_cross_entropy_of_large_and_small_logits() -> None:
    scores = np.array([[0, np.log(3)], [1000, 0]], dtype=np.float32)
    # Of the first video the label has 1 of 4 parts, of the second practically none.
    assert Scores(("a", "b"), np.array([0, 1]), scores).cross_entropy == pytest.approx((np.log(4) + 1000) / 2)
