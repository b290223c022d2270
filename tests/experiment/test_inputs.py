"""The test-time protocol that a run resolves from its data set: a literal table from the paper."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.clips import batch_of
from support.tiny import tiny

from cdkd.data.annotations.spec import FlipPolicy
from cdkd.data.clips.transforms import Boxes, prepare_inputs
from cdkd.data.opening import open_dataset
from cdkd.experiment.inputs import ClipInputs, RunError, resolve_evaluation


@pytest.mark.parametrize(
    ("name", "input_size", "given", "expected"),
    [
        ("shapes", 48, {}, (1, 1, 48)),
        ("folder", 112, {}, (1, 1, 112)),
        ("kinetics400", 224, {}, (10, 3, 256)),
        ("ssv2", 224, {}, (2, 3, 256)),
        ("ucf101", 112, {}, (10, 3, 128)),
        ("hmdb51", 48, {}, (10, 3, 55)),
        ("kinetics400", 224, {"evaluation__clips": 1, "evaluation__crops": 1}, (1, 1, 256)),
        ("kinetics400", 224, {"evaluation__resize": 224}, (10, 3, 224)),
        ("folder", 224, {"evaluation__clips": 4, "evaluation__crops": 3}, (4, 3, 256)),
    ],
)
def test_views_follow_from_the_data_set(
    name: str, input_size: int, given: dict[str, int], expected: tuple[int, int, int]
) -> None:
    resolved = resolve_evaluation(tiny(data__name=name, data__input_size=input_size, evaluation__batch_size=7, **given))
    assert (resolved.clips, resolved.crops, resolved.resize) == expected
    assert (resolved.batch_size, resolved.every_epochs) == (7, 0)


def test_crops_larger_than_the_frame_are_refused() -> None:
    with pytest.raises(RunError, match=r"evaluation\.resize=30: smaller than the crops of data\.input_size=32"):
        resolve_evaluation(tiny(evaluation__resize=30))
    with pytest.raises(RunError, match=r"evaluation\.resize=256: smaller than the crops of evaluation\.crop_size=288"):
        resolve_evaluation(tiny(evaluation__resize=256, evaluation__crop_size=288))


def test_full_resolution_crops_of_frames_that_keep_their_aspect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path))
    given = {"evaluation__crop_size": 256, "evaluation__keep_aspect": True, "data__input_size": 224}
    resolved = resolve_evaluation(tiny(data__name="kinetics400", **given))
    assert (resolved.crop_size, resolved.resize, resolved.clips, resolved.crops) == (256, 256, 10, 3)
    config = tiny(evaluation__crop_size=48, evaluation__keep_aspect=True, evaluation__crops=3)
    inputs = ClipInputs(config, open_dataset(config.data), torch.device("cpu"))
    assert inputs.view(batch_of(48, 64), 2).iframes.shape == (2, 1, 3, 48, 48)
    assert inputs.metadata["views"] == "1 clip x 3 crops of 48 from 48 pixels, aspect kept"
    # The pictures of the longer side's end, as they are stored.
    left, top, side = (torch.full((2,), pixels, dtype=torch.float64) for pixels in (16.0, 0.0, 48.0))
    shown = prepare_inputs(batch_of(48, 64), Boxes(left, top, side, side, torch.zeros(2, dtype=torch.bool)), 48)
    assert torch.allclose(inputs.view(batch_of(48, 64), 2).iframes, shown.iframes, atol=1e-5)


@pytest.mark.parametrize(
    ("arch", "given", "policy", "expected"),
    [
        ("tsm", "auto", "swap", "off"),
        ("tdn", "auto", "swap", "swap"),
        ("tsm", "swap", "swap", "swap"),
        ("tsm", "auto", "on", "on"),
    ],
)
def test_labels_that_tell_left_from_right_are_flipped_as_the_networks_authors_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: str, given: str, policy: FlipPolicy, expected: str
) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path))
    config = tiny(data__flip=given)
    dataset = replace(open_dataset(config.data), flip=policy)
    inputs = ClipInputs(config, dataset, torch.device("cpu"), arch=arch)
    assert (inputs.flip, inputs.metadata["flip"]) == (expected, expected)
