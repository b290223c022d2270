"""Costs against the published ones, and against a count by hand."""

import pytest
import torch
from torch import nn

from cdkd.models.complexity import count, student_complexity, teacher_complexity
from cdkd.settings import StudentSettings, TeacherSettings

PAPER = {"streams": "paper", "shift_div": 8}
BASELINE = {"decoder": False, "head": "streams"}


def test_a_count_by_hand():
    with torch.device("meta"):
        convolution = nn.Conv2d(3, 5, 3, padding=1, bias=False)
        network = nn.Sequential(convolution, nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(210, 11))
    cost = count(network, ((2, 3, 6, 7),))
    assert cost.multiply_adds_per_view == 2 * (5 * 6 * 7 * 3 * 9 + 210 * 11)
    assert cost.parameters == 5 * 3 * 9 + 10 + 210 * 11 + 11


def _student(num_gops=1, frames_per_gop=6, **settings):
    return student_complexity(
        StudentSettings(**settings),
        num_classes=400,
        num_gops=num_gops,
        frames_per_gop=frames_per_gop,
        teacher_channels=2048,
        size=224,
    ).gmacs_per_view


def test_the_papers_students():
    # Three ResNet-50 over one I-frame and six pairs: 4.089 + 6 * (4.089 + 4.050).
    assert _student(**PAPER, **BASELINE) == pytest.approx(4.089 + 6 * (4.089 + 4.050), rel=1e-3)
    assert _student(**PAPER, **BASELINE) == pytest.approx(52.5, rel=0.02)
    assert _student(**PAPER) == pytest.approx(58.0, rel=0.02)
    assert _student(**PAPER) == pytest.approx(58.3, rel=0.02)


def test_the_presets():
    assert _student(streams="lite", **BASELINE) == pytest.approx(25.6, abs=0.05)
    assert _student(3, 2, **PAPER, **BASELINE) == pytest.approx(61.1, abs=0.05)
    assert _student(8, 1, **PAPER, **BASELINE) == pytest.approx(97.8, abs=0.05)


@pytest.mark.parametrize(
    ("arch", "num_segments", "published"),
    [("tsm", 8, 32.70), ("tsm", 16, 65.41), ("tdn", 8, 35.64), ("tdn", 16, 71.28)],
)
def test_the_published_teachers(arch, num_segments, published):
    settings = TeacherSettings(arch=arch, backbone="resnet50", shift_div=8)
    cost = teacher_complexity(settings, num_classes=400, num_segments=num_segments, size=224)
    assert cost.gmacs_per_view == pytest.approx(published, abs=0.01)


def test_torchvisions_own_figure_for_mvit():
    cost = teacher_complexity(TeacherSettings(arch="mvit_v2_s"), num_classes=400, num_segments=16, size=224)
    assert cost.gmacs_per_view == pytest.approx(64.224, abs=0.01)
    assert cost.parameters == 34_537_744
