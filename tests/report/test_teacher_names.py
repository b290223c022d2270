"""A teacher in words, and which rows of a table learnt from which."""

import pytest
from support.report_runs import BOTH, PLAIN, SPATIAL, RunTable

from cdkd.report.assemble import build_reports
from cdkd.report.teacher_names import teacher_text
from cdkd.report.tracked import read_runs
from cdkd.settings import RunConfig, flat_settings


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "TSM slim, trained on shapes from random weights"),
        ({"backbone": "resnet50", "weights": "a/tsm.safetensors"}, "TSM ResNet-50, fine-tuned from tsm.safetensors on"),
        ({"backbone": "resnet18", "weights": "imagenet"}, "TSM ResNet-18, trained on shapes from ImageNet weights"),
        (
            {"arch": "s3d", "weights": "kinetics400"},
            "S3D, fine-tuned from torchvision's Kinetics-400 weights on shapes",
        ),
        (
            {"arch": "tdn", "checkpoint": "a/t.safetensors", "weights": "imagenet"},
            "TDN slim, as it is in t.safetensors",
        ),
        (
            {"arch": "mvit_v2_s", "checkpoint": "m.safetensors", "members": ["a/b.safetensors"]},
            "MViTv2-S, as it is in m.safetensors, its scores averaged with b.safetensors",
        ),
    ],
)
def test_a_teacher_in_words(settings: dict[str, object], text: str) -> None:
    own = {f"teacher.{key}": value for key, value in settings.items()}
    assert teacher_text({**flat_settings(RunConfig()), **own}).startswith(text)


def test_the_data_set_is_called_as_in_the_papers_tables() -> None:
    own = {"data.name": "ssv2", "teacher.weights": "x.safetensors"}
    assert teacher_text({**flat_settings(RunConfig()), **own}).endswith("fine-tuned from x.safetensors on SSV2")


def test_a_table_names_the_teacher_of_each_network_even_where_their_flips_differ() -> None:
    runs = RunTable()
    runs.add({**PLAIN, "data.flip": "off"}, 0, 50.0)
    (report,) = build_reports("4", read_runs(runs.frame()))
    assert not [note for note in report.notes if note.startswith("Teacher")]
    tsm = {"teacher.weights": "tsm.safetensors", "data.flip": "off"}
    tdn = {"student.arch": "tdn", "teacher.arch": "tdn", "teacher.checkpoint": "tdn.safetensors", "data.flip": "swap"}
    for overrides in ({**SPATIAL, **tsm}, {**BOTH, **tsm}):
        runs.add(overrides, 0, 55.0)
    (report,) = build_reports("4", read_runs(runs.frame()))
    assert "Teacher: TSM slim, fine-tuned from tsm.safetensors on shapes." in report.notes
    runs.add({**BOTH, **tdn}, 0, 56.0)
    (report,) = build_reports("4", read_runs(runs.frame()))
    assert (
        "Teachers: TDN slim, as it is in tdn.safetensors (of TDN rows); "
        "TSM slim, fine-tuned from tsm.safetensors on shapes (of TSM rows)."
    ) in report.notes
    assert not [note for note in report.notes if note.startswith("Runs under another protocol")]
