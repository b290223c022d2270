"""Training with unlabelled clips beside the labelled ones, from the settings to what a run says of itself."""

from pathlib import Path

import pytest
import torch
from support.prepared import prepared_folder
from support.tiny import BASELINE, tiny

from cdkd.config import ConfigError
from cdkd.data.loading.steps import StepClips
from cdkd.experiment import RUNNER
from cdkd.experiment.build import StudentRun, assemble
from cdkd.experiment.inputs import RunError

FROM_PRETRAIN = {"data__unlabelled": "pretrain", "train__unlabelled_per_step": 5}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def built(**changes: object) -> tuple[StudentRun, StepClips]:
    run = assemble(tiny(**changes), lambda metrics, epoch: None)
    run.student.train()
    return run, next(iter(run.inputs.step_clips(run.source("train"), run.unlabelled_source(), 0, 12)))


def test_labelled_clips_are_the_same_with_and_without_unlabelled_ones_beside_them() -> None:
    (plain, alone), (run, both) = built(), built(**FROM_PRETRAIN)
    assert alone.unlabelled is None and both.unlabelled is not None
    assert torch.equal(alone.labelled.videos, both.labelled.videos)
    assert both.unlabelled.labels.tolist() == [-1] * 5
    (few, labels), (many, same_labels) = plain.inputs.training(alone, 3), run.inputs.training(both, 3)
    assert torch.equal(labels, same_labels) and len(labels) == 12
    for name, tensor in vars(few).items():
        assert torch.equal(getattr(many, name)[:12], tensor) and len(getattr(many, name)) == 17, name


def test_labels_of_unlabelled_clips_change_nothing_to_the_bit() -> None:
    found = []
    for labels in (torch.full((5,), -1), torch.tensor([3, 1, 4, 1, 5])):
        run, clips = built(**FROM_PRETRAIN, distill__logits__enabled=True, distill__decoupled__enabled=True)
        assert clips.unlabelled is not None
        clips.unlabelled.labels.copy_(labels)
        torch.manual_seed(0)
        total = run.loss(clips, 0).total
        total.backward()  # type: ignore[no-untyped-call]
        found.append([total.detach(), *(p.grad for p in run.student.parameters() if p.grad is not None)])
    assert len(found[0]) > 60 and all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_baseline_does_not_see_them(tmp_path: Path) -> None:
    run, clips = built(**BASELINE, data__unlabelled="nowhere")
    assert clips.unlabelled is None and run.unlabelled is None
    RUNNER.prepare_data(tiny(**BASELINE, data__unlabelled="nowhere"))


def test_a_whole_run_learns_from_the_videos_of_another_set_in_pictures_of_another_size(tmp_path: Path) -> None:
    prepared_folder(tmp_path / "archive", num_train=3, num_test=1)
    logged: list[dict[str, float]] = []
    others = {"data__unlabelled": str(tmp_path / "archive"), "data__unlabelled_videos": 2, "train__epochs": 1}
    outcome = RUNNER.run(tiny(**others), tmp_path / "run", lambda metrics, epoch: logged.append(metrics))
    assert outcome.status == "finished" and logged[0]["train/spatial"] > 0 and logged[0]["train/unit_spatial"] > 0
    assert outcome.metadata["unlabelled"] == f"12 a step of the 2 of {tmp_path / 'archive'}"
    assert len(outcome.metadata["unlabelled_version"]) == 16


def test_too_short_groups_of_pictures_are_refused_with_the_setting(tmp_path: Path) -> None:
    prepared_folder(tmp_path / "short", num_train=1, num_test=0, num_frames=4)
    run = assemble(tiny(data__unlabelled=str(tmp_path / "short")), lambda metrics, epoch: None)
    message = (
        r"data\.unlabelled=\S+short: [\s\S]*1 of 1 videos of the unlabelled part[\s\S]*no GOP of at least 7 frames"
    )
    with pytest.raises(RunError, match=message):
        run.unlabelled_source()


def test_a_number_of_clips_without_videos_is_refused() -> None:
    for key in ("train.unlabelled_per_step", "data.unlabelled_videos"):
        with pytest.raises(
            ConfigError, match=rf"{key}=7: no unlabelled videos are named; set data\.unl.* or leave {key} out"
        ):
            tiny(**{key.replace(".", "__"): 7})
    assert tiny(data__unlabelled="pretrain", train__batch_size=9).unlabelled_per_step == 9
    assert tiny(**FROM_PRETRAIN).unlabelled_per_step == 5
    assert tiny(**FROM_PRETRAIN, **BASELINE).unlabelled_per_step == tiny().unlabelled_per_step == 0
