"""torchvision's files of its video networks, whose names are ours but for the classifier's."""

from collections.abc import Mapping

import torch
from torch import Tensor

from cdkd.models.errors import ModelError
from cdkd.models.teacher.teacher import Teacher, build_teacher
from cdkd.models.teacher.video_models import VIDEO_MODELS
from cdkd.models.weights.checkpoints import fill
from cdkd.models.weights.official import ImportReport
from cdkd.settings import TeacherSettings

_COUNTER = "num_batches_tracked"


def import_video(state: Mapping[str, Tensor], settings: TeacherSettings, source: str) -> tuple[Teacher, ImportReport]:
    """The network of the settings with the weights of a torchvision file.

    Args:
        state: as `state_dict_io.read_state_dict` returns it.
        settings: of a network in `VIDEO_MODELS`.
        source: the file's name, for errors.

    Raises:
        ModelError: anything is missing, unknown or misshapen; nothing loads by halves.
    """
    head = f"{VIDEO_MODELS[settings.arch].head}."
    mapped = {key: f"fc.{key.removeprefix(head)}" if key.startswith(head) else f"trunk.{key}" for key in state}
    # S3D's classifier is a 1x1x1 convolution; the same numbers in the shape of a linear layer.
    renamed = {ours: state[key].flatten(1) if ours == "fc.weight" else state[key] for key, ours in mapped.items()}
    if "fc.weight" not in renamed:
        raise ModelError(f"{source}: has no classifier ({head}weight), so it is no {settings.arch} of torchvision")
    num_classes = len(renamed["fc.weight"])
    network = build_teacher(settings, num_classes=num_classes, num_segments=settings.num_segments)
    missing = tuple(key for key in network.state_dict() if key.endswith(_COUNTER) and key not in renamed)
    fill(network, {**renamed, **{key: torch.zeros((), dtype=torch.long) for key in missing}}, source)
    report = ImportReport("torchvision", settings.arch, num_classes, tuple(mapped.items()), (), (), missing)
    return network.eval(), report
