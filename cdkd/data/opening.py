"""Opens a data set by its settings: its manifest, and what its labels allow."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cdkd.data.annotations.catalog import dataset_spec, flip_policy
from cdkd.data.annotations.folder import folder_root
from cdkd.data.annotations.spec import DatasetSpec, FlipPolicy
from cdkd.data.home import cdkd_home
from cdkd.data.manifest import DatasetError, Manifest, has_manifest, make_manifest, read_manifest
from cdkd.data.preparation.prepare import PrepareJob, default_workers, prepare
from cdkd.data.prepared_roots import known_folders
from cdkd.data.shapes.writing import prepare_shapes
from cdkd.data.splits import hold_out
from cdkd.settings import DataSettings


@dataclass(frozen=True)
class OpenDataset:
    """A data set that is ready to be read."""

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


def open_dataset(settings: DataSettings, progress: Callable[[float], None] = lambda fraction: None) -> OpenDataset:
    """The data set of some settings; what must be generated or transcoded first is.

    Raises:
        DatasetError, VideoError: it is missing, damaged, or cannot be made.
    """
    if settings.name == "shapes":
        dataset = OpenDataset(prepare_shapes(settings.shapes, progress), flip="off")
    else:
        manifest = load_manifest(
            settings.name,
            settings.root,
            settings.split,
            settings.validation_share,
            max_unreadable=settings.max_unreadable,
            progress=progress,
        )
        dataset = OpenDataset(manifest, *flip_policy(settings.name))
    if settings.flip != "auto":
        return OpenDataset(dataset.manifest, settings.flip, dataset.swapped_labels)
    return dataset


def load_manifest(
    name: str,
    root: Path | str | None,
    split: int = 1,
    validation_share: float = 0.1,
    seed: int = 0,
    *,
    max_unreadable: float = 0.0,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Manifest:
    """Opens a prepared data set under one split, with a validation part.

    Where the data set has no validation part, whole groups of the training part become one. That does not change the
    manifest's version, which stands for what lies on disk. The videos of a plain folder are transcoded into the cache
    first, those that were not yet; processes that ask at once wait for the one that does it.

    Args:
        name: a data set of the catalog.
        root: its folder; None: where it was last prepared.
        split: official number.
        validation_share: share of the training videos, between 0 and 1.
        seed: decides which groups are held out.
        max_unreadable: plain folder: share of videos that may be broken.
        progress: plain folder: called with the share that is done.

    Raises:
        DatasetError: not prepared, not readable, or nothing could be held out.
    """
    folder = locate(dataset_spec(name), root)
    if name == "folder" and not has_manifest(folder):
        folder = _transcode_folder(folder, max_unreadable, progress)
    manifest = read_manifest(folder, split)
    if manifest.name != name:
        raise DatasetError(f"{folder}: holds {manifest.name}, but data.name is {name}")
    parts = manifest.num_videos_per_part
    if parts.get("validation") or not parts.get("train"):
        return manifest
    videos = hold_out(manifest.videos, validation_share, seed)
    held = make_manifest(
        name,
        manifest.root,
        manifest.classes,
        videos,
        {**manifest.settings, "validation_share": str(validation_share), "validation_seed": str(seed)},
    )
    if not held.part("validation"):
        raise DatasetError(f"{folder}: no class has a second group or video that could be held out for validation")
    return Manifest(name, held.root, held.classes, held.videos, manifest.version, held.settings)


def locate(spec: DatasetSpec, root: Path | str | None) -> Path:
    """The folder of a data set: the given one, else the one it was last prepared in.

    Raises:
        DatasetError: it does not exist, or none is given and none is known.
    """
    if root is not None:
        folder = Path(root).expanduser()
        if not folder.exists():
            raise DatasetError(f"data.root={root}: not found")
        return folder
    for folder in known_folders().get(spec.name, ()):
        if has_manifest(folder):
            return folder
    example = f"cdkd data prepare {spec.name} --source DIR --output DIR"
    if spec.name == "folder":
        raise DatasetError("data.root is not set; name the folder of videos: --set data.root=DIR")
    raise DatasetError(f"data.root is not set and {spec.name} was not prepared on this machine: {example}")


def _transcode_folder(source: Path, max_broken: float, progress: Callable[[float], None]) -> Path:
    place = str(source.resolve())
    output = cdkd_home() / "folder" / f"{folder_root(source).name}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    job = PrepareJob(
        dataset_spec("folder"), source, output, num_workers=default_workers(), max_broken=max_broken, wait=True
    )
    report = prepare(job, lambda done, total, failed: progress(done / total))
    if not report.is_acceptable:
        path, reason = next(iter(report.result.failed.items()), ("", ""))
        raise DatasetError(
            f"{source}: {len(report.result.failed)} of {len(report.result.failed) + len(report.result.done)} videos "
            f"cannot be used, for example {path}: {reason}; the whole list is {output / 'quarantine.csv'}; "
            f"remove them, or accept a share with --set data.max_unreadable=0.1"
        )
    return output
