"""Which checkpoints may teach a run: one training step with every architecture, and what is refused or noted."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny import tiny

from cdkd.data.loading.steps import StepClips
from cdkd.experiment.build import assemble
from cdkd.experiment.teacher_fit import TeacherError, frozen_teacher
from cdkd.models.errors import ModelError
from cdkd.models.teacher.teacher import build_teacher
from cdkd.models.weights.checkpoints import save_model
from cdkd.models.weights.loading import teacher_architecture
from cdkd.settings import TEACHERS, RunConfig, TeacherSettings

CLASSES = ("clap", "kick", "run")
MAP_STRIDE = 16


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def checkpoint(
    path: Path,
    settings: Mapping[str, Any] = {},
    *,
    classes: tuple[str, ...] | None = CLASSES,
    num_classes: int = 3,
    num_segments: int = 6,
    preprocessing: Mapping[str, Any] = {},
) -> str:
    """An untrained teacher's; by default one that fits `tiny`."""
    known = TeacherSettings(**settings)
    teacher = build_teacher(known, num_classes=num_classes, num_segments=num_segments)
    architecture = teacher_architecture(known, num_classes=num_classes, num_segments=num_segments)
    seen = {"gops_per_clip": 1, "frames_per_gop": 6, "input_size": 32, "resize": 32, **preprocessing}
    save_model(path, teacher, {"architecture": architecture, "classes": classes, "preprocessing": seen})
    return str(path)


def fit(path: str, **options: Any) -> dict[str, str]:
    config: RunConfig = tiny(teacher__checkpoint=path, **options)
    return frozen_teacher(config, Path(path), CLASSES, MAP_STRIDE)[1]


# Beside the slim student's maps of stride 16: 48 pixels are 3 x 3 positions for it, 2 x 2 or 7 x 7 for others.
CASES = [*((arch, "slim") for arch in TEACHERS), ("tsm", "resnet18"), ("tdn", "resnet18")]


@pytest.mark.parametrize(("arch", "backbone"), CASES)
def test_one_step_with_every_teacher(arch: str, backbone: str, tmp_path: Path) -> None:
    own = {"arch": arch, "backbone": backbone}
    seen = {"input_size": 48}
    path = checkpoint(tmp_path / "teacher.safetensors", own, classes=None, num_classes=12, preprocessing=seen)
    options = {f"teacher__{name}": value for name, value in own.items()}
    options |= {"teacher__checkpoint": path, "distill__logits__enabled": True, "data__input_size": 48}
    run = assemble(tiny(**options), lambda metrics, epoch: None)
    run.student.train()
    batch = next(iter(run.source("train").training_batches(0, 0, 1)))
    loss = run.loss(StepClips(batch), 0)
    loss.total.backward()
    assert {"spatial", "temporal", "logits"} <= loss.terms.keys()
    assert all(torch.isfinite(torch.as_tensor(value)).all() for value in loss.terms.values())
    assert any(p.grad is not None and p.grad.any() for p in run.student.streams.parameters())
    assert run.teacher_metadata == {}


def test_another_architecture_is_refused_with_both_sides(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "tsm.safetensors")
    expected = (
        r"tsm\.safetensors: holds a tsm teacher, which reads 1 frame per time step; the settings ask for "
        r"teacher\.arch=tdn, which reads 5 frames; set teacher\.arch=tsm, or give the checkpoint of a tdn teacher"
    )
    with pytest.raises(TeacherError, match=expected):
        fit(path, teacher__arch="tdn")
    # Both as wide as each other and with windows of one frame.
    path = checkpoint(tmp_path / "swin.safetensors", {"arch": "swin3d_t"})
    with pytest.raises(TeacherError, match=r"holds a swin3d_t teacher.*teacher\.arch=mvit_v2_s"):
        fit(path, teacher__arch="mvit_v2_s")


def test_another_backbone_is_refused_though_its_maps_are_as_wide(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "wide.safetensors", {"backbone": "resnet34"})
    expected = (
        r"its backbone is resnet34, whose maps have 512 channels, those of teacher\.arch=tsm with "
        r"teacher\.backbone=resnet18 512; set teacher\.backbone=resnet34"
    )
    with pytest.raises(TeacherError, match=expected):
        fit(path, teacher__backbone="resnet18")


