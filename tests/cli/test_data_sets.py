"""`cdkd data prepare`, `check` and `list` as a user types them."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from support import faulty_videos
from support.official_trees import H264, ucf101_tree, write_video

from cdkd.cli.data_sets import commands
from cdkd.data.manifest import read_manifest
from cdkd.data.opening import open_dataset
from cdkd.errors import CdkdError

SMALL = ("--width", "80", "--height", "64", "--gop", "6", "--quantiser", "8", "--workers", "1")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))


def invoke(*arguments: object) -> Result:
    group = click.Group("data", commands={command.name or "": command for command in commands})
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def test_prepare_check_and_list(tmp_path: Path) -> None:
    source, output = ucf101_tree(tmp_path / "in"), tmp_path / "out"
    result = invoke("prepare", "ucf101", "--source", source, "--output", output, *SMALL)
    assert result.exit_code == 0, result.output
    versions = [read_manifest(output, split).version for split in (1, 2, 3)]
    assert result.stdout.splitlines() == [
        "ucf101: 7 transcoded, 0 kept, 0 broken",
        f"split 1: train 5, test 2; version {versions[0]}",
        f"split 2: train 4, test 3; version {versions[1]}",
        f"split 3: train 5, test 2; version {versions[2]}",
        f"wrote {output}/manifest.csv and quarantine.csv",
    ]
    assert result.stderr.splitlines()[-1] == "ucf101: 7 of 7 videos, 0 broken"

    checked = invoke("check", "ucf101")
    assert isinstance(checked.exception, CdkdError)
    assert "    1  train          9,537         5         5" in checked.stdout
    assert "missing: 3 classes, officially 101" in checked.stdout

    listed = invoke("list").stdout.splitlines()
    place = listed.index("ucf101: UCF-101; 101 classes; 3 splits; train 9,537, test 3,783; views 10 x 3; flips on")
    assert listed[place + 1] == f"    {output}: split 1 of 1, 2, 3: train 5, test 2; version {versions[0]}"
    assert "    not prepared" in listed

    record = json.loads(invoke("list", "--json").stdout)["ucf101"]
    assert (record["title"], record["classes"]) == ("UCF-101", 101)
    assert record["official"]["3"] == {"train": 9624, "test": 3696}
    assert list(record["prepared"]) == [str(output)]
    report = json.loads(invoke("check", "ucf101", "--json").stdout)
    assert report["parts"][0] == {"split": 1, "part": "train", "official": 9537, "listed": 5, "present": 5}
    assert report["is_complete"] is False


def test_list_shows_what_lies_in_the_cache(tmp_path: Path) -> None:
    assert invoke("list").stdout.splitlines()[:2] == [
        "shapes: shapes (embedded, synthetic); 12 classes; views 1 x 1; flips off; generated when it is first used",
        "    none in the cache",
    ]
    for index in range(6):
        write_video(tmp_path / "clips" / "ab"[index % 2] / f"{index}.mp4", H264, seed=index)
    manifest = open_dataset(tmp_path / "clips").manifest
    lines = invoke("list").stdout.splitlines()
    assert lines[lines.index(next(line for line in lines if line.startswith("folder: "))) + 1] == (
        f"    {manifest.root}: cache of {tmp_path}/clips, 0.00 GB: split 1 of 1: train 4, test 2; "
        f"version {manifest.version}"
    )


@pytest.mark.parametrize("option", ["--source", "--annotations"])
def test_a_folder_that_is_not_there_is_named_with_its_option(tmp_path: Path, option: str) -> None:
    places = {"--source": tmp_path, "--annotations": tmp_path, "--output": tmp_path / "out", option: "/nosuch"}
    result = invoke("prepare", "ucf101", *(text for pair in places.items() for text in pair))
    assert isinstance(result.exception, CdkdError)
    assert str(result.exception) == f"{option} /nosuch: not found"


def test_too_many_broken_videos_fail(tmp_path: Path) -> None:
    source = ucf101_tree(tmp_path / "in")
    faulty_videos.text(source / "UCF-101/YoYo/v_YoYo_g02_c04.avi")
    result = invoke("prepare", "ucf101", "--source", source, "--output", tmp_path / "out", *SMALL)
    assert result.exit_code == 1
    assert "14.3 % of the videos are broken, accepted are 1.0 %; no manifest was written" in str(result.exception)
    assert "  YoYo/v_YoYo_g02_c04.avi: " in result.stdout
    options = ("--max-broken", "0.15", *SMALL)
    assert invoke("prepare", "ucf101", "--source", source, "--output", tmp_path / "out", *options).exit_code == 0


def test_names_that_are_no_utf8_are_printed_as_escapes(tmp_path: Path) -> None:
    for index in range(3):
        write_video(tmp_path / "in" / "run" / f"{index}.mp4", H264, seed=index)
        made = write_video(tmp_path / "in" / "walk" / "made.mp4", H264, seed=index)
        made.rename(made.with_name(f"{index}\udcff.mp4"))
    faulty_videos.text(tmp_path / "in" / "walk" / "bad\udcfe.mp4")
    base = ("prepare", "folder", "--source", tmp_path / "in", "--output", tmp_path / "out", *SMALL)
    failed = invoke(*base)
    assert "  walk/bad\\udcfe.mp4: " in failed.stdout
    invoke(*base, "--max-broken", "0.5")
    paths = [video.path for video in read_manifest(tmp_path / "out").videos]
    assert paths[3:] == [f"videos/walk/{index}\udcff.mp4" for index in range(3)]
    assert all((tmp_path / "out" / path).is_file() for path in paths)


def test_shards_say_what_is_still_to_come(tmp_path: Path) -> None:
    source = ucf101_tree(tmp_path / "in")
    base = ("prepare", "ucf101", "--source", source, "--output", tmp_path / "out", *SMALL, "--shard")
    assert invoke(*base, "2/3").stdout.splitlines()[-1] == "still to come: shards 1, 3 of 3"
    invoke(*base, "3/3")
    assert invoke(*base, "1/3").stdout.splitlines()[-1].startswith("wrote ")


def test_list_files_of_other_projects(tmp_path: Path) -> None:
    source = ucf101_tree(tmp_path / "in")
    (tmp_path / "a.txt").write_text("YoYo/v_YoYo_g25_c03 120 1\nApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01 99 0\n")
    (tmp_path / "b.txt").write_text("YoYo/v_YoYo_g02_c04.avi yo_yo 1\n")
    (tmp_path / "classes.txt").write_text("make up\nyo yo\n")
    lists = ("--list", f"train={tmp_path}/a.txt", "--list", f"test={tmp_path}/b.txt")
    options = (*lists, "--classes", tmp_path / "classes.txt", *SMALL)
    result = invoke("prepare", "folder", "--source", source, "--output", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    manifest = read_manifest(tmp_path / "out")
    assert manifest.classes == ("make up", "yo yo")
    assert [(video.path, video.label, video.part) for video in manifest.videos] == [
        ("videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.mp4", 0, "train"),
        ("videos/YoYo/v_YoYo_g02_c04.mp4", 1, "test"),
        ("videos/YoYo/v_YoYo_g25_c03.mp4", 1, "train"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nonsense",), "nonsense: no such data set; known: shapes, ucf101"),
        (("shapes",), "shapes: is generated when it is first used; there is nothing to prepare or check"),
        (("ucf101", "--split", "learn"), "--split learn: expected an official split's number or one of train"),
        (("ucf101", "--shard", "4/3"), "--shard 4/3: expected I/N with I from 1 to N"),
        (("ucf101", "--list", "train=a.txt"), "--list: goes with the data set 'folder'"),
        (("folder", "--list", "learn=a.txt"), "--list learn=a.txt: expected PART=FILE"),
        (("folder", "--classes", "a.txt"), "--classes: goes with --list only"),
    ],
)
def test_wrong_arguments_say_what_is_right(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = invoke("prepare", *arguments, "--source", tmp_path, "--output", tmp_path / "out")
    assert isinstance(result.exception, CdkdError)
    assert message in str(result.exception)


@pytest.mark.parametrize("name", ["prepare", "check", "list"])
def test_help_has_examples(name: str) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert f"cdkd data {name}" in result.output
