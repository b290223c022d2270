"""A study's plan: the cells of every stage whose settings are known, the choices made, the tasks behind them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.parameters import parameters_of
from cdkd.sweep.queue.stage_choice import Choice, frozen_choice, refuse_without_validation
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.expansion import expand
from cdkd.sweep.study.records import Stage, Study


@dataclass(frozen=True)
class StageCells:
    """A stage whose cells are known."""

    stage: Stage
    choice: Choice | None
    """What the stage took over; None when it takes over nothing."""
    cells: tuple[Cell, ...]

    @cached_property
    def digest(self) -> str:
        """Hash of the stage's cells."""
        return hashlib.sha256(" ".join(cell.id for cell in self.cells).encode()).hexdigest()[:12]

    def tasks(self) -> list[QueuedTask]:
        """The cells as tasks, all rows of one seed before the next, so that early results can be compared."""
        place = {seed: index for index, seed in enumerate(dict.fromkeys(cell.seed for cell in self.cells))}
        configurations = configurations_of(self.cells)
        found = zip(self.cells, parameters_of(configurations), configurations, strict=True)
        tasks = [
            QueuedTask(
                cell.id,
                "cell",
                cell.stage,
                cell.labels,
                teacher_task(cell),
                self.digest,
                cell.seed,
                varied,
                configuration,
                cell.recipe,
            )
            for cell, varied, configuration in found
        ]
        # `sorted` is stable, so within a seed the rows keep the study's order.
        return sorted(tasks, key=lambda task: place[task.seed])

    def is_done(self, trials: Mapping[str, Trial]) -> bool:
        """Every cell has a result."""
        return all(cell.id in trials and trials[cell.id].is_done for cell in self.cells)


def teacher_task(cell: Cell) -> str | None:
    """Id of the task that trains the cell's teacher."""
    return None if cell.teacher is None else f"teacher-{cell.teacher}"


def resolve_stages(study: Study, folder: StudyFolder) -> list[StageCells]:
    """The stages whose cells are known now: those that take over nothing, and those whose choice has been made.

    Raises:
        ConfigError: a combination that no run can have.
        ChoiceError: a choice is to be made that nothing will ever allow.
    """
    known_stages: dict[str, StageCells] = {}
    # In the study's order, in which a stage stands behind the one that it takes over from.
    for stage in study.stages:
        choice = None
        if stage.best is not None:
            source = known_stages.get(stage.best.stage)
            if source is None:
                continue
            choice = frozen_choice(folder, stage.best, source.cells)
            if choice is None:
                refuse_without_validation(stage.best, source.cells, stage.where)
                continue
        known_stages[stage.name] = StageCells(stage, choice, expand(study, stage, choice.values if choice else None))
    return list(known_stages.values())


def all_cells(known_stages: list[StageCells]) -> dict[str, Cell]:
    """Cell id -> cell, over all stages."""
    cells: dict[str, Cell] = {}
    for stage_cells in known_stages:
        for cell in stage_cells.cells:
            # Two stages may hold the same cell, which is run once; it belongs to the first.
            cells.setdefault(cell.id, cell)
    return cells
