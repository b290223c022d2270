"""The loop on a tiny network: learning rates, divergence, resume, which epoch is kept."""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cdkd.graceful_stop import StoppedAtCheckpoint, forget_stop_request, request_stop
from cdkd.models.weights.pretrained import initialise
from cdkd.settings import OptimizerSettings
from cdkd.train.engine import FitConfig, TrainingTask, fit
from cdkd.train.epoch_meter import Divergence
from cdkd.train.optimizer import build_optimizer, learning_rate_factor
from cdkd.train.training_state import CheckpointError, TrainingState, load_checkpoint, save_checkpoint

NUM_BATCHES = 3


@dataclass(frozen=True)
class LinearLoss:
    total: Tensor
    terms: dict[str, Tensor | float]


def make_task(network: nn.Module, validations: list[float], fail_at_step: int = -1) -> TrainingTask:
    """Fits y = 2 x with dropout noise; `validations` are handed out one per evaluation."""
    pending = iter(validations)

    def loss(batch: Tensor, step: int) -> LinearLoss:
        x = torch.full((4, 3), float(batch))
        error = (network(x) - 2 * x[:, :1]).square().mean()
        if step == fail_at_step:
            error = error * float("nan")
        return LinearLoss(error, {"loss": error.detach()})

    def batches(epoch: int) -> list[float]:
        return [0.1 * (epoch + 1), -0.2, 0.3][:NUM_BATCHES]

    return TrainingTask(network, batches, loss, lambda: {"validation/top1": next(pending, 0.0)})  # type: ignore[arg-type]


def make_network() -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    initialise(network, seed=0)
    return network


def make_plan(folder: Path, epochs: int, **options: object) -> FitConfig:
    settings = OptimizerSettings(epochs=6, warmup_epochs=1.0, learning_rate=0.05)
    config = FitConfig(settings.model_copy(update={"epochs": epochs}), 3, torch.device("cpu"), folder, **options)  # type: ignore[arg-type]
    return config


def no_progress(fraction: float) -> None:
    assert 0 < fraction <= 1


class Stop(Exception):
    """Stands for a killed process."""


def test_resume_equals_uninterrupted_to_the_bit(tmp_path: Path) -> None:
    whole, cut = make_network(), make_network()
    log: dict[int, dict[str, float]] = {}
    fit(make_task(whole, []), make_plan(tmp_path / "a", 6, checkpoint_every_epochs=2), _put(log), no_progress)

    def die_in_epoch_5(metrics: dict[str, float], epoch: int) -> None:
        if epoch == 5:
            raise Stop

    config = make_plan(tmp_path / "b", 6, checkpoint_every_epochs=2)
    with pytest.raises(Stop):
        fit(make_task(cut, []), config, die_in_epoch_5, no_progress)
    resumed = make_network()
    again: dict[int, dict[str, float]] = {}
    fit(make_task(resumed, []), config, _put(again), no_progress)
    assert sorted(again) == [5, 6]
    assert again[6]["train/loss"] == log[6]["train/loss"]
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_asked_to_stop_it_ends_behind_the_epoch_with_a_checkpoint(tmp_path: Path) -> None:
    whole, stopped = make_network(), make_network()
    log: dict[int, dict[str, float]] = {}
    fit(make_task(whole, []), make_plan(tmp_path / "a", 6, checkpoint_every_epochs=5), _put(log), no_progress)

    def ask_in_epoch_3(metrics: dict[str, float], epoch: int) -> None:
        if epoch == 3:
            request_stop()

    config = make_plan(tmp_path / "b", 6, checkpoint_every_epochs=5)
    try:
        with pytest.raises(StoppedAtCheckpoint):
            fit(make_task(stopped, []), config, ask_in_epoch_3, no_progress)
    finally:
        forget_stop_request()
    resumed = make_network()
    again: dict[int, dict[str, float]] = {}
    fit(make_task(resumed, []), config, _put(again), no_progress)
    # No epoch is lost, although a checkpoint was due only behind the fifth.
    assert sorted(again) == [4, 5, 6]
    assert again[6]["train/loss"] == log[6]["train/loss"]


def _put(log: dict[int, dict[str, float]]):  # type: ignore[no-untyped-def]
    return lambda metrics, epoch: log.__setitem__(epoch, metrics)


def test_a_loss_that_is_not_finite_ends_the_training_and_is_found_late_but_named(tmp_path: Path) -> None:
    logged: dict[int, dict[str, float]] = {}
    network = make_network()
    seen: list[float] = []
    task = make_task(network, [], fail_at_step=2 * NUM_BATCHES + 1)

    def loss(batch: Tensor, step: int) -> LinearLoss:
        found = task.loss(batch, step)
        seen.append(float(found.total.detach()))
        return found  # type: ignore[return-value]

    config = make_plan(tmp_path, 6, checkpoint_every_epochs=1, validate_every_epochs=1, keep_best=True)
    divergence = fit(replace(task, loss=loss), config, _put(logged), no_progress)
    # The third epoch's last step was still taken, as nobody had asked yet, and had weights that were not finite.
    assert len(seen) == 3 * NUM_BATCHES and math.isnan(seen[-1])
    assert divergence == Divergence(epoch=3, step=2, last_finite_loss=seen[2 * NUM_BATCHES])
    assert f"epoch 3, step 2; the last finite loss was {seen[6]:.4g}" in str(divergence)
    assert sorted(logged) == [1, 2]
    for name in ("last", "best"):
        state = load_checkpoint(tmp_path, network, name)
        assert state is not None and state[0].epoch <= 2
        assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())


