"""Where clips come from changes no digit of a run."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.tiny import BASELINE, tiny

from cdkd.data.cache.packed import PackedError
from cdkd.data.cache.packing import PackJob, pack
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.shapes.writing import prepare_shapes
from cdkd.experiment import RUNNER


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def test_packed_clips_and_workers_give_the_weights_of_decoded_ones(tmp_path: Path) -> None:
    options = {**BASELINE, "train__epochs": 2}
    plain = tiny(**options, data__cache="off")
    packed = tiny(**options, data__cache="packed", runtime__num_workers=1)
    decoded = RUNNER.run(plain, tmp_path / "plain", lambda metrics, epoch: None)
    with pytest.raises(PackedError, match=r"no packed cache serves the train part: there is none; make it: cdkd"):
        RUNNER.run(packed, tmp_path / "packed", lambda metrics, epoch: None)
    pack(PackJob((prepare_shapes(plain.data.shapes),), ClipLayout(1, 6)))
    read = RUNNER.run(packed, tmp_path / "packed", lambda metrics, epoch: None)
    assert read.metrics == decoded.metrics
    ours, theirs = load_file(read.artifacts["checkpoint"]), load_file(decoded.artifacts["checkpoint"])
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
