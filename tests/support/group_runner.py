"""Stands in for a runner whose trainings several processes share: epochs of arithmetic, without torch.

Behaviour is steered by files in the folder `$FAKE_EXPERIMENT`:
    started/<rank>-<pid>-<time>   written at the start of every process
    hold                          while present, processes stop before epoch 3
    fail-<rank>                   this process fails in epoch 2
"""

import json
import os
import time

from support.fake_runner import home, mark

from cdkd.graceful_stop import StoppedAtCheckpoint, is_stop_requested
from cdkd.tracking.tracker import Outcome

EPOCHS = 4


class GroupRunner:
    """Only what a baseline needs."""

    def preload(self):
        pass

    def check(self, config):
        assert config.runtime.device == "cpu"

    def prepare_data(self, config, progress=lambda fraction: None):
        progress(1.0)

    def has_teacher(self, config):
        return True

    def ensure_teacher(self, config, log, progress):
        raise AssertionError("no teacher is needed")

    def teacher_validation(self, config):
        return None

    def teacher_outcome(self, checkpoint):
        raise AssertionError("no teacher was trained")

    def run(self, config, folder, log, progress):
        rank = int(os.environ["RANK"])
        assert os.environ["WORLD_SIZE"] == "2"
        mark("started", str(rank))
        checkpoint = folder / "state.json"
        done = json.loads(checkpoint.read_text()) if checkpoint.exists() else 0
        for epoch in range(done + 1, EPOCHS + 1):
            while (epoch == 3 or (home() / f"fail-{1 - rank}").exists()) and (home() / "hold").exists():
                time.sleep(0.02)
            if epoch == 2 and (home() / f"fail-{rank}").exists():
                raise ValueError(f"process {rank} fails as told")
            # Every process calls it; the first one's is heard.
            log({"train/loss": 1.0 / epoch + rank}, epoch)
            progress(epoch / EPOCHS)
            if rank == 0:
                checkpoint.write_text(json.dumps(epoch))
                if is_stop_requested():
                    raise StoppedAtCheckpoint
        return Outcome("finished", {"test/top1": 70.0 + rank, "validation/top1": 60.0})


RUNNER = GroupRunner()
