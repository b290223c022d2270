"""Two gloo processes with half of a batch each take the step of one process with the whole batch."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.data_parallel import one_step, run_two
from support.tiny import tiny

from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.opening import open_dataset
from cdkd.experiment.inputs import ClipInputs, RunError
from cdkd.experiment.runtime import LaunchError, launched_processes
from cdkd.train.processes import ALONE, Processes

# Every loss of Eq. 7, whose temporal part is scaled by a mean over the batch, and the two that compare clip with clip;
# flips and crops differ from clip to clip. Each process has its share of the unlabelled clips too.
OPTIONS = {
    "data__unlabelled": "pretrain",
    "train__unlabelled_per_step": 8,
    "distill__logits__enabled": True,
    "distill__relational__enabled": True,
    "distill__dist__enabled": True,
    "data__flip": "on",
    "data__crop_scale": [0.6, 1.0],
}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def test_two_processes_take_the_step_of_one_with_the_doubled_batch(tmp_path: Path) -> None:
    alone = one_step(OPTIONS, ALONE)
    run_two("support.data_parallel", [str(tmp_path / "two.pt"), repr(OPTIONS)], tmp_path)
    together = torch.load(tmp_path / "two.pt", weights_only=True)
    assert together.keys() == alone.keys()
    assert sum(name.startswith("gradient") for name in alone) > 60
    assert [name for name in alone if name.startswith("unit")] == [
        f"unit {name}" for name in ("spatial", "temporal", "logits", "relational", "dist")
    ]
    # Units hold norms of gradients, whose sums are rounded in another order.
    torch.testing.assert_close(together["loss"], alone["loss"], rtol=1e-5, atol=0)
    for name, tensor in alone.items():
        scale = float(tensor.abs().max())
        torch.testing.assert_close(together[name], tensor, rtol=1e-3, atol=1e-5 * scale + 1e-7, msg=name)


def test_a_step_that_cannot_be_shared_equally_is_refused() -> None:
    config = tiny()
    inputs = ClipInputs(config, open_dataset(config.data), torch.device("cpu"), Processes(1, 5))
    source = inputs.source("train", ClipLayout(1, 6))
    with pytest.raises(RunError, match="5 processes cannot share batches of 12 from 24 clips"):
        inputs.training_batches(source, 0, 0, 12)
    with pytest.raises(RunError, match="5 processes cannot share batches of 25 from 24 clips"):
        inputs.training_batches(source, 0, 0, 25)
    with pytest.raises(
        RunError, match=r"5 processes cannot share 12 unlabelled clips per step equally; choose a train\."
    ):
        other = replace(inputs, config=tiny(data__unlabelled="pretrain", train__unlabelled_per_step=12))
        other.step_clips(source, source, 0, 20)
    own = inputs.training_batches(source, 0, 0, 20)
    whole = source.training_batches(0, 0, 20)
    assert own.videos == whole.videos[1::5] and len(own.videos) == 4


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "99")
    monkeypatch.setenv("LOCAL_RANK", "98")
    with pytest.raises(LaunchError, match="process 98 of this machine finds"), launched_processes("cuda"):
        pass
