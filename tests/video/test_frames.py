"""Records refuse wrong shapes; errors survive the way between processes."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cdkd.video.frames import MOTION_UNITS_PER_PIXEL, GopRead, VideoError


def read() -> GopRead:
    return GopRead(
        iframe=np.zeros((6, 10, 3), np.uint8),
        motion=np.zeros((2, 6, 10, 2), np.int16),
        residual=np.zeros((2, 6, 10, 3), np.int16),
        intra=np.zeros((2, 1, 2), np.bool_),
        frames=np.zeros((1, 6, 10, 3), np.uint8),
        positions=(1, 4),
        frame_positions=(4,),
    )


def test_units() -> None:
    assert MOTION_UNITS_PER_PIXEL == 4


@pytest.mark.parametrize(
    ("name", "array", "text"),
    [
        ("motion", np.zeros((2, 6, 10, 3), np.int16), r"motion: expected \(2, 6, 10, 2\) int16, got \(2, 6, 10, 3\)"),
        ("motion", np.zeros((2, 6, 10, 2), np.float32), r"expected .* int16, got .* float32"),
        ("residual", np.zeros((1, 6, 10, 3), np.int16), r"residual: expected \(2, 6, 10, 3\)"),
        ("intra", np.zeros((2, 6, 10), np.bool_), r"intra: expected \(2, 1, 2\)"),
        ("frames", np.zeros((2, 6, 10, 3), np.uint8), r"frames: expected \(1, 6, 10, 3\)"),
        ("iframe", np.zeros((6, 10, 4), np.uint8), r"iframe: expected \(6, 10, 3\)"),
    ],
)
def test_wrong_shapes_are_refused(name: str, array: np.ndarray, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        replace(read(), **{name: array})


def test_residual_may_be_left_out_altogether() -> None:
    assert replace(read(), residual=np.zeros((0, 6, 10, 3), np.int16)).residual.size == 0


def test_errors_cross_process_borders() -> None:
    error = pickle.loads(pickle.dumps(VideoError(Path("a b.mp4"), "is empty")))
    assert (error.path, error.reason, str(error)) == (Path("a b.mp4"), "is empty", "a b.mp4: is empty")
