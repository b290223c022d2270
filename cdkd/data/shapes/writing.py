"""Writes the embedded data set to disk once: MPEG-4 videos and their manifest in the cache folder."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cdkd.callbacks import Progress
from cdkd.capacity import default_workers
from cdkd.data.home import cdkd_home, home_error
from cdkd.data.manifest import (
    LabelledVideo,
    Manifest,
    file_digest,
    has_manifest,
    make_manifest,
    read_manifest,
    write_manifest,
)
from cdkd.data.shapes.clip_keys import ShapesClipKey, shapes_classes, shapes_clip_keys
from cdkd.data.shapes.settings import GOP_LENGTH, ShapesSettings
from cdkd.file_lock import FileLock
from cdkd.process_pool import map_in_processes

QUANTISER = 5
FRAMES_PER_SECOND = 24.0
_CHUNK = 24


def shapes_folder(settings: ShapesSettings) -> Path:
    """Where the data set of these settings lies, whether or not it was made yet."""
    digest = hashlib.sha256(_made_of(settings).encode()).hexdigest()[:12]
    return cdkd_home() / "shapes" / f"v{settings.version}-{settings.frame_size}px-{digest}"


def shapes_version(settings: ShapesSettings) -> str:
    """Sixteen hexadecimal digits that settings of equal videos share, whether or not they were made yet."""
    made_by = f"{_made_of(settings)} {GOP_LENGTH} {QUANTISER} {FRAMES_PER_SECOND}"
    return hashlib.sha256(made_by.encode()).hexdigest()[:16]


def _made_of(settings: ShapesSettings) -> str:
    # Who chose the seed changes no pixel.
    return settings.model_dump_json(exclude={"draw"})


def prepare_shapes(settings: ShapesSettings, progress: Progress = lambda fraction: None) -> Manifest:
    """The data set's manifest; see `ensure_shapes`."""
    return read_manifest(ensure_shapes(settings, progress))


def ensure_shapes(settings: ShapesSettings, progress: Progress = lambda fraction: None) -> Path:
    """The data set's folder; its videos are generated where they are missing.

    Processes that ask at once wait for the one that generates; a killed generation goes on where it stopped.

    Raises:
        VideoError, DatasetError: a file cannot be written, for example on a full disk.
        WorkerError: a worker process was killed.
    """
    folder = shapes_folder(settings)
    # Without the lock: the manifest is written last and at once, so where it is, everything is.
    if has_manifest(folder):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            # Asked again under the lock: another process may have made it while this one waited.
            if not has_manifest(folder):
                write_manifest(folder, _generate(settings, folder, progress))
    except OSError as error:
        raise home_error(folder, error) from error
    return folder


def _generate(settings: ShapesSettings, folder: Path, progress: Progress) -> Manifest:
    keys = list(shapes_clip_keys(settings))
    for part in {key.part for key in keys}:
        (folder / part).mkdir(exist_ok=True)
    videos: list[LabelledVideo] = []
    for written in _write_all(settings, folder, keys):
        videos += written
        progress(len(videos) / len(keys))
    provenance = {"codec": "mpeg4", "gop_length": str(GOP_LENGTH), "quantiser": str(QUANTISER)}
    generator = {f"shapes.{name}": str(value) for name, value in settings.model_dump().items()}
    return make_manifest("shapes", folder, shapes_classes(settings.version), videos, {**provenance, **generator})


def _write_all(settings: ShapesSettings, folder: Path, keys: list[ShapesClipKey]) -> Iterator[list[LabelledVideo]]:
    chunks = [keys[i : i + _CHUNK] for i in range(0, len(keys), _CHUNK)]
    return map_in_processes(partial(_write_clips, settings, folder), chunks, default_workers())


def _write_clips(settings: ShapesSettings, folder: Path, keys: list[ShapesClipKey]) -> list[LabelledVideo]:
    # Load FFmpeg and numba, which those who only look for the data set can do without.
    from cdkd.data.shapes.rendering import render_clip
    from cdkd.video.transcode import encode_frames

    written = []
    for key in keys:
        relative = f"{key.part}/{key.name(settings.version)}.mp4"
        path = folder / relative
        # Left by a run that was killed, and whole, as `encode_frames` shows a file under its name only then.
        if not path.exists():
            frames = render_clip(settings, key)
            encode_frames(path, frames, frames_per_second=FRAMES_PER_SECOND, gop_length=GOP_LENGTH, quantiser=QUANTISER)
        group = f"{key.part}-{key.group:04d}"
        written.append(LabelledVideo(relative, key.label, group, key.part, file_digest(path)))  # type: ignore[arg-type]
    return written
