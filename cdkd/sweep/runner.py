"""A sweep from its first cell to its last: puts tasks up stage by stage, keeps workers at them, chooses in between."""

import time
from collections.abc import Mapping, Sequence

from cdkd.sweep.attempt import TEACHERS_STAGE, load_experiment, teacher_label
from cdkd.sweep.board import Board, Task, Trial, is_blocked
from cdkd.sweep.capacity import default_workers
from cdkd.sweep.choice import ChoiceError, choose, freeze
from cdkd.sweep.executor import Workers
from cdkd.sweep.folder import study_folder, write_cell
from cdkd.sweep.inline import InlineWorker
from cdkd.sweep.interruption import shield
from cdkd.sweep.narrator import Narrator
from cdkd.sweep.plan import StagePlan, all_cells, plan_study, teacher_task
from cdkd.sweep.reaper import reap
from cdkd.sweep.result import Failure, SweepOptions, SweepResult
from cdkd.sweep.stage_record import close_stage
from cdkd.sweep.study import Study
from cdkd.sweep.trial import Cell
from cdkd.sweep.view import Snapshot, View
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.tracker import Ending, Tracker

_SECONDS_BETWEEN_LOOKS = 0.5


def run_sweep(study: Study, options: SweepOptions, view: View) -> SweepResult:
    """Runs what of the study has no result yet; returns when nothing is left that can run.

    Several sweeps of one study may run at once in one folder; they share its cells.

    Raises:
        CdkdError: the study cannot be built, or workers cannot run at all.
        Interrupted: passed on after workers were stopped and their runs ended as killed.
    """
    return _Sweep(study, options, view).run()


