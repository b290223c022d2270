"""torchvision's video networks behind the teachers' interface, compared with torchvision's own forward."""

import pytest
import torch
import torchvision

from cdkd.models.errors import ModelError
from cdkd.models.teacher.teacher import build_teacher
from cdkd.models.teacher.video_models import VIDEO_MODELS, VideoTeacher, align_time, spread_frames
from cdkd.settings import TeacherSettings

# T equals the number of frames the network is fed with, so that torchvision sees the same clip.
CASES = {"mvit_v2_s": 224, "swin3d_t": 64, "s3d": 224, "r2plus1d_18": 48}


@pytest.mark.parametrize("arch", list(CASES))
def test_logits_equal_torchvisions(arch):
    size = CASES[arch]
    model = VIDEO_MODELS[arch]
    torch.manual_seed(0)
    theirs = getattr(torchvision.models.video, arch)(weights=None, num_classes=6).eval()
    ours = VideoTeacher(arch, num_classes=6, num_segments=model.num_input_frames).eval()
    state = theirs.state_dict()
    head = {key: value for key, value in state.items() if key.startswith(f"{model.head}.")}
    ours.trunk.load_state_dict({key: value for key, value in state.items() if key not in head})
    ours.fc.weight.data = head[f"{model.head}.weight"].flatten(1)
    ours.fc.bias.data = head[f"{model.head}.bias"]
    pictures = torch.rand(1, model.num_input_frames, 3, size, size)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    own_mean, own_std = torch.tensor(model.mean).view(3, 1, 1), torch.tensor(model.std).view(3, 1, 1)
    with torch.no_grad():
        expected = theirs(((pictures - own_mean) / own_std).transpose(1, 2))
        output = ours(((pictures - mean) / std).unsqueeze(2))
    torch.testing.assert_close(output.logits, expected, rtol=1e-3, atol=1e-4)
    assert output.maps.shape[:3] == (1, model.num_input_frames, model.num_features)


@pytest.mark.parametrize(("arch", "stride"), [("swin3d_t", 32), ("s3d", 32), ("r2plus1d_18", 16)])
def test_maps_of_t_time_steps_whatever_the_network_takes(arch, stride):
    teacher = build_teacher(TeacherSettings(arch=arch), num_classes=7, num_segments=3).eval()
    with torch.no_grad():
        output = teacher(torch.randn(2, 3, 1, 3, 64, 96))
    assert output.logits.shape == (2, 7)
    assert output.maps.shape == (2, 3, teacher.num_features, 64 // stride, 96 // stride)


def test_time_steps_spread_over_input_frames():
    assert spread_frames(6, 16) == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5]
    assert spread_frames(4, 2) == [0, 2]


def test_time_is_aligned_by_the_centres_of_the_steps():
    # Two steps over six time steps: centres at 1.5 and 4.5 of 0.5, 1.5, ..., 5.5; constant beyond them.
    maps = torch.tensor([0.0, 3.0]).reshape(1, 1, 2, 1, 1)
    assert align_time(maps, 6).flatten().tolist() == pytest.approx([0, 0.0, 1, 2, 3, 3], abs=1e-6)
    steps = torch.arange(2 * 3 * 4 * 5 * 7.0).reshape(2, 3, 4, 5, 7)
    assert torch.equal(align_time(steps, 4), steps.transpose(1, 2))


def test_maps_follow_the_order_of_time():
    teacher = build_teacher(TeacherSettings(arch="r2plus1d_18"), num_classes=7, num_segments=4).eval()
    frames = torch.zeros(1, 4, 1, 3, 32, 32)
    still = torch.zeros(1, 4, 1, 3, 32, 32)
    frames[:, 3] = 5.0
    with torch.no_grad():
        change = (teacher(frames).maps - teacher(still).maps).abs().mean(dim=(0, 2, 3, 4))
    assert change[0] < change[3]


def test_random_weights_are_determined_by_the_generator():
    teacher = VideoTeacher("r2plus1d_18", 3, 2)
    torch.manual_seed(5)
    teacher.reset_parameters()
    first = {name: tensor.clone() for name, tensor in teacher.trunk.state_dict().items()}
    teacher.reset_parameters()
    assert not torch.equal(first["stem.0.weight"], teacher.trunk.state_dict()["stem.0.weight"])
    torch.manual_seed(5)
    teacher.reset_parameters()
    assert all(torch.equal(tensor, first[name]) for name, tensor in teacher.trunk.state_dict().items())


def test_an_unknown_network_lists_the_known_ones():
    with pytest.raises(ModelError, match="known: mvit_v2_s, swin3d_t, s3d, r2plus1d_18"):
        VideoTeacher("i3d", 3, 2)
