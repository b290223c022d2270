"""What cannot change a result: one table, which identities, reports and the reference of settings read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

WEIGHT_FILES = ("student.weights", "teacher.checkpoint", "teacher.members", "teacher.weights")
"""Settings that may name files of weights."""
CONTENT = "content."
"""Followed by the key of a setting that names a file: the hash of its bytes, as logged with a run."""
BEFORE: Mapping[str, Any] = {
    "data.residual": "exact, 0 in intra blocks",
    "data.sampling": "gops",
    "data.shapes.draw": "fixed",
    "data.unlabelled": "none",
    "data.unlabelled_videos": "all",
    "distill.calibration": "none",
    "distill.spatial.pull": 35.0,
    "distill.temporal.pull": 0.06,
    "distill.logits.pull": 2.2,
    "distill.attention_transfer.pull": 0.17,
    "distill.relational.pull": 0.65,
    "distill.decoupled.pull": 12.0,
    "distill.standardised_logits.pull": 0.75,
    "distill.dist.pull": 1.8,
    "distill.mgd.pull": 0.0035,
    "distill.temporal.graphs": ["gaussian", "laplacian", "quadratic"],
    "distill.temporal.vertices": "pooled",
    "evaluation.crop_size": 0,
    "evaluation.keep_aspect": False,
    "train.decoder_multiplier": 1.0,
}
"""What runs did that knew no such setting. Tables read it where a run logged none; a setting of this value enters no
identity, so that the results of those runs are still found."""


def active_losses(settings: Mapping[str, Any]) -> dict[str, float]:
    """Name -> weight of the losses that take part in a run: enabled, and with a weight above zero.

    Read from its dotted settings alone, so that a loss which only another version of cdkd knows is seen too.
    """
    enabled = [key.split(".")[1] for key, is_on in settings.items() if is_on is True and key.endswith(".enabled")]
    weights = {name: float(settings.get(f"distill.{name}.weight", 1.0)) for name in enabled}
    return {name: weight for name, weight in weights.items() if weight > 0}


@dataclass(frozen=True)
class _SwitchedOn:
    """What decides which other settings of a run count."""

    losses: Mapping[str, float]
    unlabelled: bool
    """Some loss can learn from videos without labels."""
    has_unlabelled: bool
    """There are such videos."""
    decoder: bool
    best_epoch: bool
    """The weights of the best validated epoch are tested."""
    choice_of_frames: bool
    """A video has more than one clip."""


def _switched_on(settings: Mapping[str, Any]) -> _SwitchedOn:
    losses = active_losses(settings)
    is_able = not all(map(_reads_labels, losses))
    return _SwitchedOn(
        losses=losses,
        unlabelled=is_able,
        has_unlabelled=is_able and settings.get("data.unlabelled", "none") != "none",
        decoder=bool(settings.get("student.decoder", True)),
        best_epoch=settings.get("evaluation.select") == "best_validation",
        choice_of_frames=not _is_every_clip_the_same(settings),
    )


def _reads_labels(loss: str) -> bool:
    """A loss that only another version knows is taken for one that reads none, as most do."""
    from cdkd.distill.losses.table import LOSSES

    return loss in LOSSES and "labels" in LOSSES[loss].needs


def _is_every_clip_the_same(settings: Mapping[str, Any]) -> bool:
    """The embedded data set by default: videos of one GOP, whose P-frames leave each of P steps one place."""
    # Here, since tracked runs are read without the settings' records.
    from cdkd.data.shapes.settings import GOP_LENGTH

    num_frames = settings.get("data.shapes.num_frames", GOP_LENGTH)
    return (
        settings.get("data.name") == "shapes"
        and settings.get("data.gops_per_clip") == 1
        and num_frames <= GOP_LENGTH
        and (num_frames - 1) // settings.get("data.frames_per_gop", 1) <= 1
    )


_Condition = tuple[str, Callable[[_SwitchedOn, str], bool]]
_NEVER: _Condition = ("never", lambda on, key: False)
_WITH_LOSS: _Condition = ("where its loss takes part", lambda on, key: key.split(".")[1] in on.losses)
_WITH_TEACHER: _Condition = ("where a loss takes part", lambda on, key: bool(on.losses))
_WITH_DECODER: _Condition = ("with the pseudo-decoder", lambda on, key: on.decoder)
# The decoder is as wide as the teacher's maps, even where no loss compares them.
_WITH_EITHER: _Condition = (
    "where a loss takes part, or with the pseudo-decoder",
    lambda on, key: on.decoder or bool(on.losses),
)
_WITH_CHOICE: _Condition = ("where a video has more than one clip", lambda on, key: on.choice_of_frames)
_WITH_LABEL_FREE_LOSS: _Condition = (
    "where a loss takes part that reads no labels",
    lambda on, key: on.unlabelled,
)
_WITH_UNLABELLED: _Condition = (
    "with data.unlabelled, where a loss takes part that reads no labels",
    lambda on, key: on.has_unlabelled,
)
_WITH_BEST_EPOCH: _Condition = ("where evaluation.select is best_validation", lambda on, key: on.best_epoch)

# The one table of what cannot change a result. Beginning of a key -> when it counts; the first that fits decides, and
# what fits none always counts. Upper half: a run reads it all the same; lower half: a run then never reads it.
_READ_WITHOUT_EFFECT: dict[str, _Condition] = {
    "runtime.": _NEVER,
    "data.root": _NEVER,
    "data.cache": _NEVER,
    "data.sampling": _WITH_CHOICE,
    "evaluation.batch_size": _NEVER,
    "evaluation.every_epochs": _WITH_BEST_EPOCH,
}
_READ: dict[str, _Condition] = {
    # Before data.unlabelled, with which it begins: the first that fits decides.
    "data.unlabelled_videos": _WITH_UNLABELLED,
    "data.unlabelled": _WITH_LABEL_FREE_LOSS,
    "train.unlabelled_per_step": _WITH_UNLABELLED,
    "distill.calibration": _WITH_TEACHER,
    "distill.": _WITH_LOSS,
    "teacher.arch": _WITH_EITHER,
    "teacher.backbone": _WITH_EITHER,
    "teacher.": _WITH_TEACHER,
    "student.gate": _WITH_DECODER,
    "student.attention_dim": _WITH_DECODER,
    "student.head": _WITH_DECODER,
    "train.decoder_multiplier": _WITH_DECODER,
}
_COUNTS = _READ_WITHOUT_EFFECT | _READ


@lru_cache(maxsize=4096)  # a plan of thousands of cells asks for the same keys again and again
def _counts(key: str) -> _Condition | None:
    return _condition(_COUNTS, key)


def _condition(table: Mapping[str, _Condition], key: str) -> _Condition | None:
    return next((condition for start, condition in table.items() if key.startswith(start)), None)


def is_read(key: str, settings: Mapping[str, Any]) -> bool:
    """Whether a run with these dotted settings reads one of them at all."""
    condition = _condition(_READ, key)
    return condition is None or condition[1](_switched_on(settings), key)


def has_effect(key: str, settings: Mapping[str, Any]) -> bool:
    """Whether one of these dotted settings can change a result of whoever reads it."""
    condition = _condition(_READ_WITHOUT_EFFECT, key)
    return condition is None or condition[1](_switched_on(settings), key)


def effective_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a run's dotted settings that can change its result.

    For settings as configured (`flat_settings`) and as logged, by earlier and later versions too. A file whose content
    was logged counts by that, not by its path.
    """
    on = _switched_on(settings)
    by_content = {key for key in WEIGHT_FILES if f"{CONTENT}{key}" in settings}
    found = {
        key: value
        for key, value in settings.items()
        if ((condition := _counts(key)) is None or condition[1](on, key)) and key not in by_content
    }
    # In the setting's own place: a run that has no such videos must differ in it, and not lack it.
    if f"{CONTENT}data.unlabelled" in found:
        found["data.unlabelled"] = found.pop(f"{CONTENT}data.unlabelled")
    return found


def when_effective(key: str) -> str:
    """When a setting can change a result, as words: always, never, or under which condition."""
    condition = _counts(key)
    return "always" if condition is None else condition[0]
