"""Curves of tracked runs."""

from pathlib import Path

from cdkd.tracking.curves import load_curves
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.tracker import LoggedEpoch, RunStart


def test_the_last_value_of_an_epoch_counts_and_what_was_never_logged_is_absent(store: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(store, "mine", tmp_path / ".cdkd")
    tracker.prepare(["rows"])
    ids = [
        tracker.open(RunStart("cell", "mine", "rows", "TSM", cell, 0, 1, "", {"train.epochs": 3}, {}))
        for cell in ("c1", "c2")
    ]
    # Epoch 2 twice: the training was killed behind it, and went on from the checkpoint of epoch 1.
    for epoch, value, moment in ((1, 3.0, 1000), (2, 9.0, 2000), (2, 2.0, 3000), (3, 1.0, 4000)):
        tracker.log(ids[0], [LoggedEpoch(epoch, {"train/loss": value}, moment)])
    tracker.log(ids[1], [LoggedEpoch(1, {"validation/top1": 50.0}, 1000)])
    wanted = dict.fromkeys(ids, ("train/loss", "validation/top1"))
    assert load_curves(wanted, store) == {
        ids[0]: {"train/loss": {1: 3.0, 2: 2.0, 3: 1.0}},
        ids[1]: {"validation/top1": {1: 50.0}},
    }
