"""The videos from which a student learns without labels: `data.unlabelled`, and what it must not name.

    a part of the data set        pretrain, unlabelled, train, unused: its labels are dropped here
    a folder of videos, a CSV     transcoded into the cache folder as a labelled folder is (`cdkd.data.preparation`)
    a prepared data set           its parts to train on: train, pretrain, unlabelled; its folder or its manifest.csv

`data.unlabelled_videos` says how many of them.

Imports no torch, so that plans learn at once which content a run has.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from cdkd.callbacks import Progress
from cdkd.data.annotations.catalog import dataset_spec
from cdkd.data.manifest import (
    MANIFEST_NAME,
    PARTS,
    UNKNOWN_LABEL,
    DatasetError,
    LabelledVideo,
    Manifest,
    Part,
    has_manifest,
    make_manifest,
    manifest_version,
    read_manifest,
    split_numbers,
)
from cdkd.data.opening import manifest_on_disk
from cdkd.data.preparation.plain_folder import content_of, transcode_folder
from cdkd.seeding import derive_seed
from cdkd.settings import DataSettings

_TO_TRAIN_ON: tuple[Part, ...] = ("train", "pretrain", "unlabelled")
_MEASURED_ON: tuple[Part, ...] = ("validation", "test")


def is_part(place: str) -> bool:
    """A value of `data.unlabelled` names a part of the data set itself."""
    return place in PARTS


def open_unlabelled(settings: DataSettings, labelled: Manifest, progress: Progress = lambda fraction: None) -> Manifest:
    """The videos of `data.unlabelled`, all in the part `unlabelled` and without labels; transcoded first if need be.

    Args:
        settings: of the data set; `unlabelled` names something.
        labelled: the data set as opened, its validation part held out.
        progress: called with the fraction of the transcoding that is done.

    Raises:
        DatasetError, VideoError: there are no such videos or fewer than asked for, they are coded otherwise than the
            labelled ones, or some of them are among those that validate or test.
    """
    place = settings.unlabelled
    if is_part(place):
        found, videos = labelled, _of_part(labelled, cast(Part, place))
    else:
        found = _elsewhere(Path(place).expanduser(), settings, progress)
        videos = tuple(video for video in found.videos if video.part in _TO_TRAIN_ON)
        if not videos:
            raise DatasetError(f"data.unlabelled={place}: has no videos of the parts {', '.join(_TO_TRAIN_ON)}")
        _refuse_other_gops(place, found, labelled)
    _refuse_overlap(place, found, videos, labelled)
    chosen = videos if settings.unlabelled_videos == "all" else _some(place, videos, settings.unlabelled_videos)
    bare = (replace(video, label=UNKNOWN_LABEL, part="unlabelled") for video in chosen)
    return make_manifest(found.name, found.root, (), bare, found.settings)


def check_unlabelled(settings: DataSettings) -> None:
    """What `open_unlabelled` would refuse is refused, as far as it can be told from what is made already.

    Raises:
        DatasetError: as `open_unlabelled`.
    """
    place = settings.unlabelled
    is_made = is_part(place) or has_manifest(_root(Path(place).expanduser()))
    labelled = manifest_on_disk(settings)
    if is_made and labelled is not None:
        open_unlabelled(settings, labelled)


def unlabelled_version(place: str) -> str | None:
    """Sixteen hexadecimal digits that equal videos share, wherever they lie; nothing is transcoded or decoded for it.

    Args:
        place: a value of `data.unlabelled` that names no part.

    Returns:
        None: there is nothing yet.

    Raises:
        DatasetError: what is there cannot be read, or holds no video.
    """
    if not Path(place).expanduser().exists():
        return None
    folder = _root(Path(place).expanduser())
    if has_manifest(folder):
        return manifest_version(folder, split_numbers(folder)[0])
    return content_of(dataset_spec("unlabelled"), folder)


def _root(path: Path) -> Path:
    if not path.exists():
        raise DatasetError(
            f"data.unlabelled={path}: not found; name a folder of videos, a CSV file, a prepared data set, or a part "
            f"of the data set itself ({', '.join(_TO_TRAIN_ON)})"
        )
    return path.parent if path.name == MANIFEST_NAME else path


def _elsewhere(path: Path, settings: DataSettings, progress: Progress) -> Manifest:
    folder = _root(path)
    if not has_manifest(folder):
        folder = transcode_folder(dataset_spec("unlabelled"), folder, settings.max_unreadable, progress)
    return read_manifest(folder, split_numbers(folder)[0])


def _of_part(manifest: Manifest, part: Part) -> tuple[LabelledVideo, ...]:
    parts = manifest.num_videos_per_part
    allowed = [name for name in parts if name not in _MEASURED_ON]
    if part in _MEASURED_ON:
        raise DatasetError(
            f"data.unlabelled={part}: what a run is measured on must not be learnt from; name one of "
            f"{', '.join(allowed)}, a folder of videos or a prepared data set"
        )
    if part not in parts:
        raise DatasetError(
            f"data.unlabelled={part}: {manifest.name} has no such part; it has {', '.join(parts)}; name one of "
            f"{', '.join(allowed)}, a folder of videos or a prepared data set"
        )
    return manifest.part(part)


def _some(place: str, videos: Sequence[LabelledVideo], number: int) -> Sequence[LabelledVideo]:
    if number > len(videos):
        raise DatasetError(
            f"data.unlabelled_videos={number}: data.unlabelled={place} has {len(videos):,}; ask for fewer, or for all"
        )
    # An order of their own, whatever stands beside them: fewer videos are always some of more. By content too, or every
    # draw of the embedded data set would have the same classes among its first.
    return sorted(videos, key=lambda video: derive_seed(0, "unlabelled videos", video.path, video.digest))[:number]


def _refuse_other_gops(place: str, found: Manifest, labelled: Manifest) -> None:
    """Motion since the I-frame has another range where GOPs have another length: the student is tested on one."""
    theirs, ours = (manifest.settings.get("gop_length") for manifest in (found, labelled))
    if theirs is not None and ours is not None and theirs != ours:
        raise DatasetError(
            f"data.unlabelled={place}: its groups of pictures have {theirs} frames, those of the labelled videos "
            f"{ours}; prepare it alike: cdkd data prepare unlabelled --source DIR --output DIR --gop {ours}"
        )


def _refuse_overlap(place: str, found: Manifest, videos: Iterable[LabelledVideo], labelled: Manifest) -> None:
    measured = [video for video in labelled.videos if video.part in _MEASURED_ON]
    # Names of groups mean the same within one list, and within the lists of one data set; elsewhere they are accidents.
    is_same_set = found.name == labelled.name or "unlabelled" in (found.name, labelled.name)
    groups = {video.group: video.part for video in measured if video.group and is_same_set}
    digests = {video.digest: video for video in measured if video.digest}
    paths = {video.path for video in measured} if found.root.resolve() == labelled.root.resolve() else set()
    shared_groups: Counter[tuple[str, Part]] = Counter()
    for video in videos:
        if video.path in paths or video.digest in digests:
            other = digests.get(video.digest, video)
            raise DatasetError(
                f"data.unlabelled={place}: {video.path} is {other.path} of the {other.part} part, and what a run is "
                f"measured on must not be learnt from; remove it there"
            )
        if video.group in groups:
            shared_groups[video.group, groups[video.group]] += 1
    if shared_groups:
        (group, part), count = shared_groups.most_common(1)[0]
        more = f", and of {len(shared_groups) - 1} more groups" if len(shared_groups) > 1 else ""
        raise DatasetError(
            f"data.unlabelled={place}: {count} of its videos are of the group '{group}'{more}, which the {part} part "
            f"has too, and what a run is measured on must not be learnt from; leave them out, or move the whole group "
            f"to one side"
        )
