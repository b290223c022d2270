"""A sweep's part in a search: asks for suggestions while workers are free, ends points that the seeds speak against."""

from collections.abc import Mapping, Sequence

from cdkd.sweep.queue.pruning import PastCurve, is_behind
from cdkd.sweep.queue.stage_cells import SearchState, StageCells, resolve_stages
from cdkd.sweep.queue.suggestions import add_suggestion
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial, TrialQueue
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.records import Study
from cdkd.tracking.tracker import CellRun


class Searching:
    """Of all searches of a study.

    Args:
        study: the study.
        queue: its tasks.
        num_workers: cells that this sweep runs at once.
    """

    def __init__(self, study: Study, queue: TrialQueue, num_workers: int) -> None:
        self._study = study
        self._queue = queue
        self._folder = queue.folder
        self._num_workers = num_workers
        self._own: set[str] = set()
        """Cells that this sweep has seen waiting: its own workers', or those of whom nobody else will run them."""

    def advance(
        self, known_stages: list[StageCells], trials: Mapping[str, Trial]
    ) -> tuple[list[StageCells], Mapping[str, Trial]]:
        """Asks for what may be suggested now, and settles what is spared; returns how stages and tasks stand.

        Args:
            known_stages: the stages whose cells are known, those that search among them.
            trials: task id -> its last trial.
        """
        while any(self._ask(stage_cells, trials) for stage_cells in known_stages):
            known_stages = resolve_stages(self._study, self._folder)
        spared = [one for stage_cells in known_stages for one in self._spared(stage_cells, trials)]
        if spared and self._queue.adopt(spared):
            trials = self._queue.latest()
        return known_stages, trials

    def goes_on(self, known_stages: Sequence[StageCells], trials: Mapping[str, Trial]) -> bool:
        """There is more to suggest, or cells of suggestions have yet to be enqueued."""
        searches = [stage_cells.search for stage_cells in known_stages if stage_cells.search is not None]
        return any(
            self._wants_more(search, trials) or any(cell.id not in trials for row in search.rows for cell in row)
            for search in searches
        )

    def _ask(self, stage_cells: StageCells, trials: Mapping[str, Trial]) -> bool:
        """Asks for one more suggestion where a worker would have nothing to do; True: there are more now."""
        search, name = stage_cells.search, stage_cells.stage.name
        if search is None or not self._wants_more(search, trials):
            return False
        add_suggestion(self._folder, name, search.digest, search.how, search.outcomes(trials))
        return True

    def _wants_more(self, search: SearchState, trials: Mapping[str, Trial]) -> bool:
        """Not all suggestions were made, and this sweep's workers could do with another one."""
        open_cells = [cell.id for row in search.rows for cell in row if not _is_over(cell, trials)]
        waiting = [one for one in open_cells if one not in trials or trials[one].status in ("waiting", "stale")]
        self._own |= {*waiting}
        num_own = len(self._own & {*open_cells})
        return not search.is_asked and num_own < self._num_workers and len(waiting) < self._num_workers

    def missing(
        self, stage_cells: StageCells, trials: Mapping[str, Trial], gone: set[str], is_up: bool
    ) -> dict[str, Cell]:
        """A stage's cells that have yet to run.

        Args:
            stage_cells: the stage's.
            trials: task id -> its last trial.
            gone: cells that have lost their results.
            is_up: the stage was enqueued before; of a search only what has come since is missing then.
        """
        missing = {
            cell.id: cell
            for cell in stage_cells.cells
            if cell.id in gone or cell.id not in trials or not stage_cells.is_settled(trials[cell.id])
        }
        if stage_cells.search is None:
            return missing
        due = self._due(stage_cells.search, trials)
        return {key: cell for key, cell in missing.items() if key in due and not (is_up and key in trials)}

    @staticmethod
    def _due(search: SearchState, trials: Mapping[str, Trial]) -> set[str]:
        """Cells whose turn it is: all, but where seeds decide about seeds (wilcoxon) those whose turn has come."""
        if search.how.pruner != "wilcoxon":
            return {cell.id for row in search.rows for cell in row}
        due = set()
        for row in search.rows:
            for cell in row:
                due.add(cell.id)
                if not _is_over(cell, trials):
                    break
        return due

    def _spared(self, stage_cells: StageCells, trials: Mapping[str, Trial]) -> list[tuple[QueuedTask, CellRun]]:
        """Cells that need not run, since the seeds before them tell enough: pruned, without a run."""
        search = stage_cells.search
        if search is None or search.how.pruner != "wilcoxon":
            return []
        tasks = {task.id: task for task in stage_cells.tasks()}
        found = []
        for index, row in enumerate(search.rows):
            rest = [cell for cell in row if cell.id not in trials]
            if rest and self._is_behind(search, index, trials):
                found += [(tasks[cell.id], CellRun("", self._study.name, cell.id, "pruned", {})) for cell in rest]
        return found

    @staticmethod
    def _is_behind(search: SearchState, index: int, trials: Mapping[str, Trial]) -> bool:
        curves = [_over_seeds(row, trials, search.how.metric) for row in search.rows]
        done = [cell for cell in search.rows[index] if cell.id in trials]
        if any(not _is_over(cell, trials) for cell in done):
            return False
        others = [
            PastCurve(curve, is_finished=len(curve) == len(row))
            for other, (curve, row) in enumerate(zip(curves, search.rows, strict=True))
            if other != index and curve
        ]
        return is_behind("wilcoxon", curves[index], others, 0, len(search.rows[index]))


def _is_over(cell: Cell, trials: Mapping[str, Trial]) -> bool:
    # A cell that failed is over, too, until somebody wants it tried again.
    return cell.id in trials and (trials[cell.id].is_over or trials[cell.id].status == "failed")


def _over_seeds(row: Sequence[Cell], trials: Mapping[str, Trial], metric: str) -> dict[int, float]:
    """Place of the seed -> what it came to, of those that have a result."""
    return {
        place: trials[cell.id].metrics[metric]
        for place, cell in enumerate(row)
        if cell.id in trials and trials[cell.id].status == "finished" and metric in trials[cell.id].metrics
    }


def num_pruned(known_stages: Sequence[StageCells], trials: Mapping[str, Trial]) -> int:
    """Cells that searches have ended early, and that no other stage asks for."""
    asked = {cell.id for stage_cells in known_stages if stage_cells.search is None for cell in stage_cells.cells}
    cells = {cell.id for stage_cells in known_stages for cell in stage_cells.cells} - asked
    return sum(cell in trials and trials[cell].status == "pruned" for cell in cells)


def unfinished_searches(known_stages: Sequence[StageCells]) -> list[tuple[str, str]]:
    """(stage, why) of searches that have not made all of their suggestions."""
    return [
        (stage_cells.stage.name, f"{len(search.suggested)} of {search.how.num_trials} suggestions were made")
        for stage_cells in known_stages
        if (search := stage_cells.search) is not None and not search.is_asked
    ]
