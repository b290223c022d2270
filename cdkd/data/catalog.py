"""The data sets that cdkd knows, and how one is opened by name."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from cdkd.data.folder import folder_root, read_folder
from cdkd.data.hmdb51 import read_hmdb51
from cdkd.data.home import cdkd_home
from cdkd.data.kinetics400 import kinetics400_names, read_kinetics400
from cdkd.data.manifest import DatasetError, Manifest, has_manifest, make_manifest, read_manifest
from cdkd.data.prepare import PrepareJob, default_workers, prepare
from cdkd.data.registry import known_folders
from cdkd.data.spec import DatasetSpec, FlipPolicy
from cdkd.data.splits import hold_out
from cdkd.data.ssv2 import read_ssv2
from cdkd.data.ucf101 import read_ucf101

# Counts are the publishers' lists; "test" of Kinetics-400 and Something-Something V2 is their validation part, which is
# what papers report. The paper gives no views for UCF-101 and HMDB-51; 10 x 3 is what the TDN teacher's authors use.
DATASETS: dict[str, DatasetSpec] = {
    "ucf101": DatasetSpec(
        name="ucf101",
        title="UCF-101",
        read=read_ucf101,
        splits=(1, 2, 3),
        num_classes=101,
        counts={
            1: {"train": 9537, "test": 3783},
            2: {"train": 9586, "test": 3734},
            3: {"train": 9624, "test": 3696},
        },
        views=(10, 3),
        ignore_case=True,
    ),
    "hmdb51": DatasetSpec(
        name="hmdb51",
        title="HMDB-51",
        read=read_hmdb51,
        splits=(1, 2, 3),
        num_classes=51,
        counts={split: {"train": 3570, "test": 1530, "unused": 1666} for split in (1, 2, 3)},
        views=(10, 3),
    ),
    "kinetics400": DatasetSpec(
        name="kinetics400",
        title="Kinetics-400",
        read=read_kinetics400,
        num_classes=400,
        views=(10, 3),
        copies_differ=True,
        source_names=kinetics400_names,
        note="copies differ: one often used has 240,436 train and 19,796 test videos, another 234,619 and 19,760",
    ),
    "ssv2": DatasetSpec(
        name="ssv2",
        title="Something-Something V2",
        read=read_ssv2,
        num_classes=174,
        counts={1: {"train": 168_913, "test": 24_777, "unused": 27_157}},
        views=(2, 3),
        flip="swap",
        # pulling, pushing, turning the camera: from left to right and from right to left
        swapped_labels=((86, 87), (93, 94), (166, 167)),
    ),
    "folder": DatasetSpec(
        name="folder",
        title="a folder of videos",
        read=read_folder,
        # Nobody knows whether these classes tell left from right.
        flip="off",
        note="one sub-folder per class, or a CSV path,label[,group,split]",
    ),
}


def dataset_spec(name: str) -> DatasetSpec:
    """A data set by name.

    Raises:
        DatasetError: unknown; the text lists the known ones.
    """
    if name not in DATASETS:
        raise DatasetError(f"{name}: no such data set; known: {', '.join(DATASETS)}")
    return DATASETS[name]


def flip_policy(name: str) -> tuple[FlipPolicy, tuple[tuple[int, int], ...]]:
    """What a horizontal flip may do to a data set: the policy and the pairs of labels that it exchanges."""
    spec = dataset_spec(name)
    return spec.flip, spec.swapped_labels


def default_views(name: str) -> tuple[int, int]:
    """Clips and crops per test video in the paper's protocol."""
    return dataset_spec(name).views


def load_manifest(
    name: str,
    root: Path | str | None,
    split: int = 1,
    validation_share: float = 0.1,
    seed: int = 0,
    *,
    max_unreadable: float = 0.0,
    progress: Callable[[float], None] = lambda share: None,
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
        DATASETS["folder"], source, output, num_workers=default_workers(), max_broken=max_broken, wait=True
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
