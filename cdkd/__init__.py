"""Cross-modality knowledge distillation for compressed video action recognition.

What a program of your own needs stands here; each name is imported when it is first used:

    VideoReader      groups of pictures, motion and residual of one video file
    open_dataset     a data set by its settings
    ClipDataset      its clips, for a torch DataLoader
    load_student     a trained student
    load_teacher     a trained or imported teacher
    Predictor        the classes of any video, from a checkpoint or a tracked run
    RunConfig        one run's whole configuration
    load_runs        tracked runs as a pandas table
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdkd.data.loading.dataset import ClipDataset
    from cdkd.data.opening import open_dataset
    from cdkd.inference.predict import Predictor
    from cdkd.models.weights.loading import load_student, load_teacher
    from cdkd.settings import RunConfig
    from cdkd.tracking.runs import load_runs
    from cdkd.video.reader import VideoReader

__version__ = "0.1.0"

__all__ = [
    "ClipDataset",
    "Predictor",
    "RunConfig",
    "VideoReader",
    "__version__",
    "load_runs",
    "load_student",
    "load_teacher",
    "open_dataset",
]

_PLACES = {
    "ClipDataset": "cdkd.data.loading.dataset",
    "Predictor": "cdkd.inference.predict",
    "RunConfig": "cdkd.settings",
    "VideoReader": "cdkd.video.reader",
    "load_runs": "cdkd.tracking.runs",
    "load_student": "cdkd.models.weights.loading",
    "load_teacher": "cdkd.models.weights.loading",
    "open_dataset": "cdkd.data.opening",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'cdkd' has no attribute '{name}'")
    found = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
