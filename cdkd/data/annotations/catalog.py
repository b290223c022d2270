"""The table of the data sets that cdkd knows: facts alone, so that whoever asks needs neither torch nor a file."""

from cdkd.data.annotations.folder import read_folder
from cdkd.data.annotations.hmdb51 import read_hmdb51
from cdkd.data.annotations.kinetics400 import kinetics400_names, read_kinetics400
from cdkd.data.annotations.spec import DatasetSpec, FlipPolicy
from cdkd.data.annotations.ssv2 import read_ssv2
from cdkd.data.annotations.ucf101 import read_ucf101
from cdkd.data.manifest import DatasetError

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
