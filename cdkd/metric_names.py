"""What metrics are called wherever they are logged, kept or read: a group, a slash, a name.

    train/       an epoch's mean loss (`loss`, Eq. 7), its terms without their weights, the learning rate
    validation/  accuracies in percent (`top1`, `top5`) and cross-entropy in nats on the validation part, of one view
    test/        accuracies in percent on the test part
    gate/        the attention gate, where one acts: its mean by time step (`alpha_1`, ...), spread of its logarithm
    graph/       the temporal graphs, where there are any
    teacher/     accuracies of the run's teacher, in percent
    cost/        what the network takes: multiply-adds of a view (`gmacs`), parameters (`parameters_m`, millions)
    time/        seconds of an epoch, and where they went; of a stage
    best/        of a stage's parent run: its best row by validation
    system/      how busy the machine was, as MLflow names it
    run/         how a run ended that did not come to its last epoch

MLflow draws each group as a section of its own. A loss or a part of the network that logs more names its group itself;
what has none belongs to `train/`.
"""

from collections.abc import Mapping

TRAIN, VALIDATION, TEST = "train/", "validation/", "test/"

TRAIN_LOSS = "train/loss"
TRAIN_CROSS_ENTROPY = "train/cross_entropy"
LEARNING_RATE = "train/learning_rate"
VALIDATION_TOP1 = "validation/top1"
VALIDATION_TOP5 = "validation/top5"
VALIDATION_CROSS_ENTROPY = "validation/cross_entropy"
TEST_TOP1 = "test/top1"
TEST_TOP5 = "test/top5"
TEACHER_TEST_TOP1 = "teacher/test_top1"
TEACHER_TEST_TOP5 = "teacher/test_top5"
TEACHER_VALIDATION_TOP1 = "teacher/validation_top1"
GMACS = "cost/gmacs"
PARAMETERS = "cost/parameters_m"
EPOCH_SECONDS = "time/epoch_seconds"
"""Of training, without validation."""
DATA_SECONDS = "time/data_seconds"
STEP_SECONDS = "time/step_seconds"
VALIDATION_SECONDS = "time/validation_seconds"
STAGE_SECONDS = "time/stage_seconds"
"""Of a stage's parent run: from its first cell's start to its last cell's end."""
CELLS_SECONDS = "time/cells_seconds"
"""Of a stage's parent run: its cells, one after the other."""
DIVERGED_EPOCH = "run/diverged_epoch"
LAST_FINITE_LOSS = "run/last_finite_loss"
PRUNED_EPOCH = "run/pruned_epoch"

# What earlier versions logged, kept in queues and in teachers' descriptions, and wrote into studies.
_FORMER = {
    "loss": TRAIN_LOSS,
    "train_total": TRAIN_LOSS,
    "train_gate_log_mean": "gate/log_mean",
    "train_gate_log_std": "gate/log_std",
    "learning_rate": LEARNING_RATE,
    "epoch_seconds": EPOCH_SECONDS,
    "data_seconds": DATA_SECONDS,
    "step_seconds": STEP_SECONDS,
    "validation_seconds": VALIDATION_SECONDS,
    "diverged_epoch": DIVERGED_EPOCH,
    "last_finite_loss": LAST_FINITE_LOSS,
    "pruned_epoch": PRUNED_EPOCH,
}
_FORMER_PREFIXES = {
    "train_gate_": "gate/alpha_",
    "train_": TRAIN,
    "validation_": VALIDATION,
    "test_": TEST,
}


def current_name(name: str) -> str:
    """Today's name of a metric that an earlier version may have named; today's names stay as they are."""
    if name in _FORMER:
        return _FORMER[name]
    for former, prefix in _FORMER_PREFIXES.items():
        if name.startswith(former):
            return prefix + name.removeprefix(former)
    return name


def former_name(name: str) -> str:
    """What earlier versions called a metric of a part: what they have kept under a hash of it is still found."""
    return name.replace("/", "_", 1)


def current_names(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics under today's names; where both are there, today's counts."""
    former = {current_name(name): value for name, value in metrics.items()}
    return former | {name: value for name, value in metrics.items() if "/" in name}


def term_name(name: str) -> str:
    """What a term of the training's loss is logged as: where it names no group of its own, in `train/`."""
    return name if "/" in name else TRAIN + name
