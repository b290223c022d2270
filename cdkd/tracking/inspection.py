"""What a trained network makes of some test clips, in small arrays that a run keeps and figures are drawn from.

A report reads neither videos nor checkpoints, so a run leaves what a reader would otherwise have to compute again.
"""

import io
import tempfile
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdkd.atomic_write import atomic_write
from cdkd.tracking import store
from cdkd.tracking.store import TrackingError, first_line, open_client
from cdkd.tracking.tracker import INSPECTION

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Texts = NDArray[np.str_]

MOTION_PIXELS = 20.0
"""Length of a vector that is stored as 255; longer ones too."""
RESIDUAL_LEVELS = 128.0
"""Size of a residual that is stored as 255."""

_SHAPES = {
    "classes": "K",
    "confused_videos": "C",
    "confused_labels": "C",
    "confused_predictions": "C",
    "confused_confidences": "C",
    "confused_iframes": "Chw3",
    "confused_motion": "Chw",
    "confused_residual": "Chw",
    "example_videos": "E",
    "example_labels": "E",
    "example_frames": "Eshw3",
    "example_motion": "Eshw",
    "example_residual": "Eshw",
    "example_steps": "s",
    "example_gates": "Et",
    "gates": "Nt",
    "graphs": "M",
    "teacher_edges": "mTT",
    "student_edges": "nTT",
    "teacher_tells": "m",
    "student_tells": "n",
    "labels": "N",
    "teacher_features": "p2",
    "student_features": "N2",
    "teacher_variance": "x",
    "student_variance": "y",
}
"""A letter per axis; the same letter means the same size."""


@dataclass(frozen=True)
class Inspection:
    """Of one run; N test clips looked at, of which C and E are shown.

    Pictures are thumbnails of h x w pixels, motion and residual their sizes (`MOTION_PIXELS`, `RESIDUAL_LEVELS`).

    Raises:
        ValueError: sizes that do not fit together.
    """

    classes: Texts
    """(K,) names."""
    confused_videos: Texts
    """(C,) the test videos that the network is most wrong about, the worst first."""
    confused_labels: Ints
    """(C,)"""
    confused_predictions: Ints
    """(C,)"""
    confused_confidences: Floats
    """(C,) percent that the softmax gives to the predicted class."""
    confused_iframes: Bytes
    """(C, h, w, 3)"""
    confused_motion: Bytes
    """(C, h, w) of the time step with the most motion."""
    confused_residual: Bytes
    """(C, h, w) of the same."""
    example_videos: Texts
    """(E,) the same for every run of a data set."""
    example_labels: Ints
    """(E,)"""
    example_frames: Bytes
    """(E, s, h, w, 3) raw P-frames of s of the time steps."""
    example_motion: Bytes
    """(E, s, h, w)"""
    example_residual: Bytes
    """(E, s, h, w)"""
    example_steps: Ints
    """(s,) which of the time steps they are, from 0."""
    example_gates: Floats
    """(E, T) the attention gate's weights; (E, 0) where the network has no gate."""
    gates: Floats
    """(N, T) the same of all clips looked at, or (N, 0)."""
    graphs: Texts
    """(M,) names of the temporal graphs."""
    teacher_edges: Floats
    """(M, T, T) mean over clips of A(i, j) in units of the clip's largest edge; (0, T, T) without teacher."""
    student_edges: Floats
    """(M, T, T) of the decoded maps, in units of the teacher's largest edge, else of its own; (0, T, T) without."""
    teacher_tells: Floats
    """(M,) percent of the clips whose class is that of the clip with the most similar edges; (0,) without teacher."""
    student_tells: Floats
    """(M,) the same of the student's, or (0,)."""
    labels: Ints
    """(N,) of the clips looked at."""
    teacher_features: Floats
    """(N, 2) first two principal components of the maps' means, or (0, 2)."""
    student_features: Floats
    """(N, 2) the same of the decoded maps, or of the logits without pseudo-decoder."""
    teacher_variance: Floats
    """(2,) shares of the variance that the components hold, or (0,)."""
    student_variance: Floats
    """(2,)"""

    def __post_init__(self) -> None:
        sizes: dict[str, int] = {"2": 2, "3": 3}
        for field in fields(self):
            shape, letters = getattr(self, field.name).shape, _SHAPES[field.name]
            # An empty list of clips has no picture size to agree on.
            if len(shape) != len(letters):
                raise ValueError(f"{field.name}: expected {len(letters)} axes ({', '.join(letters)}), got {shape}")
            for letter, size in zip(letters, shape, strict=True):
                if 0 not in shape and sizes.setdefault(letter, size) != size:
                    raise ValueError(f"{field.name}: {shape} has {letter} = {size}, elsewhere {sizes[letter]}")

    @property
    def has_gate(self) -> bool:
        """The network has an attention gate."""
        return bool(self.gates.shape[1])

    def write(self, path: Path) -> None:
        """Writes all arrays as one .npz file."""
        stream = io.BytesIO()
        np.savez_compressed(stream, **{field.name: getattr(self, field.name) for field in fields(self)})
        atomic_write(path, stream.getvalue())


def read_inspection(path: Path) -> Inspection:
    """What `Inspection.write` has written.

    Raises:
        TrackingError: the file is damaged, or another version's.
    """
    try:
        # Without pickle: nothing of a foreign file is executed.
        with np.load(path, allow_pickle=False) as arrays:
            known: dict[str, Any] = {field.name: arrays[field.name] for field in fields(Inspection)}
        return Inspection(**known)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrackingError(f"{path}: cannot be read as an inspection: {first_line(error)}") from error


def load_inspection(run_id: str, tracking_uri: str | None = None) -> Inspection | None:
    """A run's; None for a run that keeps none, as those of earlier versions.

    Raises:
        TrackingError: there is no such store or run, or the file cannot be read.
    """
    from mlflow.exceptions import MlflowException

    uri = tracking_uri or store.tracking_uri()
    client = open_client(uri, must_exist=True)
    try:
        files = [found.path for found in client.list_artifacts(run_id, INSPECTION) if found.path.endswith(".npz")]
        if not files:
            return None
        with tempfile.TemporaryDirectory() as folder:
            return read_inspection(Path(client.download_artifacts(run_id, files[0], folder)))
    except (MlflowException, OSError) as error:
        raise TrackingError(f"inspection of run {run_id} cannot be read from {uri}: {first_line(error)}") from error