def test_what_an_architecture_does_not_read_may_differ(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "s3d.safetensors", {"arch": "s3d", "backbone": "slim"})
    assert fit(path, teacher__arch="s3d", teacher__backbone="resnet50") == {}
    assert fit(checkpoint(tmp_path / "shift.safetensors", {"shift_div": 8, "dropout": 0.5})) == {}


def test_classes_count_where_logits_are_compared(tmp_path: Path) -> None:
    logits = {"distill__logits__enabled": True}
    two = checkpoint(tmp_path / "two.safetensors", classes=("clap", "kick"), num_classes=2)
    assert fit(two) == {}
    with pytest.raises(TeacherError, match=r"knows 2 classes, data set shapes 3; distill\.logits compares them"):
        fit(two, **logits)
    turned = checkpoint(tmp_path / "turned.safetensors", classes=("clap", "run", "kick"))
    assert fit(turned) == {}
    with pytest.raises(TeacherError, match=r"class 1 is 'run', in data set shapes 'kick'; distill\.decoupled"):
        fit(turned, distill__decoupled__enabled=True)
    assert fit(checkpoint(tmp_path / "nameless.safetensors", classes=None), **logits) == {}


def test_other_clips_and_pictures_are_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = {"gops_per_clip": 3, "frames_per_gop": 2, "input_size": 224}
    found = fit(checkpoint(tmp_path / "own.safetensors", preprocessing=other))
    assert found["teacher_differs"] == (
        f"{tmp_path}/own.safetensors: learnt from clips of 3 GOP x 2 P-frames, teaches with clips of 1 GOP x 6 "
        f"P-frames; {tmp_path}/own.safetensors: learnt from pictures of 224 pixels, teaches with 32"
    )
    assert "learnt from pictures of 224 pixels" in caplog.text


def test_an_imported_teacher_may_see_fewer_frames_than_it_learnt_from(tmp_path: Path) -> None:
    path = tmp_path / "imported.safetensors"
    settings = TeacherSettings(arch="tdn", num_segments=8)
    teacher = build_teacher(settings, num_classes=400, num_segments=8)
    architecture = teacher_architecture(settings, num_classes=400, num_segments=8)
    seen = {"crop_pixels": 224, "short_side_pixels": 256}
    save_model(path, teacher, {"architecture": architecture, "classes": None, "preprocessing": seen})
    differs = fit(str(path), teacher__arch="tdn")["teacher_differs"]
    assert "learnt from 8 frames per clip, teaches with 6" in differs
    assert "learnt from pictures of 224 pixels, teaches with 32" in differs


def test_members_must_be_of_the_same_kind_and_know_the_same_classes(tmp_path: Path) -> None:
    first = checkpoint(tmp_path / "first.safetensors")
    second = checkpoint(tmp_path / "second.safetensors", {"backbone": "resnet18"}, num_segments=3)
    assert fit(first, teacher__members=[second]) == {}
    tdn = checkpoint(tmp_path / "tdn.safetensors", {"arch": "tdn"})
    with pytest.raises(TeacherError, match=r"tdn\.safetensors: holds a tdn teacher.*teacher\.arch=tsm"):
        fit(first, teacher__members=[tdn])
    fewer = checkpoint(tmp_path / "fewer.safetensors", classes=("clap", "kick"), num_classes=2)
    with pytest.raises(TeacherError, match=r"fewer\.safetensors: knows 2 classes, .*first\.safetensors 3; teacher\.m"):
        fit(first, teacher__members=[fewer])
    longer = checkpoint(tmp_path / "longer.safetensors", num_segments=8)
    with pytest.raises(ModelError, match="must have the most segments, not 6 where another has 8"):
        fit(first, teacher__members=[longer])


def test_maps_come_at_the_students_stride(tmp_path: Path) -> None:
    path = Path(checkpoint(tmp_path / "wide.safetensors", {"backbone": "resnet18"}))
    config = tiny(teacher__backbone="resnet18")
    teacher, _ = frozen_teacher(config, path, CLASSES, MAP_STRIDE)
    assert dataclasses.astuple(teacher(torch.zeros(1, 6, 1, 3, 48, 64)))[1].shape == (1, 6, 512, 3, 4)
