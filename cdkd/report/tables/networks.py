"""Rows that several tables have: the student without distillation, and the one with the paper's."""

from collections.abc import Mapping
from typing import Any

NETWORKS = {"tsm": "TSM", "tdn": "TDN"}
"""Architecture -> how tables call it."""
STUDIES = {"tsm": "ablation.yaml", "tdn": "ablation-tdn.yaml"}
"""Architecture -> the study that trains its rows."""
OVER_PLAIN, OVER_DECODER = "three streams", "decoder"
"""What a row is compared with: the paper's baseline, and the row that differs from it in the distillation alone."""
COVIAR: Mapping[str, Any] = {"student.model": "coviar"}
SEARCHED_ON_TEST = (
    "The paper chose both lambdas on the test sets that it reports; here a study chooses them on validation videos."
)
WHY_DECODER_ROW = (
    'The paper\'s baseline has no pseudo-decoder; the row "decoder, no KD" is ours and separates what the decoder '
    "changes from what the distillation changes."
)


def student(arch: str, decoder: bool) -> dict[str, Any]:
    """Settings of the three-stream student of an architecture."""
    return {"student.model": "three_stream", "student.arch": arch, "student.decoder": decoder}


_BACKBONES = {
    "slim": "slim",
    "paper": "ResNet-50",
    "lite": "ResNet-50 (I), ResNet-18",
    "resnet18": "ResNet-18",
    "coviar": "ResNet-152 (I), ResNet-18",
}


def backbones(settings: Mapping[str, Any]) -> dict[str, str]:
    """What a student's logged settings tell of its streams: texts of the columns `backbone` and `modality`."""
    streams = str(settings.get("student.streams"))
    return {"backbone": _BACKBONES.get(streams, streams), "modality": "CD"}


def teacher_backbone(settings: Mapping[str, Any]) -> dict[str, str]:
    """The same of the teacher that a student's run has learnt from."""
    name = str(settings.get("teacher.backbone"))
    return {"backbone": name.replace("resnet", "ResNet-"), "modality": "RD"}
