"""What earlier versions called metrics stays readable."""

import pytest

from cdkd.metric_names import current_name, current_names, former_name, term_name


@pytest.mark.parametrize(
    ("former", "current"),
    [
        ("train_loss", "train/loss"),
        ("train_total", "train/loss"),
        ("train_unit_spatial", "train/unit_spatial"),
        ("train_gate_3", "gate/alpha_3"),
        ("train_gate_log_std", "gate/log_std"),
        ("learning_rate", "train/learning_rate"),
        ("validation_top1", "validation/top1"),
        ("test_top5", "test/top5"),
        ("epoch_seconds", "time/epoch_seconds"),
        ("pruned_epoch", "run/pruned_epoch"),
    ],
)
def test_earlier_names_are_read_as_todays(former: str, current: str) -> None:
    assert (current_name(former), current_name(current)) == (current, current)


def test_names_of_neither_kind_stay() -> None:
    assert current_name("my own metric") == "my own metric"


def test_of_a_metric_under_both_names_todays_counts() -> None:
    assert current_names({"test/top1": 1.0, "test_top1": 2.0, "train_loss": 3.0}) == {
        "test/top1": 1.0,
        "train/loss": 3.0,
    }


def test_a_hash_over_a_name_is_that_of_earlier_versions() -> None:
    assert former_name("validation/top1") == former_name("validation_top1") == "validation_top1"


def test_terms_that_name_their_group_keep_it() -> None:
    assert (term_name("spatial"), term_name("gate/alpha_1")) == ("train/spatial", "gate/alpha_1")
