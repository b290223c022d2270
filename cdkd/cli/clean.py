"""`cdkd clean`: what takes room and nobody needs any more."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdkd.cli.command_line import typed_command
from cdkd.cli.options import Choice

if TYPE_CHECKING:
    from cdkd.sweep.queue.leftovers import Leftover

_KINDS = ("work", "traces", "caches")


@click.command()
@click.argument("kinds", metavar="[work|traces|caches]...", nargs=-1, type=Choice(_KINDS))
@click.option("--yes", is_flag=True, help="Remove what is listed; without: list it.")
def command(kinds: tuple[str, ...], yes: bool) -> None:
    """List what the studies of this folder and cdkd's own folder keep without need; remove it with --yes.

    \b
      work      checkpoints of trainings that have finished
      traces    tracebacks of cells that finished later, logs of workers that have ended
      caches    packed clips beside prepared data sets: hours of work that `cdkd data cache` repeats; only where named

    Results, checkpoints to resume from, teachers and data sets are never among it.

    \b
    Examples:
      cdkd clean
      cdkd clean --yes
      cdkd clean work --yes
      cdkd clean caches
    """
    from cdkd.sweep.queue.leftovers import KINDS, leftovers
    from cdkd.sweep.queue.study_reference import known_study_folders

    wanted = kinds or ("work", "traces")
    found = [left for folder in known_study_folders() for kind in wanted if kind in KINDS
             for left in leftovers(folder, kind)]  # fmt: skip
    if "work" in wanted:
        found += _teacher_work()
    if "caches" in wanted:
        found += _packed_caches()
    if not found:
        click.echo("Nothing to remove.")
        return
    total = _show(found)
    if not yes:
        click.echo(f"{total} in all; to remove them: {typed_command(click.get_current_context(), add=['--yes'])}")
        return
    for left in found:
        _remove(left.path)
    click.echo(f"Removed: {total}")


def _teacher_work() -> "list[Leftover]":
    """Training states of teachers and streams whose model is there."""
    from cdkd.data.home import cdkd_home
    from cdkd.experiment.paths import MODEL_NAME
    from cdkd.sweep.queue.leftovers import Leftover

    return [
        Leftover(state, "checkpoints of a network that is trained")
        for kind in ("teachers", "streams")
        for model in sorted((cdkd_home() / kind).glob(f"*/{MODEL_NAME}"))
        # What `cdkd.train.training_state` writes, in the folder itself or in `training` below it.
        for state in sorted([*model.parent.glob("last"), *model.parent.glob("best"), *model.parent.glob("training")])
    ]


def _packed_caches() -> "list[Leftover]":
    from cdkd.data.cache.packed import PACKED_FOLDER
    from cdkd.data.home import known_folders
    from cdkd.sweep.queue.leftovers import Leftover

    roots = sorted({root for folders in known_folders().values() for root in folders})
    packed = [root / PACKED_FOLDER for root in roots]
    return [Leftover(folder, "packed clips") for folder in packed if folder.is_dir()]


def _show(found: "Sequence[Leftover]") -> str:
    """Lists it; returns the size of all of it."""
    sizes = [left.num_bytes for left in found]
    for left, size in zip(found, sizes, strict=True):
        click.echo(f"{_size(size):>9}  {left.path}  ({left.what})")
    return _size(sum(sizes))


def _size(num_bytes: float) -> str:
    for unit in ("B", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