class _Sweep:
    def __init__(self, study: Study, options: SweepOptions, view: View) -> None:
        self.study = study
        self.options = options
        self.view = view
        self.started = time.monotonic()
        self.folder = study_folder(study.name)
        # Every combination is built before anything runs, as far as stages are known.
        self.plans = plan_study(study, self.folder)
        self.board = Board(self.folder)
        self.tracker: Tracker = MlflowTracker(options.tracking_uri, study.name, self.folder.path.parent)
        self.narrator = Narrator(view, self.folder, self.board.trials())
        self.stages_up: set[str] = set()
        self.teachers_up = False
        self.is_draining = False
        self.prepared: set[str] = set()
        self.obstacles: dict[str, str] = {}
        """Stage -> why nothing could be chosen for it."""
        self.workers = self._make_workers()

    def _make_workers(self) -> Workers | InlineWorker:
        if self.options.workers == 0:
            return InlineWorker(self.board, self.tracker, self.options.experiment)
        threads = max(cell.experiment.runtime.num_threads for cell in all_cells(self.plans).values())
        return Workers(self.folder, self.options.tracking_uri, self.options.experiment, threads)

    def run(self) -> SweepResult:
        ending: Ending = "killed"
        with shield():
            self.tracker.prepare([stage.name for stage in self.study.stages])
        try:
            self._loop()
            ending = "finished" if self._result().is_complete else "failed"
        finally:
            with shield():
                self._close(ending)
        return self._result()

    def _close(self, ending: Ending) -> None:
        self.workers.stop()
        reap(self.board, self.tracker)
        trials = self.board.latest()
        for plan in self.plans:
            close_stage(self.tracker, plan, trials, ending)
        for name in [*self._closed_stages(), *([TEACHERS_STAGE] if self.teachers_up else [])]:
            self.tracker.close_stage(name, ending)

    def _loop(self) -> None:
        with shield():
            gone = self._vanished()
        while True:
            with shield():
                trials = self._look()
            if not self.is_draining:
                self._open_stages(trials, gone)
                with shield():
                    trials = self.board.latest()
            mine = [trials[task] for task in self._task_ids() if task in trials]
            num_open = sum(_is_open(trial, trials) for trial in mine)
            self.view.show(self.narrator.snapshot(self.study.name, mine, len(self.workers), self._closed_stages()))
            if self.options.stop_on_failure and self.narrator.num_failed and not self.is_draining:
                self.view.tell("a task failed; starting no more, waiting for those under way")
                self.workers.drain()
                self.is_draining = True
            if not num_open or (self.is_draining and self.workers.has_ended()):
                return
            if not self.is_draining:
                self.workers.start(min(self.options.workers or default_workers(), num_open))
                for text in self.workers.watch():
                    self.view.tell(text)
            self.workers.wait(_SECONDS_BETWEEN_LOOKS)

    def _look(self) -> Mapping[str, Trial]:
        """Looks after the dead, tells what has changed; returns how tasks stand."""
        for trial, fate in reap(self.board, self.tracker):
            if fate == "lost":
                self.narrator.tell_lost(trial)
        trials = self.board.latest()
        if self.narrator.tell_changes(trials):
            self.workers.note_success()
        return trials

    def _open_stages(self, trials: Mapping[str, Trial], gone: set[str]) -> None:
        """Puts up the tasks of every stage whose cells are known now."""
        with shield():
            self._choose(trials)
        for plan in self.plans:
            if plan.stage.name not in self.stages_up:
                missing = self._missing(plan, trials, gone)
                for cell in missing.values():
                    # Not shielded, since generating a data set takes its time.
                    self._prepare_data(cell)
                with shield():
                    self._put_up(plan, missing, gone)

    def _vanished(self) -> set[str]:
        """Cells that count as done but whose runs are no longer in the store: these have no result after all."""
        done = [trial for trial in self.board.latest().values() if trial.is_done and trial.task.kind == "cell"]
        living = self.tracker.living_cells() if done else {}
        gone = {trial.task.id for trial in done if trial.run_id not in living}
        if known := gone & all_cells(self.plans).keys():
            self.view.tell(f"{len(known)} finished cells have no run in {self.options.tracking_uri}; they run again")
        return gone

    def _choose(self, trials: Mapping[str, Trial]) -> None:
        plans = {plan.stage.name: plan for plan in self.plans}
        for stage in self.study.stages:
            if stage.best is None or stage.name in plans or stage.name in self.obstacles:
                continue
            source = plans.get(stage.best.stage)
            if source is None or not source.is_done(trials):
                continue
            try:
                choice = freeze(self.folder, stage.best, source.cells, choose(stage.best, source.cells, trials))
            except ChoiceError as error:
                self.obstacles[stage.name] = str(error)
                continue
            values = ", ".join(f"{key} = {value}" for key, value in choice.values.items())
            self.view.tell(f"chosen   for stage {stage.name}, by {choice.metric}: {choice.chosen} ({values})")
            self.plans = plan_study(self.study, self.folder)

    @staticmethod
    def _missing(plan: StagePlan, trials: Mapping[str, Trial], gone: set[str]) -> dict[str, Cell]:
        return {
            cell.id: cell
            for cell in plan.cells
            if cell.id in gone or cell.id not in trials or not trials[cell.id].is_done
        }

    def _put_up(self, plan: StagePlan, missing: Mapping[str, Cell], gone: set[str]) -> None:
        self.stages_up.add(plan.stage.name)
        for cell in plan.cells:
            self.narrator.labels.setdefault(cell.id, f"{cell.label}, seed {cell.seed}")
        for cell in missing.values():
            write_cell(self.folder, cell.id, cell)
        self._put_up_teachers(list(missing.values()))
        self.board.put_up([task for task in plan.tasks() if task.id in missing], self.options.retry_failed, gone)
        gone -= missing.keys()

    def _prepare_data(self, cell: Cell) -> None:
        key = cell.experiment.data.model_dump_json()
        if key in self.prepared:
            return
        self.prepared.add(key)
        name = cell.experiment.data.name
        told = False

        def progress(share: float) -> None:
            nonlocal told
            if not told and share < 1.0:
                told = True
                self.view.tell(f"preparing data set {name}")
            self.view.show(Snapshot(self.study.name, 0, 0, 0, note=f"data set {name}: {share:.0%}"))

        load_experiment(self.options.experiment).prepare_data(cell.experiment, progress)

    def _put_up_teachers(self, cells: Sequence[Cell]) -> None:
        module = load_experiment(self.options.experiment)
        latest = self.board.latest()
        for cell in cells:
            task_id = teacher_task(cell)
            if task_id is None or task_id in self.narrator.labels:
                continue
            self.narrator.labels[task_id] = teacher_label(cell.experiment)
            is_trained, last = module.has_teacher(cell.experiment), latest.get(task_id)
            if is_trained and (last is None or last.is_done):
                continue
            if not self.teachers_up:
                self.tracker.prepare([TEACHERS_STAGE])
                self.teachers_up = True
            write_cell(self.folder, task_id, cell)
            # A teacher that failed here but was trained elsewhere since only has to be found.
            task = Task(task_id, "teacher", TEACHERS_STAGE)
            self.board.put_up([task], self.options.retry_failed or is_trained, again=[task_id])

    def _task_ids(self) -> list[str]:
        cells = all_cells([plan for plan in self.plans if plan.stage.name in self.stages_up])
        teachers = dict.fromkeys(task for cell in cells.values() if (task := teacher_task(cell)) is not None)
        return [*teachers, *cells]

    def _closed_stages(self) -> list[str]:
        """Stages whose cells are not known yet."""
        known = {plan.stage.name for plan in self.plans}
        return [stage.name for stage in self.study.stages if stage.name not in known]

    def _result(self) -> SweepResult:
        trials = self.board.latest()
        cells = all_cells(self.plans)
        failed = [trials[task] for task in self._task_ids() if task in trials and trials[task].state == "failed"]
        return SweepResult(
            num_cells=len(cells),
            num_done=sum(task in trials and trials[task].is_done for task in cells),
            num_trained=self.narrator.num_trained,
            failures=tuple(
                Failure(self.narrator.label(trial), trial.error, self.folder.traceback(trial.task.id, trial.number))
                for trial in failed
            ),
            unreached=tuple((name, self.obstacles.get(name, "")) for name in self._closed_stages()),
            seconds=time.monotonic() - self.started,
        )


def _is_open(trial: Trial, trials: Mapping[str, Trial]) -> bool:
    """It runs, or will run without anybody's doing."""
    if trial.state == "waiting":
        return not is_blocked(trial.task, trials)
    return trial.state in ("running", "lost")
