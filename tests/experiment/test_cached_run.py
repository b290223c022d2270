"""Where clips come from changes no digit of a run."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.tiny import BASELINE, tiny

from cdkd.data.cache.packed import PackedError
from cdkd.data.cache.packed_record import EVERY_P_FRAME, StoredLayout
from cdkd.data.cache.packing import PackJob, pack
from cdkd.data.shapes.writing import prepare_shapes
from cdkd.experiment import RUNNER


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def test_clips_over_a_whole_video_train_teacher_and_student_from_any_cache(tmp_path: Path) -> None:
    """Four steps of videos of two GOPs, windows of five frames, two test clips: from video and from packed frames."""
    options = {"gops_per_clip": 4, "frames_per_gop": 1, "shapes__num_frames": 24}
    keys = {f"data__{name}": value for name, value in options.items()}
    networks = {"student__arch": "tdn", "teacher__arch": "tdn", "train__epochs": 1, "evaluation__clips": 2}
    decoded = RUNNER.run(tiny(**keys, **networks, data__cache="off"), tmp_path / "a", lambda metrics, epoch: None)
    pack(PackJob((prepare_shapes(tiny(**keys).data.shapes),), EVERY_P_FRAME))
    packed = RUNNER.run(tiny(**keys, **networks, data__cache="packed"), tmp_path / "b", lambda metrics, epoch: None)
    assert packed.metrics == decoded.metrics
    ours, theirs = load_file(packed.artifacts["checkpoint"]), load_file(decoded.artifacts["checkpoint"])
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert decoded.metadata["clip"] == "4 GOP x 1 P-frames, segments, accumulated motion"


def test_packed_clips_and_workers_give_the_weights_of_decoded_ones(tmp_path: Path) -> None:
    options = {**BASELINE, "train__epochs": 2}
    plain = tiny(**options, data__cache="off")
    packed = tiny(**options, data__cache="packed", runtime__num_workers=1)
    decoded = RUNNER.run(plain, tmp_path / "plain", lambda metrics, epoch: None)
    with pytest.raises(PackedError, match=r"no packed cache serves the train part: there is none; make it: cdkd"):
        RUNNER.run(packed, tmp_path / "packed", lambda metrics, epoch: None)
    pack(PackJob((prepare_shapes(plain.data.shapes),), StoredLayout(6)))
    read = RUNNER.run(packed, tmp_path / "packed", lambda metrics, epoch: None)
    assert read.metrics == decoded.metrics
    ours, theirs = load_file(read.artifacts["checkpoint"]), load_file(decoded.artifacts["checkpoint"])
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
