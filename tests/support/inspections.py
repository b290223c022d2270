"""An inspection as a run keeps it, of sizes that all differ."""

from dataclasses import replace

import numpy as np

from cdkd.tracking.inspection import Inspection

_GATES = np.array([[1.0, 2.0, 0.5, 0.5]] * 5 + [[2.0, 1.0, 0.5, 0.5]], np.float32)


def an_inspection(teacher: bool = True, gate: bool = True) -> Inspection:
    """K = 3 classes, C = 1 confused video, E = 2 examples of s = 3 of T = 4 steps, N = 6 clips, M = 2 graphs.

    The teacher's graphs tell 100 and 50 %, the student's 60 and 40 %; in the teacher's plane all neighbours are of one
    class, in the student's none.
    """
    random = np.random.default_rng(0)

    def picture(*shape: int) -> np.ndarray:  # type: ignore[type-arg]
        return random.integers(0, 256, shape, dtype=np.uint8)

    edges = np.array([np.abs(np.subtract.outer(range(4), range(4)))] * 2, np.float32) / 3
    found = Inspection(
        classes=np.array(["cat", "dog", "horse"]),
        confused_videos=np.array(["dog/7.mp4"]),
        confused_labels=np.array([1]),
        confused_predictions=np.array([0]),
        confused_confidences=np.array([98.0], np.float32),
        confused_iframes=picture(1, 8, 9, 3),
        confused_motion=picture(1, 8, 9),
        confused_residual=picture(1, 8, 9),
        example_videos=np.array(["cat/1.mp4", "horse/2.mp4"]),
        example_labels=np.array([0, 2]),
        example_frames=picture(2, 3, 8, 9, 3),
        example_motion=picture(2, 3, 8, 9),
        example_residual=picture(2, 3, 8, 9),
        example_steps=np.array([0, 1, 3]),
        example_gates=_GATES[-2:],
        gates=_GATES,
        graphs=np.array(["plain", "gaussian"]),
        teacher_edges=edges,
        student_edges=np.stack([0.5 * edges[0], 0.75 * edges[1]]),
        teacher_tells=np.array([100.0, 50.0], np.float32),
        student_tells=np.array([60.0, 40.0], np.float32),
        labels=np.array([0, 0, 1, 1, 2, 2]),
        teacher_features=np.array([[0, 0], [0, 1], [9, 0], [9, 1], [0, 9], [0, 8]], np.float32),
        student_features=np.array([[0, 0], [9, 0], [0, 1], [9, 9], [9, 1], [8, 9]], np.float32),
        teacher_variance=np.array([0.5, 0.25], np.float32),
        student_variance=np.array([0.25, 0.125], np.float32),
    )
    if not teacher:
        found = replace(
            found,
            teacher_edges=np.zeros((0, 4, 4), np.float32),
            teacher_tells=np.zeros(0, np.float32),
            teacher_features=np.zeros((0, 2), np.float32),
            teacher_variance=np.zeros(0, np.float32),
        )
    if not gate:
        found = replace(found, gates=np.zeros((6, 0), np.float32), example_gates=np.zeros((2, 0), np.float32))
    return found
