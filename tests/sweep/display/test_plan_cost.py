"""The cost of a plan against hand-made runs: epochs times the seconds that epochs of the same kind took."""

from support.tiny import BASELINE, tiny

from cdkd.settings import flat_settings
from cdkd.sweep.display.plan_cost import PlanCost, cost_text, plan_cost
from cdkd.sweep.study.cell import Cell
from cdkd.tracking.earlier_runs import EarlierRun


def run_of(cell: Cell, epoch_seconds: float | None, has_result: bool = True) -> EarlierRun:
    return EarlierRun(cell.id, "earlier", has_result, flat_settings(cell.config), epoch_seconds)


def cell(**overrides: object) -> Cell:
    return Cell("rows", {}, tiny(**overrides))


def test_cells_cost_what_cells_like_them_took() -> None:
    # Another seed, other weights and rates take as long; another network does not.
    runs = [
        run_of(cell(seed=1, distill__spatial__weight=0.5, train__learning_rate=0.5), 100.0),
        run_of(cell(seed=2), 300.0),
        run_of(cell(seed=3), 200.0),
        run_of(cell(seed=4), 9000.0, has_result=False),
        run_of(cell(seed=5), None),
    ]
    wanted = [cell(train__epochs=36), cell(train__epochs=36, student__arch="tdn"), cell(**BASELINE)]
    assert plan_cost(wanted, runs) == PlanCost(36 * 200.0 / 3600.0, 1, 2)


def test_other_embedded_videos_of_the_same_size_take_as_long() -> None:
    runs = [run_of(cell(seed=1, data__shapes__draw="by_seed", data__shapes__seed=1), 100.0)]
    wanted = [cell(train__epochs=36, data__shapes__seed=seed) for seed in (0, 2)]
    assert plan_cost(wanted, runs) == PlanCost(2 * 36 * 100.0 / 3600.0, 2, 0)


def test_the_number_of_unlabelled_clips_in_a_step_counts_and_that_of_the_archive_does_not() -> None:
    archive = {"data__unlabelled": "pretrain", "train__unlabelled_per_step": 12}
    runs = [run_of(cell(seed=1, **archive), 100.0)]
    wanted = [cell(train__epochs=36, data__unlabelled_videos=5, **archive)]
    assert plan_cost(wanted, runs) == PlanCost(36 * 100.0 / 3600.0, 1, 0)
    assert plan_cost([cell(**archive | {"train__unlabelled_per_step": 24})], runs) == PlanCost(0.0, 0, 1)


def test_the_sentence() -> None:
    unknown = "2 cells of unknown cost: nothing like them has been trained yet"
    assert cost_text(PlanCost(0.0, 0, 2), 4) == unknown
    known = "about 6.0 h of training for 12 cells, as epochs took before"
    assert cost_text(PlanCost(6.0, 12, 0), 1) == known
    assert cost_text(PlanCost(6.0, 12, 2), 12) == f"{known}; 30 min with 12 workers; {unknown}"
