"""A study's plan: the cells of every stage whose settings are known, the choices made, the tasks behind them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from cdkd.sweep.queue.cell_configuration import configurations_of
from cdkd.sweep.queue.parameters import Parameters, parameters_of
from cdkd.sweep.queue.pruning import search_record
from cdkd.sweep.queue.stage_choice import Choice, frozen_choice, refuse_without_validation
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.suggestions import Suggestion, distributions, outcome_of, read_suggestions, space_digest
from cdkd.sweep.queue.trial_queue import QueuedTask, Trial
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.study.expansion import expand, suggested_row
from cdkd.sweep.study.records import Overrides, Search, Stage, Study


@dataclass(frozen=True)
class SearchState:
    """How far a search is."""

    how: Search
    digest: str
    """`space_digest`."""
    suggested: tuple[Overrides, ...]
    """By number."""
    rows: tuple[tuple[Cell, ...], ...]
    """The cells of each suggestion, one per seed; equal suggestions have equal cells."""
    corners: tuple[Cell, ...]
    """Cells at the ends of the space; they show what all cells share before there is any."""

    @property
    def is_asked(self) -> bool:
        """Every suggestion was made."""
        return len(self.suggested) >= self.how.num_trials

    def outcomes(self, trials: Mapping[str, Trial]) -> list[Suggestion]:
        """What has become of each suggestion."""
        return [
            outcome_of(row, trials, self.how.metric, values)
            for values, row in zip(self.suggested, self.rows, strict=True)
        ]


@dataclass(frozen=True)
class StageCells:
    """A stage whose cells are known."""

    stage: Stage
    choice: Choice | None
    """What the stage took over; None when it takes over nothing."""
    cells: tuple[Cell, ...]
    search: SearchState | None = None
    """Where the stage searches for its cells."""

    @cached_property
    def digest(self) -> str:
        """Hash of the stage's cells; of a search, whose cells come one by one, of its space."""
        if self.search is not None:
            return self.search.digest
        return hashlib.sha256(" ".join(cell.id for cell in self.cells).encode()).hexdigest()[:12]

    def tasks(self) -> list[QueuedTask]:
        """The cells as tasks, all rows of one seed before the next, so that early results can be compared."""
        configurations = configurations_of(self.cells) if self.cells else []
        varied_of = parameters_of(configurations) if self.search is None else self._suggested(self.search)
        place = {seed: index for index, seed in enumerate(dict.fromkeys(cell.seed for cell in self.cells))}
        found = zip(self.cells, varied_of, configurations, strict=True)
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
        if self.search is not None:
            # Point by point, as they were suggested.
            return [replace(task, search=search_record(self.search.how)) for task in tasks]
        # `sorted` is stable, so within a seed the rows keep the study's order.
        return sorted(tasks, key=lambda task: place[task.seed])

    def _suggested(self, search: SearchState) -> list[Parameters]:
        """What was suggested of each cell; of equal suggestions, the first."""
        space = distributions(search.how)
        found: dict[str, Parameters] = {}
        for values, row in zip(search.suggested, search.rows, strict=True):
            for cell in row:
                found.setdefault(cell.id, Parameters(dict(values), space))
        return [found[cell.id] for cell in self.cells]

    def is_settled(self, trial: Trial) -> bool:
        """The stage needs no more of one of its cells: what was pruned is done with for a search alone."""
        return trial.is_over if self.search is not None else trial.is_done

    def is_done(self, trials: Mapping[str, Trial]) -> bool:
        """Every cell has a result; of a search, every suggestion was made and came to its end."""
        if self.search is not None and not self.search.is_asked:
            return False
        return all(cell.id in trials and self.is_settled(trials[cell.id]) for cell in self.cells)


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
            # A search that goes on has other candidates tomorrow.
            is_open = source.search is not None and not source.search.is_asked
            choice = None if is_open else frozen_choice(folder, stage.best, source.cells)
            if choice is None:
                corners = source.search.corners if source.search is not None else ()
                refuse_without_validation(stage.best, [*source.cells, *corners], stage.where)
                continue
        taken = choice.values if choice else None
        if stage.search is None:
            known_stages[stage.name] = StageCells(stage, choice, expand(study, stage, taken))
        else:
            state = _search_state(study, stage, taken, stage.search, folder)
            cells: dict[str, Cell] = {}
            for cell in (cell for row in state.rows for cell in row):
                cells.setdefault(cell.id, cell)
            known_stages[stage.name] = StageCells(stage, choice, tuple(cells.values()), state)
    return list(known_stages.values())


def _search_state(
    study: Study, stage: Stage, taken: Overrides | None, search: Search, folder: StudyFolder
) -> SearchState:
    ends: list[Overrides] = [
        {one.setting: one.choices[end] if one.choices else (one.low, one.high)[end] for one in search.over}
        for end in (0, -1)
    ]
    corners = tuple(suggested_row(study, stage, taken, number, values)[0] for number, values in enumerate(ends))
    digest = space_digest(search, corners)
    # Where fewer trials are asked for than were made, the first ones count.
    suggested = tuple(read_suggestions(folder, stage.name, digest)[: search.num_trials])
    rows = tuple(tuple(suggested_row(study, stage, taken, *one)) for one in enumerate(suggested))
    return SearchState(search, digest, suggested, rows, corners)


def sample_cells(known_stages: list[StageCells]) -> list[Cell]:
    """Every cell that is known, and of searches those at the ends of their spaces, which stand for all to come."""
    corners = [cell for stage in known_stages if stage.search is not None for cell in stage.search.corners]
    return [*all_cells(known_stages).values(), *corners]


def all_cells(known_stages: list[StageCells]) -> dict[str, Cell]:
    """Cell id -> cell, over all stages."""
    cells: dict[str, Cell] = {}
    for stage_cells in known_stages:
        for cell in stage_cells.cells:
            # Two stages may hold the same cell, which is run once; it belongs to the first.
            cells.setdefault(cell.id, cell)
    return cells
