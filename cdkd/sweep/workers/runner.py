"""A sweep from its first cell to its last: enqueues tasks stage by stage, keeps workers at them, chooses in between.

    the sweep's process                  what they share          its workers (`worker.py`), or other sweeps'
    enqueues, adopts results     -->     Optuna's journal   <--   claim a trial, note its result, finish it
    settles trials of the dead   <--     a lock per trial   <--   hold it while they run the trial
    draws progress               <--     progress files     <--   write them while they train
    opens and closes stages      -->     tracking store     <--   open runs, log epochs, keep files

Beside signals, one process tells another no more than "drain" (`pool.py`): whatever dies, the files say how things
stand.
"""

import time
from collections.abc import Mapping, Sequence

from cdkd.errors import CdkdError
from cdkd.experiment.identity import is_data_known
from cdkd.graceful_stop import is_stop_requested
from cdkd.run_status import RunStatus
from cdkd.sweep.display.event_log import EventLog
from cdkd.sweep.display.listing import study_remarks
from cdkd.sweep.display.notices import NoticeReader
from cdkd.sweep.display.sweep_display import SweepDisplay
from cdkd.sweep.interruption import shield
from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.stage_cells import StageCells, all_cells, resolve_stages, sample_cells, teacher_task
from cdkd.sweep.queue.stage_choice import ChoiceError, choose, freeze
from cdkd.sweep.queue.stale_trials import recover
from cdkd.sweep.queue.stop_request import heeding_stop_requests
from cdkd.sweep.queue.store_record import write_store_record
from cdkd.sweep.queue.study_folder import study_folder
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial, TrialQueue
from cdkd.sweep.queue.wanted_tasks import WantedTasks, is_open
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.records import Study
from cdkd.sweep.workers.abandoned_runs import close_abandoned_runs
from cdkd.sweep.workers.attempt import queue_name
from cdkd.sweep.workers.cell_group import make_runner
from cdkd.sweep.workers.cell_locks import Elsewhere
from cdkd.sweep.workers.cell_turn import CellTurn, cell_locks
from cdkd.sweep.workers.closing import close_records
from cdkd.sweep.workers.data_preparation import DataPreparation
from cdkd.sweep.workers.distant_teachers import look_for_distant_teacher
from cdkd.sweep.workers.launcher import make_launcher, plan_places
from cdkd.sweep.workers.machine_errors import machine_reason
from cdkd.sweep.workers.patient_tracker import PatientTracker
from cdkd.sweep.workers.result import Failure, SweepOptions, SweepResult
from cdkd.sweep.workers.searching import Searching, num_pruned, unfinished_searches
from cdkd.sweep.workers.stage_record import open_stages, prepare_stages
from cdkd.sweep.workers.store_results import StoreResults
from cdkd.sweep.workers.weak_teachers import TeacherWarnings
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import database_file
from cdkd.tracking.tracked_run import TEACHERS_STAGE, teacher_label

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_TRIES = 5.0
"""While the machine lets this process do nothing, as on a full disk."""


def run_sweep(study: Study, options: SweepOptions, display: SweepDisplay) -> SweepResult:
    """Runs what of the study has no result yet; returns when nothing is left that can run.

    Several sweeps of one study may run at once in one folder; they share its cells.

    Raises:
        CdkdError: the study cannot be built, or workers cannot run at all.
        Interrupted: passed on after workers were stopped and their runs ended as killed.
    """
    try:
        return _Sweep(study, options, display).run()
    except OSError as error:
        reason = machine_reason(error)
        if reason is None:
            raise
        raise CdkdError(f"the sweep cannot go on: {reason}; the same command does when that is mended") from error


