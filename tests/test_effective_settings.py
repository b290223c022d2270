"""What cannot change a result: one table, for settings as configured and as logged."""

import pytest
from support.tiny import BASELINE, tiny

from cdkd.effective_settings import active_losses, effective_settings, is_read, when_effective
from cdkd.settings import flat_settings


def test_losses_are_read_from_what_was_logged_whoever_knows_them() -> None:
    logged = {
        "distill.spatial.enabled": True,
        "distill.spatial.weight": 0.0,
        "distill.logits.enabled": False,
        "distill.logits.weight": 2.0,
        "distill.of_tomorrow.enabled": True,
        "distill.of_tomorrow.weight": 3,
        "distill.bare.enabled": True,
    }
    assert active_losses(logged) == {"of_tomorrow": 3.0, "bare": 1.0}
    assert effective_settings(logged) == {key: logged[key] for key in logged if "tomorrow" in key or "bare" in key}


def test_what_is_not_read_differs_from_what_is_read_without_effect() -> None:
    settings = flat_settings(tiny(**BASELINE))
    assert is_read("runtime.device", settings) and is_read("evaluation.every_epochs", settings)
    assert not is_read("teacher.seed", settings) and not is_read("teacher.arch", settings)
    assert not {"runtime.device", "teacher.seed", "distill.spatial.weight"} & effective_settings(settings).keys()


@pytest.mark.parametrize(
    ("key", "when"),
    [
        ("train.epochs", "always"),
        ("runtime.compile", "never"),
        ("data.root", "never"),
        ("evaluation.every_epochs", "where evaluation.select is best_validation"),
        ("teacher.train.epochs", "where a loss takes part"),
        ("teacher.backbone", "where a loss takes part, or with the pseudo-decoder"),
        ("distill.logits.temperature", "where its loss takes part"),
        ("student.gate", "with the pseudo-decoder"),
        ("data.unlabelled", "where a loss takes part that reads no labels"),
        ("data.unlabelled_videos", "with data.unlabelled, where a loss takes part that reads no labels"),
        ("train.unlabelled_per_step", "with data.unlabelled, where a loss takes part that reads no labels"),
    ],
)
def test_when_a_setting_counts_in_words(key: str, when: str) -> None:
    assert when_effective(key) == when
