"""The training loop: forward, loss, backward, update, log."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cdkd.callbacks import Log, Progress
from cdkd.data.loading.steps import StepClips, StepLoader
from cdkd.graceful_stop import StoppedAtCheckpoint, is_stop_requested
from cdkd.metric_names import LEARNING_RATE, VALIDATION_SECONDS, VALIDATION_TOP1
from cdkd.seeding import derive_seed
from cdkd.settings import OptimizerSettings
from cdkd.train.batch_norm import freeze_parameters, freeze_statistics
from cdkd.train.calibration import Calibration, Conditions, calibrate
from cdkd.train.epoch_meter import STEPS_BETWEEN_CHECKS, Divergence, EpochMeter, StepLoss
from cdkd.train.optimizer import build_optimizer, learning_rate_factor
from cdkd.train.processes import ALONE, Processes
from cdkd.train.training_state import TrainingState, load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class TrainingTask:
    """What is trained, on what, towards what."""

    network: nn.Module
    batches: Callable[[int], StepLoader]
    """Epoch -> its steps."""
    loss: Callable[[StepClips, int], StepLoss]
    """(batch, step) -> loss; called in training mode, under autocast."""
    validate: Callable[[], dict[str, float]] | None
    """Metrics on the validation part, in percent; called in eval mode; None: there is no such part."""
    metric: str = VALIDATION_TOP1
    """What `best_validation` compares."""
    auxiliary: nn.Module = field(default_factory=nn.Module)
    """Trained along with the network by the loss, and of no use after the last epoch."""
    no_sync: Callable[[], AbstractContextManager[object]] = nullcontext
    """Context of backward passes that exchange no gradients with other processes yet."""
    calibration: Calibration | None = None
    """What is fixed before the first step and kept with the training's state; None: nothing."""
    validated: dict[str, float] = field(default_factory=dict)
    """Filled by `fit`: what `validate` said of the weights that the network ends with; {}: nobody asked it."""


@dataclass(frozen=True)
class FitConfig:
    """How long, how fast, and what is kept."""

    settings: OptimizerSettings
    seed: int
    device: torch.device
    folder: Path
    validate_every_epochs: int = 0
    checkpoint_every_epochs: int = 5
    keep_best: bool = False
    processes: Processes = ALONE


def fit(task: TrainingTask, config: FitConfig, log: Log, progress: Progress) -> Divergence | None:
    """Trains `task.network` from its checkpoint, or from the start, to the last epoch.

    A resumed training equals an uninterrupted one bit for bit on the CPU: order, crops and dropout of a step depend on
    the seed and the step alone. With `keep_best` the network ends with the weights of its best validated epoch.

    Raises:
        StoppedAtCheckpoint: the process was asked to end (`cdkd.graceful_stop`), and its checkpoint is written.

    Returns:
        Where the loss ceased to be finite, if it did. The network then holds weights that are of no use, and no
        checkpoint has any of that epoch.
    """
    settings = config.settings
    # 1. Before the optimizer is built: it takes the parameters that ask for a gradient.
    if settings.partial_batch_norm:
        freeze_parameters(task.network)
    optimizer = build_optimizer(task.network, settings, task.auxiliary)
    scaler = torch.amp.GradScaler(config.device.type, enabled=_precision(config) == torch.float16)
    state = TrainingState(0)
    # 2. What a checkpoint brings back. No state of random numbers is among it: every step seeds its own.
    resumed = load_checkpoint(config.folder, task.network)
    if resumed is not None:
        state, states = resumed
        optimizer.load_state_dict(states["optimizer"])
        task.auxiliary.load_state_dict(states.get("auxiliary", {}))
        scaler.load_state_dict(states["scaler"])
    if task.calibration is not None:
        if resumed is not None:
            task.calibration.units.values.update(states["loss_units"])
        elif not _calibrate(task, task.calibration, config):
            return Divergence(epoch=1, step=1, last_finite_loss=math.nan)
    # 3. Epoch by epoch: train, validate, log, keep.
    for epoch in range(state.epoch, settings.epochs):
        means = _train_epoch(task, config, optimizer, scaler, epoch, progress)
        # No checkpoint: going on from weights that have diverged would help nobody.
        if isinstance(means, Divergence):
            return means
        done = epoch + 1
        is_last = done == settings.epochs
        every = config.validate_every_epochs
        if task.validate is not None and (is_last or (every and done % every == 0)):
            state = _validate(task, task.validate, config, means, state, done)
        # Logged before it is saved: killed in between, the epoch is trained and logged again, which the logbook of a
        # sweep's task sees to. The other way round it would be missing in the curve.
        if config.processes.is_main:
            log(means, done)
        state = replace(state, epoch=done)
        # Asked of all: they leave the loop together, or none does.
        going_on = torch.tensor(is_last or not is_stop_requested(), device=config.device)
        is_stopping = not config.processes.all_true(going_on)
        if is_last or is_stopping or done % config.checkpoint_every_epochs == 0:
            states = {
                "optimizer": optimizer.state_dict(),
                "scaler": scaler.state_dict(),
                "auxiliary": task.auxiliary.state_dict(),
                "loss_units": dict(task.calibration.units.values) if task.calibration is not None else {},
            }
            _save(task, config, states, state, "last")
        if is_stopping:
            raise StoppedAtCheckpoint
    # 4. The weights that are tested; the last validation may not have been the best.
    if config.keep_best:
        load_checkpoint(config.folder, task.network, "best")
    task.validated.update(state.validation or {})
    task.network.eval()
    return None