def test_a_first_step_that_is_not_finite_has_no_finite_loss_before_it(tmp_path: Path) -> None:
    divergence = fit(make_task(make_network(), [], fail_at_step=0), make_plan(tmp_path, 6), print, no_progress)
    assert str(divergence) == "the loss was not finite in epoch 1, step 1"
    assert divergence is not None and divergence.metrics == {"run/diverged_epoch": 1.0}


def test_a_training_that_diverged_ends_long_before_its_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdkd.train.engine.STEPS_BETWEEN_CHECKS", 2)
    steps: list[int] = []
    task = make_task(make_network(), [], fail_at_step=0)

    def loss(batch: Tensor, step: int) -> LinearLoss:
        steps.append(step)
        return task.loss(batch, step)  # type: ignore[return-value]

    assert fit(replace(task, loss=loss), make_plan(tmp_path, 6), print, no_progress) is not None
    assert steps == [0, 1]


def test_an_epoch_tells_where_its_time_went(tmp_path: Path) -> None:
    def slow(epoch: int) -> SlowBatches:
        return SlowBatches([0.1, -0.2, 0.3])

    def validate() -> dict[str, float]:
        time.sleep(0.02)
        return {"validation/top1": 1.0}

    logged: dict[int, dict[str, float]] = {}
    task = replace(make_task(make_network(), []), batches=slow, validate=validate)  # type: ignore[arg-type]
    fit(task, make_plan(tmp_path, 2, validate_every_epochs=2), _put(logged), no_progress)
    for metrics in logged.values():
        assert metrics["time/data_seconds"] >= 3 * 0.01 and metrics["time/step_seconds"] > 0
        assert metrics["time/data_seconds"] + metrics["time/step_seconds"] == pytest.approx(
            metrics["time/epoch_seconds"]
        )
    assert "time/validation_seconds" not in logged[1] and logged[2]["time/validation_seconds"] >= 0.02


class SlowBatches(list[float]):
    def __iter__(self):  # type: ignore[no-untyped-def]
        for batch in super().__iter__():
            time.sleep(0.01)
            yield batch


def test_what_was_validated_of_the_final_weights_is_known_also_after_an_interruption(tmp_path: Path) -> None:
    for keep_best, expected in ((False, 20.0), (True, 30.0)):
        folder = tmp_path / str(keep_best)
        config = make_plan(folder, 3, validate_every_epochs=1, keep_best=keep_best)
        task = make_task(make_network(), [10.0, 30.0, 20.0])
        fit(task, config, lambda metrics, epoch: None, no_progress)
        assert task.validated == {"validation/top1": expected}
        # Nothing is left to train, and nothing is validated: the list is empty.
        again = make_task(make_network(), [])
        fit(again, config, lambda metrics, epoch: None, no_progress)
        assert again.validated == {"validation/top1": expected}


def test_a_training_without_validation_part_validates_nothing(tmp_path: Path) -> None:
    task = replace(make_task(make_network(), []), validate=None)
    logged: list[dict[str, float]] = []
    assert fit(task, make_plan(tmp_path, 2), lambda m, e: logged.append(dict(m)), no_progress) is None
    assert task.validated == {} and not any("validation" in name for each in logged for name in each)


def test_the_best_validated_epoch_is_kept_on_request(tmp_path: Path) -> None:
    network = make_network()
    weights: dict[int, Tensor] = {}

    def remember(metrics: dict[str, float], epoch: int) -> None:
        weights[epoch] = network[0].weight.detach().clone()  # type: ignore[union-attr, operator, index]

    config = make_plan(tmp_path, 4, validate_every_epochs=1, keep_best=True)
    fit(make_task(network, [10.0, 30.0, 20.0, 30.0]), config, remember, no_progress)
    assert torch.equal(network[0].weight, weights[2])  # type: ignore[index]
    assert not torch.equal(weights[2], weights[4])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cosine", [0.01, 0.505, 1.0, 0.5 * (1 + 2**-0.5), 0.5, 0.5 * (1 - 2**-0.5)]),
        ("step", [0.01, 0.505, 1.0, 0.1, 0.1, 0.01]),
        ("constant", [0.01, 0.505, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_learning_rates_by_epoch(schedule: str, expected: list[float]) -> None:
    settings = OptimizerSettings(epochs=6, warmup_epochs=2.0, schedule=schedule, step_epochs=(3, 5))  # type: ignore[arg-type]
    assert [learning_rate_factor(10 * e, 10, settings) for e in range(6)] == pytest.approx(expected)


def test_biases_and_normalisation_are_not_decayed() -> None:
    decayed, free = build_optimizer(make_network(), OptimizerSettings(optimizer="sgd", weight_decay=0.3)).param_groups
    assert (decayed["weight_decay"], [p.dim() for p in decayed["params"]]) == (0.3, [2, 2])
    assert (free["weight_decay"], [p.dim() for p in free["params"]]) == (0.0, [1, 1, 1, 1])


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    network = make_network()
    save_checkpoint(tmp_path, network, {}, TrainingState(4))
    assert load_checkpoint(tmp_path, network) == (TrainingState(4), {})
    (tmp_path / "last" / "weights.safetensors").write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match=r"last: damaged or foreign .*delete it"):
        load_checkpoint(tmp_path, network)


def test_a_kill_between_the_renames_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    network = make_network()
    save_checkpoint(tmp_path, network, {}, TrainingState(4))
    (tmp_path / "last").rename(tmp_path / ".last.old")
    found = load_checkpoint(tmp_path, network)
    assert found is not None and found[0].epoch == 4
