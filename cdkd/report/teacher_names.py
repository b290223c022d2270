"""What a run's teacher is, in words: its network, and where its weights come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cdkd.data.annotations.catalog import DATASETS
from cdkd.effective_settings import active_losses
from cdkd.report.protocol import Variant

_NETWORKS = {"tsm": "TSM", "tdn": "TDN", "s3d": "S3D", "r2plus1d_18": "R(2+1)D-18", "swin3d_t": "Swin3D-T"} | {
    "mvit_v2_s": "MViTv2-S"
}
_MOST_PUPILS = 3
_WITH_BACKBONE = ("tsm", "tdn")
_STARTS = {
    "random": "trained on {data} from random weights",
    "imagenet": "trained on {data} from ImageNet weights",
    "kinetics400": "fine-tuned from torchvision's Kinetics-400 weights on {data}",
}


def teacher_text(settings: Mapping[str, Any]) -> str:
    """The teacher of a run, from its dotted settings: `TSM ResNet-50, fine-tuned from tsm.safetensors on UCF-101`."""
    arch = str(settings.get("teacher.arch"))
    name = _NETWORKS.get(arch, arch)
    if arch in _WITH_BACKBONE:
        name += f" {str(settings.get('teacher.backbone')).replace('resnet', 'ResNet-')}"
    checkpoint, weights = settings.get("teacher.checkpoint"), str(settings.get("teacher.weights"))
    dataset = str(settings.get("data.name"))
    data = DATASETS[dataset].published_name or dataset if dataset in DATASETS else dataset
    if checkpoint is not None:
        origin = f"as it is in {Path(str(checkpoint)).name}"
    elif weights in _STARTS:
        origin = _STARTS[weights].format(data=data)
    else:
        origin = f"fine-tuned from {Path(weights).name} on {data}"
    members = [Path(str(each)).name for each in settings.get("teacher.members") or ()]
    return ", ".join([name, origin, *([f"its scores averaged with {' and '.join(members)}"] if members else [])])


def teacher_notes(variants: Sequence[Variant], by_row: bool = False) -> list[str]:
    """Which teachers the rows of a table learnt from; nothing where none learnt from any, or it was not logged.

    Args:
        variants: the shown rows.
        by_row: several teachers are told apart by the rows that learnt from them, not by networks.
    """
    rows: dict[str, list[str]] = {}
    for variant in variants:
        settings = variant.finished[0].settings if variant.finished else {}
        if active_losses(settings) and "teacher.arch" in settings:
            found = rows.setdefault(teacher_text(settings), [])
            if (pupil := variant.row.name if by_row else f"{variant.row.block.upper()} rows") not in found:
                found.append(pupil)
    if not rows:
        return []
    if len(rows) == 1:
        return [f"Teacher: {next(iter(rows))}."]
    texts = [f"{text} (of {_listed(pupils)})" for text, pupils in sorted(rows.items())]
    return [f"Teachers: {'; '.join(texts)}."]


def _listed(pupils: Sequence[str]) -> str:
    if all(pupil.endswith(" rows") for pupil in pupils):
        return f"{' and '.join(pupil.removesuffix(' rows') for pupil in pupils)} rows"
    rest = len(pupils) - _MOST_PUPILS
    return "; ".join(pupils[:_MOST_PUPILS]) + (f" and {rest} more" if rest > 0 else "")
