"""A score ensemble: averages by hand, and who sees which frames."""

import pytest
import torch

from cdkd.models.errors import ModelError
from cdkd.models.outputs import TeacherOutput
from cdkd.models.teacher.consensus import TSM
from cdkd.models.teacher.ensemble import TeacherEnsemble
from cdkd.models.teacher.teacher import Teacher


class _Fixed(Teacher):
    """A teacher that answers with given logits and hands its frames back as maps."""

    num_features = 3

    def __init__(self, logits, num_segments, window=1):
        super().__init__()
        self.logits = torch.tensor([logits])
        self.num_segments = num_segments
        self.window = window

    def forward(self, frames):
        self.seen = frames[0, :, 0, 0, 0, 0].tolist()
        return TeacherOutput(self.logits, frames[:, :, 0])


def test_mean_of_logits_and_maps_of_the_first():
    members = [_Fixed([1.0, 3.0], 6), _Fixed([5.0, 4.0], 3)]
    frames = torch.arange(6.0).reshape(1, 6, 1, 1, 1, 1).expand(1, 6, 1, 3, 2, 2)
    output = TeacherEnsemble(members)(frames)
    assert output.logits.tolist() == [[3.0, 3.5]]
    assert torch.equal(output.maps, frames[:, :, 0])
    assert members[0].seen == [0, 1, 2, 3, 4, 5]
    assert members[1].seen == [1, 3, 5]


def test_real_teachers_of_different_length():
    ensemble = TeacherEnsemble([TSM("slim", 4, 6), TSM("slim", 4, 3)]).eval()
    output = ensemble(torch.randn(2, 6, 1, 3, 32, 48))
    assert output.logits.shape == (2, 4)
    assert output.maps.shape == (2, 6, 64, 2, 3)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "at least one"),
        ([_Fixed([0.0], 2), _Fixed([0.0], 2, window=5)], "windows of the same length, not of 1 and of 5 frames"),
        ([_Fixed([0.0], 2), _Fixed([0.0], 3)], "the most segments, not 2 where another has 3"),
    ],
)
def test_members_that_do_not_go_together_are_refused(members, message):
    with pytest.raises(ModelError, match=message):
        TeacherEnsemble(members)