class _Sweep:
    def __init__(self, study: Study, options: SweepOptions, display: SweepDisplay) -> None:
        self.study = study
        self.options = options
        self.display = display
        self.started = time.monotonic()
        self.runner = make_runner(options.runner, options.processes_per_cell)
        self.folder = study_folder(study.name)
        self.wanted = WantedTasks(self.folder)
        # Every combination is built before anything runs, as far as stages are known.
        self.known_stages = resolve_stages(study, self.folder)
        self.queue = TrialQueue(self.folder)
        self.store = MlflowTracker(options.tracking_uri, study.name, self.folder.path.parent)
        self.tracker = PatientTracker(self.store, display.log_event)
        self.results = StoreResults(self.tracker)
        self.event_log = EventLog(display, self.folder, self.queue.trials())
        self.notices = NoticeReader(self.folder)
        self.elsewhere = Elsewhere(cell_locks(self.queue, options.tracking_uri), display)
        self.stages_up: set[str] = set()
        self.teachers_up = False
        self.is_draining = self.is_stopped = False
        self.data = DataPreparation(self.runner, study.name, display)
        self.why_unreached: dict[str, str] = {}
        """Stage -> why nothing could be chosen for it."""
        self.teacher_warnings = TeacherWarnings(self.runner.teacher_validation, display)
        # Last: it reads the cells for devices and threads. No process starts before `_loop` asks for it.
        configs = [cell.config for cell in sample_cells(self.known_stages)]
        self.places = plan_places(configs, options)
        self.searching = Searching(study, self.queue, self.places.num_workers)
        turn = CellTurn(self.queue, self.store, self.runner, self.wanted, display.log_event, options.is_fresh)
        may_use_gpus = any(config.runtime.device != "cpu" for config in configs)
        self.workers = make_launcher(self.folder, options, self.places, self.wanted.name, turn, may_use_gpus)

    def run(self) -> SweepResult:
        for remark in study_remarks(self.study):
            self.display.log_event(remark)
        is_busy = any(trial.status == "running" for trial in self.queue.trials())
        write_store_record(self.folder, self.options.tracking_uri, self.options.runner, is_busy)
        if self.folder.storage is not None and (file := database_file(self.options.tracking_uri)) is not None:
            self.display.log_event(f"no other machine can join in: {file}, where runs are tracked, is a file")
        done = {task for task, trial in self.queue.latest().items() if trial.is_over}
        if all_cells(self.known_stages).keys() - done:
            self.workers.start_early()
        self._prepare_unknown_data()
        # What the stages are closed as, unless the loop comes to its end.
        status: RunStatus = "killed"
        with shield():
            # Before any worker starts: many processes that set up one SQLite store at once leave it broken.
            open_stages(self.queue, self.tracker, self.study, self.options.command)
        try:
            with shield():
                close_abandoned_runs(self.queue, self.tracker, queue_name(self.queue))
            with heeding_stop_requests(self.folder):
                self._loop()
            if not self.is_stopped:
                status = "finished" if self._result().is_complete else "failed"
            self.workers.leave()
            with shield():
                # What has ended since the last turn is told, too.
                self.teacher_warnings.look(all_cells(self.known_stages).values(), self._look())
        finally:
            with shield():
                self._close(status)
        return self._result()

    def _close(self, status: RunStatus) -> None:
        # Stopped before recovery: what they leave is settled now, and the next sweep finds everything enqueued.
        self.workers.stop()
        others = [*self._closed_stages(), *([TEACHERS_STAGE] if self.teachers_up else [])]
        close_records(self.queue, self.tracker, self.known_stages, others, status, self.wanted.name, self.display)
        self.wanted.close()

    def _loop(self) -> None:
        with shield():
            gone = self.results.vanished(self.queue)
            if vanished := gone & all_cells(self.known_stages).keys():
                store = self.options.tracking_uri
                self.display.log_event(f"{len(vanished)} finished cells have no run in {store}; they run again")
        trouble = ""
        while True:
            try:
                if self._turn(gone):
                    return
                trouble = ""
            except OSError as error:
                reason = machine_reason(error)
                if reason is None:
                    raise
                if reason != trouble:
                    self.display.log_event(f"waiting: {reason}")
                trouble = reason
                time.sleep(_SECONDS_BETWEEN_TRIES)

    def _turn(self, gone: set[str]) -> bool:
        """One look at everything; True when nothing is left to do."""
        with shield():
            # 1. What has changed since the last look, and what dead processes have left.
            trials = self._look()
        if not self.is_draining:
            # 2. Stages whose cells have become known: their tasks go on the queue.
            self._open_stages(trials, gone)
            with shield():
                trials = self.queue.latest()
        # 3. This sweep's tasks alone: the queue may hold those of another version of the study too.
        mine = [trials[task] for task in self._task_ids() if task in trials]
        num_open = sum(is_open(trial, trials) for trial in mine)
        self.elsewhere.look(mine, self.event_log.label)
        self.display.show(self.event_log.status_of(self.study.name, mine, len(self.workers), self._closed_stages()))
        if self.options.stop_on_failure and self.event_log.num_failed and not self.is_draining:
            self.display.log_event("a task failed; starting no more, waiting for those under way")
            self.workers.drain()
            self.is_draining = True
        if is_stop_requested() and not self.is_stopped:
            self.display.log_event("asked to stop: starting no more; what is under way ends at its next checkpoint")
            self.workers.stop_at_checkpoint()
            self.is_draining = self.is_stopped = True
        # 4. Nothing is left that can run, or what was under way has ended.
        is_over = not num_open and (self.is_draining or not self.searching.goes_on(self.known_stages, trials))
        if is_over or (self.is_draining and self.workers.has_ended()):
            return True
        # 5. No more workers than open tasks; those that were started before stay.
        if not self.is_draining:
            self.workers.start(min(self.places.num_workers, num_open))
            for text in self.workers.watch():
                self.display.log_event(text)
        self.workers.wait(_SECONDS_BETWEEN_LOOKS)
        return False

    def _look(self) -> Mapping[str, Trial]:
        """Looks after the dead, tells what has changed; returns how tasks stand."""
        for text in self.notices.read():
            self.display.log_event(text)
        for trial, status in recover(self.queue, self.tracker):
            if status == "stale":
                self.event_log.log_stale(trial)
        trials = self.queue.latest()
        if self.event_log.log_changes(trials):
            self.workers.note_success()
            self.teacher_warnings.look(all_cells(self.known_stages).values(), trials)
        return trials

    def _open_stages(self, trials: Mapping[str, Trial], gone: set[str]) -> None:
        """Enqueues the tasks of every stage whose cells are known now."""
        with shield():
            self._choose(trials)
            self.known_stages, trials = self.searching.advance(self.known_stages, trials)
        for stage_cells in self.known_stages:
            is_up = stage_cells.stage.name in self.stages_up
            if not is_up or stage_cells.search is not None:
                missing = self.searching.missing(stage_cells, trials, gone, is_up)
                # Cells of another sweep's suggestions have yet to be wanted here, too.
                if is_up and all(cell.id in self.event_log.labels for cell in stage_cells.cells) and not missing:
                    continue
                tasks = stage_cells.tasks() if missing else []
                with shield():
                    self._adopt(tasks, missing, gone)
                for cell in missing.values():
                    # Not shielded, since generating a data set takes its time.
                    self.data.prepare(cell)
                with shield():
                    self._enqueue(stage_cells, tasks, missing, gone)

    def _adopt(self, tasks: Sequence[QueuedTask], missing: dict[str, Cell], gone: set[str]) -> None:
        """Takes the results that the store has, this study's own included; leaves in `missing` what lacks one."""
        if not missing or self.options.is_fresh:
            return
        known = self.results.by_cell
        found = [(task, known[task.id]) for task in tasks if task.id in missing and task.id in known]
        # Tagged first: a sweep killed in between does both again, and one of them alone would be half a result.
        for task, run in found:
            if run.study != self.study.name:
                self.tracker.adopt(run, task.stage)
            if run.is_search and task.search is None:
                self.tracker.admit(run.run_id)
        for task_id, number in self.queue.adopt(found).items():
            cell = missing.pop(task_id)
            gone.discard(task_id)
            self.event_log.labels.setdefault(cell.id, f"{cell.label}, seed {cell.seed}")
            self.event_log.log_reused(task_id, number, known[task_id])

    def _choose(self, trials: Mapping[str, Trial]) -> None:
        known_stages = {stage_cells.stage.name: stage_cells for stage_cells in self.known_stages}
        for stage in self.study.stages:
            if stage.best is None or stage.name in known_stages or stage.name in self.why_unreached:
                continue
            source = known_stages.get(stage.best.stage)
            if source is None or not source.is_done(trials):
                continue
            try:
                choice = freeze(self.folder, stage.best, source.cells, choose(stage.best, source.cells, trials))
            except ChoiceError as error:
                self.why_unreached[stage.name] = str(error)
                continue
            values = ", ".join(f"{key} = {value}" for key, value in choice.values.items())
            self.display.log_event(f"chosen   for stage {stage.name}, by {choice.metric}: {choice.chosen} ({values})")
            # Not `known_stages` of this loop: a stage that rests on the new one has its turn at the next look.
            self.known_stages = resolve_stages(self.study, self.folder)

    def _enqueue(
        self, stage_cells: StageCells, tasks: Sequence[QueuedTask], missing: Mapping[str, Cell], gone: set[str]
    ) -> None:
        self.stages_up.add(stage_cells.stage.name)
        for cell in stage_cells.cells:
            self.event_log.labels.setdefault(cell.id, f"{cell.label}, seed {cell.seed}")
        # Before the tasks: a worker runs nothing that its sweep does not want.
        self.wanted.set(self._task_ids())
        # Teachers first: the queue is worked off in order, and their cells wait for them.
        self._enqueue_teachers(list(missing.values()))
        self.queue.enqueue([task for task in tasks if task.id in missing], self.options.retry_failed, gone)
        # In place, as `_loop` holds the same set: enqueued once more is enough.
        gone -= missing.keys()

    def _prepare_unknown_data(self) -> None:
        """Makes data sets that do not exist yet before anything is enqueued: a cell's identity holds their version."""
        unknown = [cell for cell in sample_cells(self.known_stages) if not is_data_known(cell.config)]
        for cell in unknown:
            self.data.prepare(cell)
        if unknown:
            self.known_stages = resolve_stages(self.study, self.folder)

    def _enqueue_teachers(self, cells: Sequence[Cell]) -> None:
        latest = self.queue.latest()
        for cell in cells:
            task_id = teacher_task(cell)
            if task_id is None or task_id in self.event_log.labels:
                continue
            self.event_log.labels[task_id] = teacher_label(cell.config)
            last = latest.get(task_id)
            look_for_distant_teacher(last, self.tracker, self.runner, cell.config, self.display.log_event)
            # The checkpoint counts, not the trial: its file may have been deleted, or made by another study.
            is_trained = self.runner.has_teacher(cell.config)
            if is_trained and (last is None or last.is_done):
                continue
            if not self.teachers_up:
                prepare_stages(self.queue, self.tracker, [TEACHERS_STAGE])
                self.teachers_up = True
            # A teacher that failed here but was trained elsewhere since only has to be found.
            (configuration,) = configurations_of([cell])
            task = QueuedTask(task_id, "teacher", TEACHERS_STAGE, configuration=configuration, recipe=cell.recipe)
            self.queue.enqueue([task], self.options.retry_failed or is_trained, again=[task_id])

    def _task_ids(self) -> list[str]:
        cells = all_cells([stage for stage in self.known_stages if stage.stage.name in self.stages_up])
        teachers = dict.fromkeys(task for cell in cells.values() if (task := teacher_task(cell)) is not None)
        return [*teachers, *cells]

    def _closed_stages(self) -> list[str]:
        """Stages whose cells are not known yet."""
        known = {stage_cells.stage.name for stage_cells in self.known_stages}
        return [stage.name for stage in self.study.stages if stage.name not in known]

    def _result(self) -> SweepResult:
        trials = self.queue.latest()
        cells = all_cells(self.known_stages)
        failed = [trials[task] for task in self._task_ids() if task in trials and trials[task].status == "failed"]
        unreached = [(name, self.why_unreached.get(name, "")) for name in self._closed_stages()]
        label, trace = self.event_log.label, self.folder.traceback
        return SweepResult(
            num_cells=len(cells),
            num_done=sum(task in trials and trials[task].is_done for task in cells),
            num_diverged=sum(task in trials and trials[task].status == "diverged" for task in cells),
            cells=tuple(cells),
            num_trained=self.event_log.num_trained,
            num_reused=self.event_log.num_reused,
            failures=tuple(Failure(label(t), t.error, trace(t.task.id, t.number), t.worker) for t in failed),
            unreached=(*unreached, *unfinished_searches(self.known_stages)),
            seconds=time.monotonic() - self.started,
            warnings=tuple(self.teacher_warnings.told.values()),
            is_stopped=self.is_stopped,
            num_pruned=num_pruned(self.known_stages, trials),
        )
