"""Official metadata of each data set as the publishers state it, and where a data set's name leads."""

from typing import get_args

import pytest

from cdkd.data.annotations.catalog import DATASETS, dataset_spec, default_views
from cdkd.data.manifest import DatasetError
from cdkd.settings import DatasetName


@pytest.mark.parametrize("name", get_args(DatasetName))
def test_every_name_of_the_settings_has_its_facts(name: str) -> None:
    spec = dataset_spec(name)
    assert spec.name == name and spec.title


@pytest.mark.parametrize(("name", "total"), [("ucf101", 13_320), ("hmdb51", 6_766), ("ssv2", 220_847)])
def test_every_split_counts_all_videos(name: str, total: int) -> None:
    spec = dataset_spec(name)
    assert sorted(spec.counts) == list(spec.splits)
    assert {sum(counts.values()) for counts in spec.counts.values()} == {total}


def test_protocol_of_each_data_set() -> None:
    assert {name: default_views(name) for name in DATASETS} == {
        "shapes": (1, 1),
        "ucf101": (10, 3),
        "hmdb51": (10, 3),
        "kinetics400": (10, 3),
        "ssv2": (2, 3),
        "folder": (1, 1),
        "unlabelled": (1, 1),
    }
    ssv2 = dataset_spec("ssv2")
    assert (ssv2.flip, ssv2.swapped_labels) == ("swap", ((86, 87), (93, 94), (166, 167)))
    named = ("ucf101", "hmdb51", "kinetics400", "folder")
    assert [dataset_spec(name).flip for name in named] == ["on", "on", "on", "off"]
    assert dataset_spec("shapes").flip == "off"


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        DatasetError, match=r"ucf102: no such data set; known: shapes, ucf101, hmdb51, kinetics400, ssv2, f"
    ):
        dataset_spec("ucf102")


def test_names_in_the_papers_tables() -> None:
    assert [DATASETS[name].published_name for name in ("ucf101", "hmdb51", "ssv2")] == ["UCF-101", "HMDB-51", "SSV2"]
    assert [name for name, spec in DATASETS.items() if not spec.published_name] == ["shapes", "folder", "unlabelled"]
