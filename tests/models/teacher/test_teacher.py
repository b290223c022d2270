"""Teachers: one interface, and one that cannot learn."""

import pytest
import torch

from cdkd.models.teacher.teacher import FrozenTeacher, Teacher, build_teacher, resize_maps
from cdkd.settings import TEACHERS, TeacherSettings


def _teacher(**settings):
    return build_teacher(TeacherSettings(**settings), num_classes=5, num_segments=3)


@pytest.mark.parametrize(("arch", "window"), [("tsm", 1), ("tdn", 5)])
def test_every_architecture_follows_one_interface(arch, window):
    teacher = _teacher(arch=arch)
    assert (teacher.window, teacher.num_segments, teacher.num_features) == (window, 3, 64)
    output = teacher(torch.randn(2, 3, window, 3, 32, 48))
    assert output.logits.shape == (2, 5)
    assert output.maps.shape == (2, 3, 64, 2, 3)


@pytest.mark.parametrize("arch", TEACHERS)
def test_every_line_of_the_table_builds_a_teacher(arch):
    with torch.device("meta"):
        teacher = build_teacher(TeacherSettings(arch=arch), num_classes=5, num_segments=3)
    assert isinstance(teacher, Teacher)
    assert (teacher.window, teacher.num_segments) == (5 if arch == "tdn" else 1, 3)
    widths = {"tsm": 64, "tdn": 64, "mvit_v2_s": 768, "swin3d_t": 768, "s3d": 1024, "r2plus1d_18": 512}
    assert teacher.num_features == widths[arch]


def test_settings_reach_the_network():
    teacher = _teacher(arch="tsm", shift_div=8, dropout=0.3)
    assert teacher.encoder.backbone.layer1[0].before.shift_div == 8
    assert teacher.head.dropout.p == 0.3
    assert _teacher(arch="tdn", num_segments=8).encoder.mixing == (0.5, 0.5)


@pytest.mark.parametrize("arch", ["tsm", "tdn"])
def test_a_frozen_teacher_cannot_change(arch):
    teacher = FrozenTeacher(_teacher(arch=arch, dropout=0.5))
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    frames = torch.randn(2, 3, teacher.window, 3, 32, 32, requires_grad=True)
    teacher.train()
    output = teacher(frames)
    assert not any(module.training for module in teacher.modules())
    assert not output.logits.requires_grad
    assert not output.maps.requires_grad
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())


def test_a_loss_on_its_maps_reaches_the_student_only():
    teacher = FrozenTeacher(_teacher())
    student = torch.randn(2, 3, 64, 2, 2, requires_grad=True)
    (student * teacher(torch.randn(2, 3, 1, 3, 32, 32)).maps).sum().backward()
    assert student.grad.any()


def test_maps_are_brought_to_the_students_stride():
    frames = torch.randn(2, 3, 1, 3, 64, 96)
    teacher = _teacher().eval()
    whole = FrozenTeacher(teacher)(frames).maps
    assert whole.shape[3:] == (4, 6)
    halved = FrozenTeacher(teacher, map_stride=32)(frames).maps
    by_hand = (whole[..., ::2, ::2] + whole[..., ::2, 1::2] + whole[..., 1::2, ::2] + whole[..., 1::2, 1::2]) / 4
    torch.testing.assert_close(halved, by_hand)


def test_maps_grow_by_interpolation():
    column = torch.tensor([0.0, 4.0]).reshape(1, 1, 1, 2, 1)
    assert resize_maps(column, 4, 1).flatten().tolist() == [0.0, 1.0, 3.0, 4.0]
