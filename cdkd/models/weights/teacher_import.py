"""A published checkpoint file becomes a teacher checkpoint of our own."""

import hashlib
import re
from pathlib import Path

from cdkd.modality import FRAME
from cdkd.models.errors import ModelError
from cdkd.models.teacher.video_models import VIDEO_MODELS
from cdkd.models.weights.checkpoints import require_output, save_model
from cdkd.models.weights.loading import teacher_architecture
from cdkd.models.weights.official import ImportReport, import_official, official_settings
from cdkd.models.weights.state_dict_io import read_state_dict
from cdkd.models.weights.video_import import import_video
from cdkd.settings import TeacherSettings

_CROP_PIXELS = 224
"""Of every released TSM and TDN."""


def segments_of(path: Path, num_segments: int | None) -> int:
    """T as given, else as the authors' file name says it (`..._segment8_...`).

    Raises:
        ModelError: neither says it. T decides TDN's mixing weights, so it is never guessed.
    """
    if num_segments is not None:
        return num_segments
    found = re.search(r"segment(\d+)", path.name)
    if found is None:
        raise ModelError(f"{path}: its name does not say how many segments it was trained with; give --num-segments")
    return int(found.group(1))


def import_teacher(path: Path, arch: str, num_segments: int | None, output: Path) -> tuple[ImportReport, int]:
    """Reads `path`, writes `output`; returns what became of every key, and T.

    Raises:
        ModelError: there is no such file, it is not what `arch` says, T is unknown, or the output cannot be written.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    require_output(output)
    if arch in VIDEO_MODELS:
        # These are fed with as many frames as they were made for, whatever T is.
        segments = VIDEO_MODELS[arch].num_input_frames
        settings = TeacherSettings(arch=arch, num_segments=segments)
        network, report = import_video(read_state_dict(path), settings, str(path))
        crop = VIDEO_MODELS[arch].crop_pixels
    else:
        segments = segments_of(path, num_segments)
        network, report = import_official(read_state_dict(path), arch, segments, str(path))
        settings, crop = official_settings(arch, report.backbone, segments), _CROP_PIXELS
    save_model(
        output,
        network,
        {
            "architecture": teacher_architecture(settings, num_classes=report.num_classes, num_segments=segments),
            "classes": None,
            "preprocessing": {
                "channels": "RGB",
                "scale": FRAME.scale,
                "mean": list(FRAME.mean),
                "std": list(FRAME.std),
                "short_side_pixels": round(crop * 256 / 224),
                "crop_pixels": crop,
            },
            "source": {
                "file": path.name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "naming": report.naming,
                "keys_mapped": len(report.mapped),
                "keys_folded": len(report.folded),
                "keys_dropped": [key for key, _ in report.dropped],
                "keys_missing": list(report.missing),
            },
        },
    )
    return report, segments
