"""Opens a data set by its settings: its manifest, and what its labels allow.

    settings -> folder with a manifest (prepared by the user, or made now) -> one split -> validation part held out

Imports no torch, so that plans and tables learn at once which content a data set has.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdkd.callbacks import Progress
from cdkd.data.annotations.catalog import DATASETS, dataset_spec
from cdkd.data.annotations.spec import DatasetSpec, FlipPolicy, Origin
from cdkd.data.home import known_folders
from cdkd.data.manifest import (
    DatasetError,
    Manifest,
    Part,
    has_manifest,
    manifest_version,
    prepared_name,
    read_manifest,
)
from cdkd.data.preparation.plain_folder import content_of, transcode_folder
from cdkd.data.shapes.writing import ensure_shapes, shapes_folder, shapes_version
from cdkd.data.splits import hold_out
from cdkd.settings import DataSettings

if TYPE_CHECKING:
    from cdkd.data.clips.sampling import ClipLayout
    from cdkd.data.loading.dataset import ClipDataset


def _silent(fraction: float) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class OpenDataset:
    """A data set that is ready to be read."""

    settings: DataSettings
    manifest: Manifest
    flip: FlipPolicy
    """Horizontal flips in training: off, on, or on with the labels of `swapped_labels` exchanged."""
    swapped_labels: tuple[tuple[int, int], ...] = ()

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.manifest.classes)

    @property
    def metadata(self) -> dict[str, str]:
        """Provenance, as text: what a reader of a table must know of the data."""
        counts = {f"num_{part}_videos": str(n) for part, n in self.manifest.num_videos_per_part.items()}
        return {"dataset": self.manifest.name, "dataset_version": self.manifest.version, "flip": self.flip, **counts}

    def clips(self, part: Part, layout: "ClipLayout | None" = None, num_workers: int = 0) -> "ClipDataset":
        """The clips of a part, for indexing and for torch's `DataLoader`.

        Args:
            part: train, validation, test, or pretrain where there is one.
            layout: the shape of a clip; None: as the settings say, without windows around its frames.
            num_workers: processes that read ahead for the training and test loaders.

        Raises:
            DatasetError: the part is empty.
            UnreadableError: more videos are unreadable than `max_unreadable` accepts.
            PackedError: `cache` is packed and there is no packed cache of that layout.
        """
        from cdkd.data.clips.sampling import ClipLayout
        from cdkd.data.loading.dataset import ClipDataset

        settings = self.settings
        return ClipDataset(
            self.manifest,
            part,
            layout or ClipLayout(settings.gops_per_clip, settings.frames_per_gop, sampling=settings.sampling),
            form=settings.p_frame_form,
            num_workers=num_workers,
            cache=settings.cache,
            max_unreadable=settings.max_unreadable,
        )


def open_dataset(
    data: DataSettings | str | Path, progress: Progress = _silent, *, root: Path | str | None = None, **settings: Any
) -> OpenDataset:
    """A data set, ready to be read; what must be generated or transcoded first is.

    Where it has no validation part, whole groups of the training part become one, unless `validation_share` is 0. That
    does not change the manifest's version, which stands for what lies on disk. Processes that ask at once wait for the
    one that makes it.

    Args:
        data: its settings; or its name; or the folder that it was prepared in; or a folder of videos, one sub-folder
            per class.
        progress: called with the fraction of what must be made that is done.
        root: with a name: its folder; None: where it was last prepared.
        settings: with a name or a folder: further fields of `DataSettings`, for example `split=2`.

    Raises:
        DatasetError, VideoError: it is missing, damaged, or cannot be made.

    Example:
        >>> few = {f"{part}_clips_per_class": 1 for part in ("train", "validation", "test", "pretrain")}
        >>> shapes = open_dataset("shapes", shapes=few)
        >>> shapes.num_classes, shapes.manifest.num_videos_per_part
        (12, {'train': 12, 'validation': 12, 'test': 12, 'pretrain': 12})
        >>> clip = shapes.clips("test")[0]
        >>> clip.iframes.shape, clip.residual.shape  # (1, G, 3, H, W) and (1, N, 3, H, W)
        (torch.Size([1, 1, 3, 48, 48]), torch.Size([1, 6, 3, 48, 48]))
    """
    if not isinstance(data, DataSettings):
        data = _settings_of(data, root, settings)
    elif root is not None or settings:
        raise DatasetError("open_dataset: root and other settings go with a name or a folder, not with DataSettings")
    spec = dataset_spec(data.name)
    folder = _ORIGINS[spec.origin].folder(spec, data, progress)
    manifest = _with_validation(_read_split(folder, data), data.validation_share)
    flip = spec.flip if data.flip == "auto" else data.flip
    return OpenDataset(data, manifest, flip, spec.swapped_labels)


def _settings_of(data: str | Path, root: Path | str | None, settings: dict[str, Any]) -> DataSettings:
    place = Path(data).expanduser()
    if str(data) in DATASETS:
        name, folder = str(data), root
    elif place.exists():
        name, folder = (prepared_name(place) if has_manifest(place) else "folder"), place
    else:
        raise DatasetError(f"{data}: neither a data set nor a folder; known data sets: {', '.join(DATASETS)}")
    if name == "unlabelled":
        raise DatasetError(f"{data}: videos without labels stand beside a data set: open that one, with unlabelled=DIR")
    return DataSettings(name=name, root=None if folder is None else str(folder), **settings)  # type: ignore[arg-type]


def dataset_version(settings: DataSettings) -> str | None:
    """The version of what a data set holds at this moment; nothing is generated, transcoded or decoded for it.

    Equal versions mean equal classes and videos, each in its part of the chosen split. The videos that are held out
    for validation follow from it and `data.validation_share`. It need not be the version of the manifest: that of a
    generated data set follows from its generator's settings, that of a plain folder from the folder's own files.

    Returns:
        Sixteen hexadecimal digits; None: there is no such data set yet.

    Raises:
        DatasetError: what is there cannot be read, or has no such split.
    """
    spec = dataset_spec(settings.name)
    return _ORIGINS[spec.origin].version(spec, settings)


def manifest_on_disk(settings: DataSettings) -> Manifest | None:
    """The data set as `open_dataset` gives it, where nothing must be generated or transcoded for it.

    Raises:
        DatasetError: what is there cannot be read, or has no such split.
    """
    spec = dataset_spec(settings.name)
    folder = shapes_folder(settings.shapes) if spec.origin == "generated" else _find(spec, settings.root)
    if folder is None or not has_manifest(folder):
        return None
    return _with_validation(_read_split(folder, settings), settings.validation_share)


@dataclass(frozen=True)
class _Way:
    """How a data set of one origin comes to a folder with a manifest, and which content it has before it is made."""

    folder: Callable[[DatasetSpec, DataSettings, Progress], Path]
    version: Callable[[DatasetSpec, DataSettings], str | None]


def _prepared_folder(spec: DatasetSpec, settings: DataSettings, progress: Progress) -> Path:
    del progress
    return locate(spec, settings.root)


def _prepared_version(spec: DatasetSpec, settings: DataSettings) -> str | None:
    folder = _find(spec, settings.root)
    return manifest_version(folder, settings.split) if folder is not None and has_manifest(folder) else None


def _plain_folder(spec: DatasetSpec, settings: DataSettings, progress: Progress) -> Path:
    folder = locate(spec, settings.root)
    return folder if has_manifest(folder) else transcode_folder(spec, folder, settings.max_unreadable, progress)


def _plain_version(spec: DatasetSpec, settings: DataSettings) -> str | None:
    folder = _find(spec, settings.root)
    if folder is None or has_manifest(folder):
        return _prepared_version(spec, settings)
    return content_of(spec, folder) if folder.exists() else None


def _generated_folder(spec: DatasetSpec, settings: DataSettings, progress: Progress) -> Path:
    del spec
    return ensure_shapes(settings.shapes, progress)


def _generated_version(spec: DatasetSpec, settings: DataSettings) -> str:
    del spec
    return shapes_version(settings.shapes)


_ORIGINS: dict[Origin, _Way] = {
    "published": _Way(_prepared_folder, _prepared_version),
    "plain": _Way(_plain_folder, _plain_version),
    "generated": _Way(_generated_folder, _generated_version),
}


def lacks_validation(settings: DataSettings) -> bool:
    """Nobody can choose on validation videos: none are held out, and the publishers name none.

    A folder may have a validation part of its own, which shows when it is opened.
    """
    return settings.validation_share == 0 and dataset_spec(settings.name).origin == "published"


def locate(spec: DatasetSpec, root: Path | str | None) -> Path:
    """The folder of a data set: the given one, else the one it was last prepared in.

    Raises:
        DatasetError: it does not exist, or none is given and none is known.
    """
    folder = _find(spec, root)
    if folder is not None and folder.exists():
        return folder
    if root is not None:
        raise DatasetError(f"data.root={root}: not found")
    if spec.origin == "generated":
        raise DatasetError(f"{spec.name}: is generated when it is first used; there is nothing to prepare or check")
    if spec.origin == "plain":
        raise DatasetError("data.root is not set; name the folder of videos: --set data.root=DIR")
    example = f"cdkd data prepare {spec.name} --source DIR --output DIR"
    raise DatasetError(f"data.root is not set and {spec.name} was not prepared on this machine: {example}")


def _find(spec: DatasetSpec, root: Path | str | None) -> Path | None:
    if root is not None:
        return Path(root).expanduser()
    return next((folder for folder in known_folders().get(spec.name, ()) if has_manifest(folder)), None)


def _read_split(folder: Path, settings: DataSettings) -> Manifest:
    manifest = read_manifest(folder, settings.split)
    if manifest.name != settings.name:
        raise DatasetError(f"{folder}: holds {manifest.name}, but data.name is {settings.name}")
    return manifest


def _with_validation(manifest: Manifest, fraction: float, seed: int = 0) -> Manifest:
    parts = manifest.num_videos_per_part
    if parts.get("validation") or not parts.get("train") or not fraction:
        return manifest
    videos = hold_out(manifest.videos, fraction, seed)
    if not any(video.part == "validation" for video in videos):
        raise DatasetError(
            f"{manifest.root}: no class has a second group or video that could be held out for validation"
        )
    settings = {**manifest.settings, "validation_share": str(fraction), "validation_seed": str(seed)}
    return replace(manifest, videos=videos, settings=settings)
