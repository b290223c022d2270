"""`cdkd train`: one teacher or one student, outside of any sweep."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdkd.cli.command_group import CommandGroup
from cdkd.cli.options import Choice, output_option, recipe_option, set_option, teacher_option, tracking_uri_option
from cdkd.settings import TEACHERS

if TYPE_CHECKING:
    from cdkd.tracking.mlflow_tracker import MlflowTracker

_FOLDER = Path(".cdkd") / "train"
_study = click.option("--study", default="train", show_default=True, help="The run's experiment in MLflow.")


@click.group(name="train", cls=CommandGroup)
def command() -> None:
    """Train one teacher or one student; tracked in MLflow like the cells of a sweep.

    \b
    Examples:
      cdkd train teacher --arch tsm -o teacher.safetensors
      cdkd train student --set train.epochs=10
      torchrun --nproc-per-node 2 -m cdkd train student --set train.batch_size=48
    """


@command.command(name="teacher")
@click.option("--arch", required=True, type=Choice(list(TEACHERS)), help="Its network.")
@recipe_option(default="shapes1")
@set_option
@output_option("Checkpoint file.", required=True)
@_study
@tracking_uri_option
def teacher(
    arch: str, recipe: str, settings: tuple[str, ...], output: Path, study: str, tracking_uri: str | None
) -> None:
    """Train a teacher, TSM and TDN by the recipes of their authors.

    Settings win from left to right: defaults < recipe < --set. The learning rate follows the batch size
    (teacher.train.batch_size times accumulate_steps) unless it is given. The recipes of UCF-101 and HMDB-51 fine-tune
    a Kinetics-400 checkpoint, whose classifier is dropped. A teacher that was trained before with equal settings is
    copied; an interrupted training goes on.

    \b
    Examples:
      cdkd train teacher --arch tsm -o teacher.safetensors
      cdkd train teacher --arch tdn --recipe ucf101 --set teacher.weights=k400.safetensors \\
          --set data.root=prepared/ucf101 --set teacher.train.batch_size=32 -o tdn-ucf.safetensors
      torchrun --nproc-per-node 8 -m cdkd train teacher --arch tsm --recipe kinetics400 -o tsm.safetensors
    """
    from cdkd.experiment.recipe import STUDENTS, load_recipe
    from cdkd.experiment.runtime import launched_processes
    from cdkd.experiment.standalone import train_teacher
    from cdkd.experiment.underlay import Underlay
    from cdkd.models.weights.checkpoints import require_output

    require_output(output)
    # A student of the same kind, since what concerns the clips in a recipe goes by the student.
    networks = {"teacher.arch": arch} | ({"student.arch": arch} if arch in STUDENTS else {})
    underlay = Underlay.of(load_recipe(recipe))
    config = underlay.build({**networks, **_read(settings)}, trains_teacher=True)
    with launched_processes(config.runtime.device) as processes:
        train_teacher(config, output, _tracker(study, tracking_uri), study, _tell, processes, underlay.name)
        if processes.is_main:
            click.echo(f"written: {output}")


@command.command(name="student")
@set_option
@recipe_option()
@teacher_option
@output_option("Copy the checkpoint here.")
@_study
@tracking_uri_option
def student(
    settings: tuple[str, ...],
    recipe: str | None,
    teachers: tuple[str, ...],
    output: Path | None,
    study: str,
    tracking_uri: str | None,
) -> None:
    """Train and test the student of one configuration, alone or under torchrun.

    Settings win from left to right: defaults < recipe < --teacher < --set.

    Under torchrun the processes share every step's clips: train.batch_size counts all of them. With
    train.sync_batch_norm, the default, two processes take the very steps of one. An interrupted training goes on, in
    a run that shows the epochs before it, too; one configuration is trained by one command at a time.

    \b
    Examples:
      cdkd train student --set train.epochs=10 --set distill.spatial.weight=0.05 -o student.safetensors
      torchrun --nproc-per-node 4 -m cdkd train student --recipe ucf101 --set data.root=prepared/ucf101 \\
          --set student.arch=tdn --set teacher.arch=tdn --teacher tdn=tdn-kinetics.safetensors
    """
    from cdkd.experiment.identity import cell_identity
    from cdkd.experiment.inputs import RunError
    from cdkd.experiment.recipe import load_recipe
    from cdkd.experiment.runtime import launched_processes
    from cdkd.experiment.standalone import copy_checkpoint, train_student
    from cdkd.experiment.teacher_files import check_used, parse_teacher_files
    from cdkd.experiment.underlay import Underlay
    from cdkd.models.weights.checkpoints import require_output
    from cdkd.tracking.tracker import CHECKPOINT

    if output is not None:
        require_output(output)
    files = parse_teacher_files(teachers)
    underlay = Underlay.of(load_recipe(recipe) if recipe else None, files)
    config = underlay.build(_read(settings))
    check_used(files, [config.teacher.arch], "this student")
    folder = _FOLDER / cell_identity(config)
    with launched_processes(config.runtime.device) as processes:
        outcome = train_student(config, folder, _tracker(study, tracking_uri), study, _tell, processes, underlay.name)
        if not processes.is_main:
            return
        if outcome.status == "diverged":
            raise RunError(
                f"the training diverged: {outcome.metadata['diverged']}; lower train.learning_rate "
                f"({config.train.learning_rate:g})"
            )
        for name, value in outcome.metrics.items():
            click.echo(f"{name}: {value:.2f} %")
        if output is not None:
            copy_checkpoint(outcome.artifacts[CHECKPOINT], output)
        click.echo(f"written: {output or outcome.artifacts[CHECKPOINT]}")


def _read(settings: tuple[str, ...]) -> dict[str, Any]:
    from cdkd.config import parse_override

    return dict(parse_override(text) for text in settings)


def _tracker(study: str, uri: str | None) -> "MlflowTracker":
    from cdkd.tracking.mlflow_tracker import MlflowTracker
    from cdkd.tracking.store import tracking_uri

    return MlflowTracker(uri or tracking_uri(), study, _FOLDER)


def _tell(metrics: dict[str, float], epoch: int) -> None:
    from cdkd.callbacks import seconds_text
    from cdkd.metric_names import TRAIN_LOSS, VALIDATION_TOP1

    shown = [f"{name} {metrics[name]:.4g}" for name in (TRAIN_LOSS, VALIDATION_TOP1) if name in metrics]
    click.echo(f"epoch {epoch}: {', '.join([*shown, seconds_text(metrics)])}")
