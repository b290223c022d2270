"""Middles of equal segments, against a table written by hand."""

import pytest

from cdkd.segments import segment_middles


@pytest.mark.parametrize(
    ("length", "num_segments", "expected"),
    [
        (12, 3, (2, 6, 10)),
        (11, 6, (0, 2, 4, 6, 8, 10)),
        (7, 1, (3,)),
        (5, 5, (0, 1, 2, 3, 4)),
        (2, 3, (0, 1, 1)),
        (16, 8, (1, 3, 5, 7, 9, 11, 13, 15)),
    ],
)
def test_middles(length: int, num_segments: int, expected: tuple[int, ...]) -> None:
    assert segment_middles(length, num_segments) == expected
