"""Accuracies of scores."""

import numpy as np

from cdkd.train.evaluate import Scores


def test_accuracy_counts_ties_against_the_label() -> None:
    scores = np.array([[3, 2, 1], [1, 3, 2], [1, 1, 1], [0, 5, 4]], dtype=np.float32)
    result = Scores(("a", "b", "c", "d"), np.array([0, 2, 0, 0]), scores)
    assert (result.accuracy(1), result.accuracy(2), result.accuracy(3)) == (25.0, 50.0, 100.0)
