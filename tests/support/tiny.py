"""The smallest real experiments: encoded videos of 32 x 32 pixels, one or two epochs, a few seconds."""

from typing import Any

from cdkd.config import build_record, merge_dotted
from cdkd.settings import RunConfig

TINY: dict[str, Any] = {
    "data": {
        "input_size": 32,
        "shapes": {
            "frame_size": 32,
            "train_clips_per_class": 2,
            "validation_clips_per_class": 1,
            "test_clips_per_class": 1,
            "pretrain_clips_per_class": 2,
        },
    },
    "teacher": {"train": {"epochs": 1, "batch_size": 12}},
    "train": {"epochs": 2, "batch_size": 12, "warmup_epochs": 0.0},
    "evaluation": {"every_epochs": 0},
    "runtime": {"device": "cpu", "checkpoint_every_epochs": 1},
}


def tiny(**overrides: Any) -> RunConfig:
    """A tiny experiment; dots of keys are written as double underscores: train__epochs=1."""
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return build_record(RunConfig, merge_dotted(TINY, dotted))


BASELINE = {
    "student__decoder": False,
    "student__head": "streams",
    "distill__spatial__enabled": False,
    "distill__temporal__enabled": False,
}
