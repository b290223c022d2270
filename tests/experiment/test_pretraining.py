"""Streams that start from the pre-training part: trained once for all seeds, and really used."""

from pathlib import Path

import pytest
import torch
from support.tiny import BASELINE, tiny

from cdkd.experiment import RUNNER
from cdkd.experiment.build import assemble
from cdkd.experiment.paths import streams_folder
from cdkd.experiment.pretraining import PretrainingError, ensure_streams
from cdkd.models.weights.checkpoints import load_tensors
from cdkd.models.weights.description import load_description


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def test_one_checkpoint_serves_all_seeds_and_rows(tmp_path: Path) -> None:
    options = {"student__weights": "pretrain", "train__epochs": 1}
    first = ensure_streams(tiny(**options))
    written = first.stat().st_mtime_ns
    assert ensure_streams(tiny(**options, seed=3, distill__spatial__weight=5.0)) == first
    assert ensure_streams(tiny(**options, **BASELINE)) == first
    assert first.stat().st_mtime_ns == written
    assert streams_folder(tiny(**options, student__shift_div=8)) != first.parent
    description = load_description(first)
    assert (description["role"], description["trained_on"]) == ("streams", "pretrain")
    assert RUNNER.run(tiny(**options, **BASELINE), tmp_path, lambda metrics, epoch: None).status == "finished"


def test_every_stream_starts_from_it_and_the_rest_from_the_seed() -> None:
    config = tiny(student__weights="pretrain", train__epochs=1)
    path = ensure_streams(config)
    started = assemble(config, lambda metrics, epoch: None, weights=str(path)).student.state_dict()
    random = assemble(tiny(), lambda metrics, epoch: None).student.state_dict()
    trained = load_tensors(path)
    names = [name for name in trained if name.startswith("streams.")]
    assert len(names) > 100
    assert all(torch.equal(started[name], trained[name]) for name in names)
    assert any(not torch.equal(trained[name], random[name]) for name in names)
    others = [name for name in started if not name.startswith("streams.")]
    assert others and all(torch.equal(started[name], random[name]) for name in others)


def test_a_data_set_without_such_a_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from cdkd.data.manifest import Manifest

    monkeypatch.setattr(Manifest, "num_videos_per_part", property(lambda manifest: {"train": 24}))
    with pytest.raises(PretrainingError, match=r"student\.weights=pretrain: shapes has no pre-training part"):
        ensure_streams(tiny(student__weights="pretrain", train__epochs=2))
