"""Being asked to end a training in good order: behind the epoch under way, with a checkpoint.

The request belongs to the process, as a signal does: whoever learns of it (a file, a message on standard input, a
scheduler's warning) calls `request_stop`, and the training loop asks `is_stop_requested` at the end of every epoch.
"""


class StoppedAtCheckpoint(BaseException):
    """A training ended early because it was asked to; it goes on from the checkpoint that it has just written.

    No `Exception`, so that nothing on the way takes it for a failed run.
    """


class _State:
    is_requested = False


def request_stop() -> None:
    """Asks this process's training to end at its next checkpoint; it writes one behind the epoch under way."""
    _State.is_requested = True


def is_stop_requested() -> bool:
    """Somebody has asked."""
    return _State.is_requested


def forget_stop_request() -> None:
    """Trainings that begin from now on are not meant."""
    _State.is_requested = False
