"""What cannot change a result: one table, for settings as configured and as logged."""

import pytest
from support.tiny import BASELINE, tiny

from cdkd.settings import active_losses, cell_identity, effective_settings, flat_settings, is_read, when_effective

OFF = {"distill__spatial__enabled": False, "distill__temporal__enabled": False}


@pytest.mark.parametrize(
    ("rest", "changed"),
    [
        ({}, {"runtime__num_workers": 3, "runtime__device": "cuda", "runtime__channels_last": False}),
        ({}, {"data__cache": "off"}),
        ({}, {"evaluation__batch_size": 7}),
        ({}, {"evaluation__every_epochs": 3}),
        (OFF, {"teacher__seed": 5, "teacher__train__epochs": 9}),
        (OFF, {"distill__spatial__weight": 0.5}),
        ({"distill__spatial__weight": 0.0}, {"distill__spatial__form": "literal"}),
        (BASELINE, {"student__gate": "uniform", "student__attention_dim": 8, "teacher__arch": "tdn"}),
    ],
)
def test_what_cannot_change_a_result_changes_no_identity(rest: dict[str, object], changed: dict[str, object]) -> None:
    assert cell_identity(tiny(**rest, **changed)) == cell_identity(tiny(**rest))


@pytest.mark.parametrize(
    ("rest", "changed"),
    [
        ({}, {"seed": 2}),
        ({}, {"data__input_size": 48}),
        ({}, {"teacher__seed": 5}),
        ({}, {"distill__temporal__form": "literal"}),
        (OFF, {"teacher__arch": "tdn"}),
        (OFF, {"student__gate": "uniform"}),
        ({"evaluation__select": "best_validation"}, {"evaluation__every_epochs": 3}),
    ],
)
def test_what_can_change_a_result_changes_the_identity(rest: dict[str, object], changed: dict[str, object]) -> None:
    assert cell_identity(tiny(**rest, **changed)) != cell_identity(tiny(**rest))


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
    ],
)
def test_when_a_setting_counts_in_words(key: str, when: str) -> None:
    assert when_effective(key) == when
