"""Stands in for `cdkd.experiment.RUNNER`: a run is a few epochs of arithmetic, with a resumable checkpoint.

Behaviour is steered by files in the folder `$FAKE_EXPERIMENT`:
    started/<cell>-<pid>-<time>   written at the start of every run
    finished/<cell>-<pid>-<time>  written at its end
    broken                        no process can train, for the reason in the file
    missing-module                runs cannot import what they need
    hold                          while present, runs stop before epoch 2
    fail-<arch>                   runs of this student fail
    diverge-<weight>              runs with this lambda1 diverge
    weak-teacher                  the teachers' validation accuracy
    slow-close                    seconds that the tracking store takes to end a run; closed/<process>-<pid>-<time>
                                  tells of the ends that processes have lived to see
    smooth                        accuracy falls with the distance of lambda1 from 0.1, by ten points per power of ten
"""

import importlib
import json
import math
import os
import time
from pathlib import Path

from cdkd.experiment.identity import cell_identity, teacher_identity
from cdkd.graceful_stop import StoppedAtCheckpoint, is_stop_requested
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.tracker import Outcome

EPOCHS = 4
EPOCH_SECONDS = 0.05
_CLOSE = MlflowTracker.close


def home() -> Path:
    return Path(os.environ["FAKE_EXPERIMENT"])


def mark(kind: str, name: str) -> None:
    folder = home() / kind
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-{os.getpid()}-{time.time_ns()}").touch()


def marks(kind: str) -> list[str]:
    """Names marked so far, one per time."""
    folder = home() / kind
    return sorted(file.name.rsplit("-", 2)[0] for file in folder.iterdir()) if folder.exists() else []


def preload():
    pass


def check(config):
    if (home() / "broken").exists():
        raise RuntimeError((home() / "broken").read_text())


def prepare_data(config, progress=lambda fraction: None):
    mark("prepared", config.data.name)
    progress(1.0)


def has_teacher(config):
    return (home() / "teachers" / teacher_identity(config)).exists()


def take_teacher(config, checkpoint):
    raise AssertionError("all processes of these tests have the same teachers")


def ensure_teacher(config, log, progress=lambda fraction: None):
    file = home() / "teachers" / teacher_identity(config)
    if not file.exists():
        mark("teaching", config.teacher.arch)
        if (home() / f"fail-teacher-{config.teacher.arch}").exists():
            raise RuntimeError("the teacher learns nothing")
        for epoch in (1, 2):
            log({"teacher_loss": 1.0 / epoch}, epoch)
            progress(epoch / 2)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return file


def teacher_outcome(checkpoint):
    metrics = {"validation/top1": 88.0, "test/top1": 87.0}
    return Outcome("finished", metrics, {"checkpoint": checkpoint}, {"dataset": "fake"})


def teacher_validation(config):
    """88, or what the file `weak-teacher` says."""
    file = home() / "weak-teacher"
    return float(file.read_text()) if file.exists() else 88.0


def slow_down_closing(seconds):
    """Of this process's runs."""

    def close_slowly(*arguments, **options):
        time.sleep(seconds)
        _CLOSE(*arguments, **options)
        mark("closed", str(os.getpid()))

    MlflowTracker.close = close_slowly


def accuracy(config) -> float:
    """Best at lambda1 = 0.1, then at lambda2 = 1; a seed is worth one hundredth."""
    spatial = {0.01: 3.0, 0.1: 5.0, 1.0: 1.0}.get(config.distill.spatial.weight, 0.0)
    temporal = {0.1: 1.0, 1.0: 2.0, 5.0: 0.5}.get(config.distill.temporal.weight, 0.0)
    if (home() / "smooth").exists():
        return 60.0 - 10.0 * abs(math.log10(config.distill.spatial.weight / 0.1)) + config.seed / 100
    total = 60.0 + spatial * ("spatial" in config.distill.used) + temporal * ("temporal" in config.distill.used)
    return total + config.seed / 100


def run(config, folder, log, progress=lambda fraction: None):
    cell = cell_identity(config)
    if config.uses_teacher:
        assert has_teacher(config), "a cell was started before its teacher"
    mark("started", cell)
    if (home() / "slow-close").exists():
        slow_down_closing(float((home() / "slow-close").read_text()))
    checkpoint = folder / "state.json"
    done = json.loads(checkpoint.read_text()) if checkpoint.exists() else 0
    for epoch in range(done + 1, EPOCHS + 1):
        while epoch == 2 and (home() / "hold").exists() and not is_stop_requested():
            time.sleep(0.02)
        if (home() / "missing-module").exists():
            importlib.import_module("no_such_module")
        if (home() / f"fail-{config.student.arch}").exists():
            raise RuntimeError(f"{config.student.arch} fails as told")
        time.sleep(EPOCH_SECONDS)
        so_far = accuracy(config) - (EPOCHS - epoch) if (home() / "smooth").exists() else float(epoch)
        log({"train/loss": 1.0 / epoch, "validation/top1": so_far}, epoch)
        progress(epoch / EPOCHS)
        # Every other epoch only, so that a resumed run repeats one that was logged before.
        if epoch % 2 == 0:
            temporary = checkpoint.with_suffix(".tmp")
            temporary.write_text(json.dumps(epoch))
            temporary.replace(checkpoint)
        if is_stop_requested():
            checkpoint.write_text(json.dumps(epoch))
            raise StoppedAtCheckpoint
    if (home() / f"diverge-{config.distill.spatial.weight}").exists():
        return Outcome("diverged", {"train/loss": float("nan")})
    scores = folder / "test.parquet"
    _write_scores(scores)
    mark("finished", cell)
    top1 = accuracy(config)
    metrics = {"test/top1": top1 - 2, "test/top5": 90.0, "validation/top1": top1}
    return Outcome("finished", metrics, {"scores": scores}, {"dataset": "fake", "num_test_videos": "3"})


def _write_scores(file):
    import pandas as pd

    scores = {"score_0": [0.9, 0.2, 0.6], "score_1": [0.1, 0.8, 0.4]}
    pd.DataFrame({"video": ["a", "b", "c"], "label": [0, 1, 1], **scores}).to_parquet(file)


class FakeRunner:
    """The functions above as what a sweep asks for."""

    preload = staticmethod(preload)
    check = staticmethod(check)
    prepare_data = staticmethod(prepare_data)
    has_teacher = staticmethod(has_teacher)
    take_teacher = staticmethod(take_teacher)
    ensure_teacher = staticmethod(ensure_teacher)
    teacher_outcome = staticmethod(teacher_outcome)
    teacher_validation = staticmethod(teacher_validation)
    run = staticmethod(run)


RUNNER = FakeRunner()
