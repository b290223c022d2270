"""README's blocks for the paper's data sets run on miniature trees of the official formats, from archive to table."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from support.guides import REPOSITORY, Workplace
from support.official_networks import tdn_state, tsm_state
from support.official_trees import hmdb51_tree, kinetics400_tree, ssv2_tree, ucf101_tree

from cdkd.tracking.runs import load_runs

_SECTION = (REPOSITORY / "README.md").read_text().partition("## Your own data\n")[2].partition("\n## ")[0]
_BLOCKS = re.findall(r"^```sh\n(.*?)^```$", _SECTION, re.MULTILINE | re.DOTALL)
# One row per network: it needs all that the others need.
_ONLY = ["--only", "row=both"]
# The recipe's words, on networks and pictures as small as these files of them can be.
_SMALL = {
    "data.input_size": 40,
    "evaluation.resize": 44,
    "evaluation.clips": 1,
    "evaluation.crops": 1,
    "student.streams": "resnet18",
    "train.epochs": 1,
    "train.batch_size": 2,
    "teacher.train.epochs": 1,
    "teacher.train.batch_size": 2,
    "runtime.num_workers": 0,
    "runtime.device": "cpu",
}


def _block(data_set: str) -> str:
    (code,) = [block for block in _BLOCKS if f"data prepare {data_set} " in block]
    assert code.count("\n") <= 5
    return code


def _run(
    folder: Path, tree: Callable[[Path], Path], tree_folder: str, data_set: str, backbone: str, *more: str
) -> tuple[str, str]:
    """What the block prints, and the address of the store that it filled."""
    tree(folder / tree_folder)
    small = [f"--set={key}={value}" for key, value in {**_SMALL, "teacher.backbone": backbone}.items()]
    place = Workplace(folder, {"sweep": [*_ONLY, *small, *more]}, small=False)
    # Stands where torchvision would put what it downloads.
    cached = folder / "torch/hub/checkpoints/resnet18-f37072fd.pth"
    cached.parent.mkdir(parents=True)
    torch.save(torchvision.models.resnet18().state_dict(), cached)
    place.environment["TORCH_HOME"] = str(folder / "torch")
    return place.shell(_block(data_set)), f"sqlite:///{folder / 'mlflow.db'}"


def _authors_file(folder: Path, name: str, num_classes: int, depth: str) -> None:
    torch.save({"state_dict": tsm_state(num_classes, depth), "epoch": 50}, folder / name)


_TSM_K400 = "TSM_kinetics_RGB_resnet50_shift8_blockres_avg_segment8_e50.pth"
_TSM_SSV2 = "TSM_somethingv2_RGB_resnet50_shift8_blockres_avg_segment8_e45.pth"


def test_ucf101_trains_both_networks_with_their_own_fine_tuned_teachers(tmp_path: Path) -> None:
    _authors_file(tmp_path, _TSM_K400, 400, "resnet50")
    torch.save({"state_dict": tdn_state(400), "epoch": 99}, tmp_path / "tdn_k400_segment16.pth.tar")
    printed, uri = _run(tmp_path, ucf101_tree, ".", "ucf101", "resnet50")
    assert "Measured on UCF-101; compare with the published column" in printed
    for arch, file in (("TSM", "tsm-k400"), ("TDN", "tdn-k400")):
        assert f"{arch} ResNet-50, fine-tuned from {file}.safetensors on UCF-101" in " ".join(printed.split())
    # The second study's table has the first one's row, too.
    table = printed[printed.rindex("\nTable 4") :]
    assert re.findall(r"^(T..) \+ ours +yes +yes +\d+\.\d \(1\)", table, re.MULTILINE) == ["TSM", "TDN"]
    runs = load_runs(uri)
    assert sorted(zip(runs["study"], runs["label"], strict=True)) == [("ablation", "both"), ("ablation-tdn", "both")]
    assert set(runs["status"]) == {"finished"} and set(runs["metadata.initial_weights"]) == {"imagenet"}
    taught = runs[runs["study"] == "ablation-tdn"].iloc[0]
    assert (taught["settings.teacher.weights"], taught["settings.teacher.checkpoint"]) == ("tdn-k400.safetensors", None)


@pytest.mark.parametrize(
    ("data_set", "tree", "tree_folder", "teacher", "says"),
    [
        ("hmdb51", hmdb51_tree, ".", "fine-tuned from tsm-k400.safetensors on HMDB-51", "Measured on HMDB-51; compare"),
        ("kinetics400", kinetics400_tree, "k400", "tsm-k400.safetensors", "Measured on Kinetics-400; compare"),
        ("ssv2", ssv2_tree, ".", "tsm-ssv2.safetensors", "Measured on Something-Something V2; compare"),
    ],
)
def test_from_archive_to_table(
    tmp_path: Path, data_set: str, tree: Callable[[Path], Path], tree_folder: str, teacher: str, says: str
) -> None:
    name, classes = (_TSM_SSV2, 174) if data_set == "ssv2" else (_TSM_K400, 400)
    _authors_file(tmp_path, name, classes, "resnet18")
    if data_set != "ssv2":
        Workplace(tmp_path).shell(f"cdkd teacher import {name} --arch tsm -o tsm-k400.safetensors")
    # Its last line reports.
    printed, uri = _run(tmp_path, tree, tree_folder, data_set, "resnet18", "--no-report")
    assert says in printed and teacher in " ".join(printed.split())
    runs = load_runs(uri, "ablation")
    assert list(runs["label"]) == ["both"]
    assert set(runs["status"]) == {"finished"} and set(runs["metadata.initial_weights"]) == {"imagenet"}
    # The last table printed is the paper's own for this set, with a measured figure in it.
    table = printed[printed.rindex("\nTable ") :]
    assert re.search(r"^TSM \+ ours .* \d+\.\d \(1\)", table, re.MULTILINE)
