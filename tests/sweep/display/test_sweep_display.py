"""What a sweep shows: times and lines against literals."""

import json
import time
from pathlib import Path

import pytest

from cdkd.sweep.display.progress import ProgressWriter, TaskProgress, read_progress
from cdkd.sweep.display.running import Running
from cdkd.sweep.display.sweep_display import (
    LineDisplay,
    LiveDisplay,
    SweepStatus,
    _render,
    clock,
    headline,
    seconds_left,
)


def test_seconds_left() -> None:
    half = Running("a", TaskProgress(0.5, 30.0), 30.0)
    new = Running("b", None, 10.0)
    assert seconds_left([], 3, [], 2) is None
    assert seconds_left([], 0, [60.0], 2) is None
    assert seconds_left([new], 3, [], 2) is None
    # Cells last 60 s each: half of one is left, all but 10 s of the other, and three wait; by two workers.
    assert seconds_left([half, new], 3, [60.0, 60.0], 2) == pytest.approx((30 + 50 + 180) / 2)
    # Without a finished cell, the running ones tell how long one lasts.
    assert seconds_left([half], 1, [], 1) == pytest.approx(90.0)
    assert seconds_left([], 2, [40.0, 20.0], 4) == pytest.approx(15.0)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (3725, "1:02:05")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_headline() -> None:
    running = [Running("x", None, 1.0)] * 2
    whole = SweepStatus("mine", 12, 5, 1, running, 75.0, ["second"])
    assert headline(whole) == "mine: 5 of 12 cells done, 2 running, 1 failed, 1:15 left, then second"
    assert headline(SweepStatus("mine", 3, 3, 0)) == "mine: 3 of 3 cells done"
    assert headline(SweepStatus("mine", 0, 0, 0, note="data set shapes: 40%")) == "mine: data set shapes: 40%"


def test_lines_are_quiet_between_events(capsys: pytest.CaptureFixture[str]) -> None:
    display = LineDisplay(seconds_between=3600.0)
    display.show(SweepStatus("mine", 3, 1, 0))
    assert capsys.readouterr().out == ""
    display.log_event("started  a")
    assert capsys.readouterr().out.endswith(" started  a\n")
    LineDisplay(seconds_between=0.0).show(SweepStatus("mine", 3, 1, 0))
    assert capsys.readouterr().out.endswith(" mine: 1 of 3 cells done\n")


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_display_holds_every_running_cell(width: int) -> None:
    from rich.console import Console

    console = Console(record=True, width=width, force_terminal=True)
    running = [
        Running("TSM + ours, spatial and temporal KD, seed 3", TaskProgress(0.25, 5400.0), 30.0, 6, 80, 1.2345, 61.25),
        Running("TDN, both, seed 3", None, 2.0),
        Running("TDN, none, seed 3", TaskProgress(0.4, 35.0, "testing"), 200.0, 80, 80, 0.5, 70.0),
    ]
    console.print(_render(SweepStatus("mine", 4, 1, 0, running=running, seconds_left=200.0), width))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[0] == "mine: 1 of 4 cells done, 3 running, 3:20 left"
    # No row is wider than the terminal, and of each only the label gives way.
    assert max(map(len, lines)) <= width
    rows = [line.split() for line in lines[-3:]]
    assert rows[0][:2] == ["TSM", "+"]
    assert " ".join(rows[0]).endswith("epoch 6/80 loss 1.234 val 61.2 % 1:30:00 left")
    assert " ".join(rows[1]).endswith("starting 0:02 so far")
    assert " ".join(rows[2]).endswith("testing 40% loss 0.500 val 70.0 % 0:35 left")


def test_events_scroll_above_the_live_display() -> None:
    from rich.console import Console

    display = LiveDisplay()
    display._live.console = console = Console(record=True, width=80, force_terminal=True)
    with display:
        display.show(SweepStatus("mine", 4, 1, 0))
        display.log_event("finished something")
        display._live.refresh()
    event, headline, *_ = console.export_text().splitlines()
    assert event.endswith(" finished something") and headline == "mine: 1 of 4 cells done"


def test_testing_has_its_own_time_and_counts_while_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    first, second = ProgressWriter(tmp_path / "1.json"), ProgressWriter(tmp_path / "2.json")
    first(0.9)
    now = 1010.0
    first(1.0)
    assert read_progress(tmp_path / "1.json") == TaskProgress(1.0, 0.0)
    first(0.0, "testing")
    assert read_progress(tmp_path / "1.json") == TaskProgress(0.0, None, "testing")
    now = 1013.0
    first(0.25, "testing")
    assert read_progress(tmp_path / "1.json") == TaskProgress(0.25, pytest.approx(9.0), "testing")
    now = 1022.0
    first(1.0, "testing")
    # Known from the first cell: a test takes 12 s, which the second one has before it, too.
    second(0.0)
    now = 1032.0
    second(0.5)
    assert read_progress(tmp_path / "2.json") == TaskProgress(0.5, pytest.approx(10.0 + 12.0))


def test_progress_of_a_resumed_attempt_counts_its_own_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    file = tmp_path / "deep" / "p.json"
    assert read_progress(file) is None
    write = ProgressWriter(file)
    write(0.6)
    assert read_progress(file) == TaskProgress(0.6, None)
    now = 1010.0
    write(0.8)
    # A fifth of the whole took 10 s, so the last fifth takes 10 s more, of which 4 have passed.
    now = 1014.0
    progress = read_progress(file)
    assert progress is not None
    assert (progress.fraction, progress.seconds_left) == (0.8, pytest.approx(6.0))
    now = 1014.1
    write(0.81)
    now = 1014.2
    write(0.82)
    assert json.loads(file.read_text())["fraction"] == 0.81
    write.clear()
    assert read_progress(file) is None
