"""The logbook: every epoch once in each attempt's run, whatever was cut off before."""

from collections.abc import Sequence
from pathlib import Path

from cdkd.tracking.logbook import Logbook, read_book
from cdkd.tracking.tracker import LoggedEpoch

Sent = list[tuple[int, dict[str, float]]]


def attempt(file: Path) -> tuple[Logbook, Sent]:
    sent: Sent = []
    return Logbook(file, lambda history: sent.extend(pairs(history))), sent


def pairs(history: Sequence[LoggedEpoch]) -> Sent:
    return [(entry.epoch, dict(entry.metrics)) for entry in history]


def test_a_resumed_attempt_repeats_what_came_before_its_first_epoch(tmp_path: Path) -> None:
    file = tmp_path / "book"
    book, sent = attempt(file)
    for epoch in (1, 2, 3):
        book.log({"train/loss": 10.0 * epoch}, epoch)
    assert sent == [(1, {"train/loss": 10.0}), (2, {"train/loss": 20.0}), (3, {"train/loss": 30.0})]
    # The checkpoint was of epoch 1, so that epoch 2 runs again; 3 was never reached by this attempt.
    book, sent = attempt(file)
    book.log({"train/loss": 21.0}, 2)
    assert sent == [(1, {"train/loss": 10.0}), (2, {"train/loss": 21.0})]
    assert pairs(read_book(file)) == sent


def test_an_attempt_with_nothing_left_to_train_repeats_everything_once(tmp_path: Path) -> None:
    file = tmp_path / "book"
    book, _ = attempt(file)
    book.log({"train/loss": 1.0}, 1)
    book.log({"train/loss": 2.0}, 2)
    book, sent = attempt(file)
    book.close()
    book.close()
    assert sent == [(1, {"train/loss": 1.0}), (2, {"train/loss": 2.0})]


def test_final_metrics_join_the_last_epoch_without_repeating_it(tmp_path: Path) -> None:
    book, sent = attempt(tmp_path / "book")
    book.log({"train/loss": 1.0, "validation/top1": 50.0, "validation/top5": 80.0}, 4)
    book.close({"test/top1": 48.0, "validation/top1": 50.0, "validation/top5": 81.0})
    assert sent[1:] == [(4, {"test/top1": 48.0, "validation/top5": 81.0})]
    book, sent = attempt(tmp_path / "book")
    book.close({"test/top1": 48.0, "validation/top1": 50.0})
    assert [epoch for epoch, _ in sent] == [4, 4]
    assert sent[1] == (4, {"test/top1": 48.0})
    book, sent = attempt(tmp_path / "other")
    book.close({"test/top1": 48.0})
    assert sent == [(0, {"test/top1": 48.0})]


def test_a_torn_last_line_is_no_entry(tmp_path: Path) -> None:
    file = tmp_path / "book"
    book, _ = attempt(file)
    book.log({"train/loss": 1.0, "other": float("inf")}, 1)
    with file.open("a") as stream:
        stream.write('{"epoch": 2, "metr')
    book, sent = attempt(file)
    book.log({"train/loss": 2.0}, 2)
    assert sent == [(1, {"train/loss": 1.0, "other": float("inf")}), (2, {"train/loss": 2.0})]
    assert pairs(read_book(file)) == sent


def test_starting_over_repeats_nothing(tmp_path: Path) -> None:
    file = tmp_path / "book"
    book, _ = attempt(file)
    book.log({"train/loss": 1.0}, 1)
    book, sent = attempt(file)
    book.log({"train/loss": 7.0}, 1)
    assert sent == [(1, {"train/loss": 7.0})]
