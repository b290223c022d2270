"""Which remedy a training is told that waits for its clips, and when."""

import logging
from pathlib import Path

import pytest

from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.loading.dataset import ClipDataset
from cdkd.data.opening import open_dataset
from cdkd.experiment.loader_hint import hint, with_hint

WAITS = {"time/data_seconds": 60.0, "time/step_seconds": 20.0}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClipDataset:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path))
    few = {f"{part}_clips_per_class": 1 for part in ("train", "validation", "test", "pretrain")}
    return ClipDataset(open_dataset("shapes", shapes=few).manifest, "train", ClipLayout(1, 6), num_workers=2)


def test_the_hint_names_what_can_still_be_done(source: ClipDataset) -> None:
    text = hint(WAITS, [source], num_cores=8)
    assert text.startswith("waited 60 s for clips and computed 20 s; what helps: more processes that read ahead")
    assert "runtime.num_workers=7, now 2" in text and f"cdkd data cache --root {source.root}" in text
    assert "num_workers" not in hint(WAITS, [source], num_cores=3)
    assert hint({"time/data_seconds": 20.0, "time/step_seconds": 60.0}, [source], 8) == ""
    assert hint({"time/data_seconds": 0.5, "time/step_seconds": 0.1}, [source], 8) == ""


def test_it_is_told_once_and_not_of_the_epoch_that_fills_the_memory(
    source: ClipDataset, caplog: pytest.LogCaptureFixture
) -> None:
    logged: list[int] = []
    list(source.training_batches(0, 0, 4))
    assert len(source.memory) > 0
    log = with_hint(lambda metrics, epoch: logged.append(epoch), source)
    with caplog.at_level(logging.WARNING):
        for epoch in (1, 2, 3):
            log(dict(WAITS), epoch)
    assert logged == [1, 2, 3]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["epoch 2"]
