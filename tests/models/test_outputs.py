"""What passes between stages refuses a wrong shape and says both."""

import pytest
import torch

from cdkd.models.errors import ModelError
from cdkd.models.outputs import StudentOutput, TeacherOutput


def test_fitting_shapes_pass():
    TeacherOutput(torch.zeros(2, 5), torch.zeros(2, 3, 4, 6, 7))
    StudentOutput(torch.zeros(2, 5))
    StudentOutput(torch.zeros(2, 5), torch.zeros(2, 3, 4, 6, 7), torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("logits", "maps", "message"),
    [
        ((2, 5, 1), (2, 3, 4, 6, 7), r"teacher logits: expected \(B, K\) = \(\*, \*\), got \(2, 5, 1\)"),
        ((2, 5), (3, 3, 4, 6, 7), r"teacher maps: expected \(B, T, C, H, W\) = \(2, \*, \*, \*, \*\), got \(3, 3"),
        ((2, 5), (2, 3, 4, 6), r"got \(2, 3, 4, 6\)"),
    ],
)
def test_a_teacher_of_wrong_shape_is_refused(logits, maps, message):
    with pytest.raises(ModelError, match=message):
        TeacherOutput(torch.zeros(logits), torch.zeros(maps))


@pytest.mark.parametrize(
    ("decoded", "gate", "message"),
    [
        ((3, 3, 4, 6, 7), None, "decoded maps: expected"),
        ((2, 3, 4, 6, 7), (2, 4), r"gate: expected \(B, T\) = \(2, 3\), got \(2, 4\)"),
        (None, (5, 4), r"gate: expected \(B, T\) = \(2, \*\), got \(5, 4\)"),
    ],
)
def test_a_student_of_wrong_shape_is_refused(decoded, gate, message):
    with pytest.raises(ModelError, match=message):
        StudentOutput(
            torch.zeros(2, 5),
            None if decoded is None else torch.zeros(decoded),
            None if gate is None else torch.zeros(gate),
        )
