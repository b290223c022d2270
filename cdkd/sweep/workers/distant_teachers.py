"""Teachers that another machine has trained, taken from their tracked runs: machines need no `CDKD_HOME` in common."""

import tempfile
from pathlib import Path

from cdkd.settings import RunConfig
from cdkd.sweep.queue.trial_queue import Trial
from cdkd.sweep.workers.cell_runner import CellRunner
from cdkd.tracking.store import TrackingError
from cdkd.tracking.store_sender import Tell
from cdkd.tracking.tracked_run import teacher_label
from cdkd.tracking.tracker import Tracker


def take_distant_teacher(trained: Trial | None, tracker: Tracker, runner: CellRunner, config: RunConfig) -> bool:
    """Fetches the teacher of a run where this machine lacks it; every cell then learns from the same one.

    Args:
        trained: the last attempt at the teacher, where the queue has one.
        tracker: where it is tracked.
        runner: keeps it.
        config: of a run that needs it.

    Returns:
        It is here now, and was not before. False, too, where nobody has trained it yet: somebody will.

    Raises:
        TrackingError: its run is gone, or the store away.
    """
    if trained is None or not trained.is_done or trained.run_id is None or runner.has_teacher(config):
        return False
    with tempfile.TemporaryDirectory() as folder:
        runner.take_teacher(config, tracker.fetch_checkpoint(trained.run_id, Path(folder)))
    return True


def look_for_distant_teacher(
    trained: Trial | None, tracker: Tracker, runner: CellRunner, config: RunConfig, tell: Tell
) -> None:
    """The same for a sweep, which has a teacher trained again where its run does not keep it."""
    try:
        if take_distant_teacher(trained, tracker, runner, config):
            tell(f"taken    {teacher_label(config)} from its tracked run")
    except TrackingError as error:
        tell(f"{teacher_label(config)} is trained again: {error}")
