"""The reference of settings: complete, in words, and every setting has its sentence."""

import pytest

from cdkd.config import ConfigError
from cdkd.settings import RunConfig, flat_settings
from cdkd.settings_reference import find_settings, setting_groups

SETTINGS = {setting.key: setting for group in setting_groups() for setting in group.settings}


def test_no_setting_is_missing() -> None:
    # Tuples are lists there, too.
    assert {key: setting.default for key, setting in SETTINGS.items()} == flat_settings(RunConfig())


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_has_its_sentence(key: str) -> None:
    assert SETTINGS[key].sentence.endswith((".", ").")), f"{key}: {SETTINGS[key].sentence!r}"


def test_every_group_has_its_sentence() -> None:
    assert [group.key for group in setting_groups() if not group.sentence.endswith(".")] == []


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("student.decoder", "true or false"),
        ("data.root", "text or null"),
        ("data.validation_share", "number, at least 0, below 1"),
        ("data.shapes.frame_size", "whole number, at least 32, a multiple of 16"),
        ("data.crop_scale", "list of 2 numbers"),
        ("train.step_epochs", "list of whole numbers"),
        ("distill.temporal.graphs", "list of plain, gaussian, laplacian, quadratic"),
        ("train.precision", "auto, fp32, bf16, fp16"),
    ],
)
def test_values_in_words(key: str, values: str) -> None:
    assert SETTINGS[key].values == values


def test_what_cannot_change_a_result_says_so() -> None:
    assert SETTINGS["train.epochs"].counts == "always"
    assert SETTINGS["runtime.device"].counts == "never"
    assert SETTINGS["student.gate"].counts == "with the pseudo-decoder"


def test_a_key_finds_its_group_or_itself() -> None:
    assert [group.key for group in find_settings("data")] == ["data", "data.shapes"]
    (group,) = find_settings("train.precision")
    assert [setting.key for setting in group.settings] == ["train.precision"]
    assert group.settings[0].choices == ("auto", "fp32", "bf16", "fp16")
    with pytest.raises(ConfigError, match=r"^unknown setting 'trian'; did you mean 'train'\?$"):
        find_settings("trian")
