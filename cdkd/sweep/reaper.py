"""The reaper: trials whose process died are settled and put up again, their open runs ended as killed."""

from cdkd.sweep.board import Board, State, Trial
from cdkd.tracking.tracker import Tracker


def reap(board: Board, tracker: Tracker) -> list[tuple[Trial, State]]:
    """Settles every trial that nobody runs any more; returns what became of each."""
    buried = []
    for trial in board.trials():
        if trial.state != "lost" or trial.ended is not None:
            continue
        was_open = trial.run_id is not None and tracker.kill_if_open(trial.run_id)
        is_complete = not was_open and "ending" in board.attributes(trial.number)
        fate = board.bury(trial, is_complete)
        if fate is not None:
            buried.append((trial, fate))
    return buried
