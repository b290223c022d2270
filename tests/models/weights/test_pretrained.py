"""Where networks start from: their own random streams, and which given numbers go where."""

from urllib.error import URLError

import pytest
import torch
import torchvision
from torch import nn

from cdkd.models.errors import ModelError
from cdkd.models.student.student import build_student
from cdkd.models.teacher.consensus import TDN, TSM
from cdkd.models.teacher.video_models import VideoTeacher
from cdkd.models.weights.checkpoints import save_model
from cdkd.models.weights.pretrained import fit_stem, initialise, load_pretrained
from cdkd.settings import StudentSettings


def _changed(network, before):
    """Names of the tensors that are no longer what they were."""
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


def _copy_of(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _student(**settings):
    return build_student(StudentSettings(**settings), num_classes=5, num_gops=1, frames_per_gop=2, teacher_channels=24)


def test_a_stem_by_hand():
    kernel = torch.tensor([1.0, 2.0, 6.0]).reshape(1, 3, 1, 1)
    assert fit_stem(kernel, 3) is kernel
    assert fit_stem(kernel, 2).flatten().tolist() == [3.0, 3.0]
    assert fit_stem(kernel, 12).flatten().tolist() == [3.0] * 12


@pytest.fixture
def resnet18_file(tmp_path):
    torch.manual_seed(3)
    state = torchvision.models.resnet18().state_dict()
    torch.save(state, tmp_path / "resnet18.pth")
    return str(tmp_path / "resnet18.pth"), state


def test_torchvision_weights_start_every_stream(resnet18_file):
    path, state = resnet18_file
    student = _student(streams="resnet18", arch="tdn", decoder=False, head="streams")
    before = _copy_of(student)
    load_pretrained(student, path)
    own, changed = student.state_dict(), _changed(student, before)
    for stream in ("iframe", "motion", "residual"):
        name = f"streams.{stream}.backbone.layer3.1.conv2.weight"
        assert torch.equal(own[name], state["layer3.1.conv2.weight"])
        assert name in changed
    assert torch.equal(own["streams.residual.backbone.conv1.weight"], state["conv1.weight"])
    averaged = state["conv1.weight"].mean(dim=1)
    assert torch.equal(own["streams.motion.backbone.conv1.weight"][:, 1], averaged)
    assert torch.equal(own["streams.motion.short_term.conv.weight"][:, 7], averaged)
    assert torch.equal(own["streams.motion.short_term.layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])
    assert not [name for name in changed if name.startswith("head.") or ".input_norm." in name or ".between." in name]


def test_weights_of_another_depth_are_refused(resnet18_file):
    with pytest.raises(ModelError, match=r"resnet18\.pth: weights: .*another architecture"):
        load_pretrained(TSM("resnet34", 4, 2), resnet18_file[0])


def test_our_own_student_starts_another_but_for_the_classifier(tmp_path):
    path = tmp_path / "before.safetensors"
    plain = _student(decoder=False, head="streams")
    save_model(path, plain, {})
    student = _student()
    before = _copy_of(student)
    load_pretrained(student, str(path))
    own = student.state_dict()
    assert all(torch.equal(own[name], t) for name, t in plain.state_dict().items() if name.startswith("streams."))
    assert {name.split(".")[0] for name in _changed(student, before)} == {"streams"}


def test_a_teachers_resnet_starts_every_stream(tmp_path):
    path = tmp_path / "teacher.safetensors"
    teacher = TSM("slim", 4, 2)
    save_model(path, teacher, {})
    student = _student()
    load_pretrained(student, str(path))
    expected = teacher.encoder.backbone.layer2[0].conv1.weight
    assert torch.equal(student.streams.motion.backbone.layer2[0].conv1.weight, expected)
    tdn = TDN("slim", 4, 2)
    load_pretrained(tdn, str(path))
    assert torch.equal(tdn.encoder.backbone.layer2[0].conv1.weight, expected)


def test_random_changes_nothing():
    student = _student()
    before = _copy_of(student)
    load_pretrained(student, "random")
    assert _changed(student, before) == set()


def test_imagenet_weights_are_asked_for_by_the_backbones_name(monkeypatch, resnet18_file):
    asked = []

    class _Weights:
        def get_state_dict(self, **options):
            assert options["weights_only"]
            assert options["check_hash"]
            return resnet18_file[1]

    monkeypatch.setattr(torchvision.models, "get_weight", lambda name: asked.append(name) or _Weights())
    load_pretrained(TSM("resnet18", 4, 2), "imagenet")
    assert asked == ["ResNet18_Weights.IMAGENET1K_V1"]


def test_without_a_network_the_remedy_is_named(monkeypatch):
    class _Weights:
        def get_state_dict(self, **options):
            raise URLError("no route")

    monkeypatch.setattr(torchvision.models, "get_weight", lambda name: _Weights())
    with pytest.raises(ModelError, match=r"cannot be downloaded .*give the path of a downloaded file"):
        load_pretrained(TSM("resnet18", 4, 2), "imagenet")


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ModelError, match="no ImageNet weights for this backbone"):
        load_pretrained(_student(), "imagenet")
    with pytest.raises(ModelError, match="use kinetics400"):
        load_pretrained(VideoTeacher("r2plus1d_18", 4, 2), "imagenet")
    with pytest.raises(ModelError, match="kinetics400 is for"):
        load_pretrained(_student(), "kinetics400")
    with pytest.raises(ModelError, match=r"absent\.pth: no such file"):
        load_pretrained(_student(), "absent.pth")


@pytest.mark.parametrize(("num_classes", "has_classifier"), [(400, True), (7, False)])
def test_video_weights_fill_the_trunk_and_a_classifier_of_400(tmp_path, num_classes, has_classifier):
    state = torchvision.models.video.s3d(weights=None).state_dict()
    torch.save(state, tmp_path / "s3d.pth")
    teacher = VideoTeacher("s3d", num_classes, 2)
    before = _copy_of(teacher)
    load_pretrained(teacher, str(tmp_path / "s3d.pth"))
    assert torch.equal(teacher.trunk.features[2][0].weight, state["features.2.0.weight"])
    assert ("fc.weight" in _changed(teacher, before)) == has_classifier
    if has_classifier:
        assert torch.equal(teacher.fc.weight, state["classifier.1.weight"].flatten(1))


def test_shared_submodules_start_equal_whatever_else_a_network_holds():
    small = nn.ModuleDict({"a": nn.Linear(3, 4)})
    large = nn.ModuleDict({"b": nn.Linear(5, 6), "a": nn.Linear(3, 4)})
    initialise(small, 7)
    initialise(large, 7)
    assert torch.equal(small["a"].weight, large["a"].weight)
    initialise(large, 8)
    assert not torch.equal(small["a"].weight, large["a"].weight)