def _enter_training_mode(task: TrainingTask, config: FitConfig) -> None:
    task.network.train()
    task.auxiliary.train()
    # Frozen norms are put back into eval mode, as `train()` reaches every module.
    if config.settings.partial_batch_norm:
        freeze_statistics(task.network)


def _calibrate(task: TrainingTask, calibration: Calibration, config: FitConfig) -> bool:
    """See `cdkd.train.calibration.calibrate`; on the batches that the first epoch begins with."""
    _enter_training_mode(task, config)
    conditions = Conditions(
        config.seed,
        config.processes,
        lambda: autocast(config),
        _precision(config) == torch.float16,
        config.settings.accumulate_steps,
    )
    batches = task.batches(0)
    return calibrate(calibration, task.network, batches, len(batches), conditions)


def _train_epoch(
    task: TrainingTask,
    config: FitConfig,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    epoch: int,
    progress: Progress,
) -> dict[str, float] | Divergence:
    """The epoch's mean terms and seconds, or where a loss was not finite."""
    settings, processes = config.settings, config.processes
    # 1. The mode of training, and what is trained on.
    _enter_training_mode(task, config)
    batches = task.batches(epoch)
    meter = EpochMeter(config.device, processes)
    # 2. Step by step.
    for index, batch in enumerate(meter.waiting(batches)):
        step = epoch * len(batches) + index
        # The first process has the seed of a training in one; the others must not drop the same units for other clips.
        torch.manual_seed(derive_seed(config.seed, "dropout", step, *([processes.rank] if processes.rank else [])))
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * learning_rate_factor(step, len(batches), settings)
        # The last step of an epoch updates in any case, so that no gradient waits over a validation or a checkpoint.
        is_last = index + 1 == len(batches)
        is_update = (index + 1) % settings.accumulate_steps == 0 or is_last
        # Gradients are exchanged once per update, not for every batch that goes into it.
        with nullcontext() if is_update else task.no_sync():
            with autocast(config):
                loss = task.loss(batch, step)
            scaler.scale(loss.total / settings.accumulate_steps).backward()  # type: ignore[no-untyped-call]
        if is_update:
            _update(task, optimizer, scaler, settings.clip_norm)
        meter.add(loss)
        if (is_last or (index + 1) % STEPS_BETWEEN_CHECKS == 0) and not meter.all_finite():
            return meter.divergence(epoch + 1)
        progress((epoch + (index + 1) / len(batches)) / settings.epochs)
    # 3. The epoch's means over steps and processes.
    rate = settings.learning_rate * learning_rate_factor(step, len(batches), settings)
    return {**meter.means(), LEARNING_RATE: rate}


def _update(
    task: TrainingTask, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, clip_norm: float
) -> None:
    # The gradients of fp16 are scaled; as they are, their norm would be thousands of times too large.
    if clip_norm:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_([*task.network.parameters(), *task.auxiliary.parameters()], clip_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)


def _validate(
    task: TrainingTask,
    validate: Callable[[], dict[str, float]],
    config: FitConfig,
    means: dict[str, float],
    state: TrainingState,
    done: int,
) -> TrainingState:
    """Adds an epoch's accuracies to its means, and says what the training knows of its weights now."""
    task.network.eval()
    # Every process is about to judge its share of the videos, with statistics of batch norms that were its own.
    config.processes.share_buffers(task.network)
    started = time.perf_counter()
    found = validate()
    means.update(found)
    means[VALIDATION_SECONDS] = time.perf_counter() - started
    return _keep_best(task, config, found, done, state)


def _keep_best(
    task: TrainingTask, config: FitConfig, found: dict[str, float], done: int, state: TrainingState
) -> TrainingState:
    metric = found[task.metric]
    if not config.keep_best:
        return replace(state, validation=found)
    # Of equal epochs the earlier one stays.
    if state.best_metric is not None and metric <= state.best_metric:
        return state
    best = TrainingState(done, metric, done, found)
    _save(task, config, {}, best, "best")
    return best


def _save(task: TrainingTask, config: FitConfig, states: dict[str, Any], state: TrainingState, name: str) -> None:
    if config.processes.is_main:
        save_checkpoint(config.folder, task.network, states, state, name)
    # Nobody goes on, and perhaps reads the checkpoint, before it is written.
    config.processes.barrier()


def _precision(config: FitConfig) -> torch.dtype:
    wanted = config.settings.precision
    if wanted == "auto":
        # On a CPU bfloat16 is mostly slower than single precision.
        is_able = config.device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if is_able else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted]


def autocast(config: FitConfig) -> AbstractContextManager[object]:
    """Mixed precision as the plan has it, or nothing for fp32."""
    dtype = _precision(config)
    return nullcontext() if dtype == torch.float32 else torch.autocast(config.device.type, dtype)
