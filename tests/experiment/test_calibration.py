"""Units of a real run's losses: what they do to Eq. 7, and what they do not depend on."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny import tiny

from cdkd.distill.losses.spatial import SpatialSettings
from cdkd.distill.losses.temporal import TemporalSettings
from cdkd.experiment import RUNNER
from cdkd.experiment.build import StudentRun, assemble
from cdkd.models.weights.description import load_description
from cdkd.train.calibration import Conditions, calibrate
from cdkd.train.processes import ALONE


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def calibrated(num_batches: int = 2, autocast: Any = nullcontext, **changes: Any) -> StudentRun:
    run = assemble(tiny(**changes), lambda metrics, epoch: None)
    run.student.train()
    batches = run.inputs.step_clips(run.source("train"), run.unlabelled_source(), 0, 12)
    assert run.calibration is not None
    assert calibrate(run.calibration, run.student, batches, num_batches, Conditions(0, ALONE, autocast, False, 1))
    return run


def norm_on_streams(run: StudentRun) -> float:
    """Of the gradient that the first training step has, by the optimizer's own way."""
    batch = next(iter(run.inputs.step_clips(run.source("train"), run.unlabelled_source(), 0, 12)))
    run.student.zero_grad()
    run.loss(batch, 0).total.backward()  # type: ignore[no-untyped-call]
    return float(torch.stack([p.grad.norm() for p in run.student.streams.parameters() if p.grad is not None]).norm())


def test_a_weight_is_so_many_times_the_pull_of_cross_entropy() -> None:
    off = {"distill__spatial__enabled": False, "distill__temporal__enabled": False}
    entropy = norm_on_streams(assemble(tiny(**off), lambda metrics, epoch: None))
    for name, constant in (("spatial", SpatialSettings.pull), ("temporal", TemporalSettings.pull)):
        # So large a weight that the cross-entropy beside it does not count.
        weight = 1e5
        run = calibrated(1, **{**off, f"distill__{name}__enabled": True, f"distill__{name}__weight": weight})
        assert norm_on_streams(run) == pytest.approx(weight * constant * entropy, rel=1e-3)


def test_units_depend_neither_on_checkpointed_activations_nor_on_other_losses_nor_much_on_bfloat16() -> None:
    units = calibrated().units.values
    assert calibrated(runtime__checkpoint_activations=True).units.values == pytest.approx(units, rel=1e-5)
    more = calibrated(distill__mgd__enabled=True, distill__temporal__weight=7.0).units.values
    assert {name: more[name] for name in units} == pytest.approx(units, rel=1e-5)
    in_half = calibrated(autocast=lambda: torch.autocast("cpu", torch.bfloat16)).units.values
    assert in_half == pytest.approx(units, rel=0.1)


def test_a_run_logs_its_units_and_its_checkpoint_tells_them(tmp_path: Path) -> None:
    logged: list[dict[str, float]] = []
    config = tiny(train__epochs=1, distill__temporal__form="literal")
    outcome = RUNNER.run(config, tmp_path, lambda metrics, epoch: logged.append(metrics))
    units = load_description(outcome.artifacts["checkpoint"])["loss_units"]
    # The literal form stays as printed.
    assert list(units) == ["spatial"] and units["spatial"] > 0
    assert logged[0]["train/unit_spatial"] == pytest.approx(units["spatial"], rel=1e-6)
    assert "train/unit_temporal" not in logged[0]


def test_without_calibration_the_losses_are_what_they_were() -> None:
    run = assemble(tiny(distill__calibration="none"), lambda metrics, epoch: None)
    assert run.calibration is None
    batch = next(iter(run.inputs.step_clips(run.source("train"), run.unlabelled_source(), 0, 12)))
    terms = run.loss(batch, 0).terms
    expected = terms["cross_entropy"] + 0.1 * terms["spatial"] + 1.0 * terms["temporal"]
    torch.testing.assert_close(terms["loss"], expected)
    assert not [name for name in terms if name.startswith("unit")]
