"""Options of a sweep whose workers are jobs of a Slurm cluster."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from cdkd.cli.options import Choice

Command = TypeVar("Command", bound=Callable[..., Any])


class _Minutes(click.ParamType[int]):
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from cdkd.sweep.workers.slurm import parse_minutes

        try:
            return parse_minutes(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _SbatchOption(click.ParamType[str]):
    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        # Kept as text, which hints repeat.
        text = str(value).lstrip("-")
        if not all(text.partition("=")):
            self.fail(f"{value!r} is no option of sbatch; write NAME=VALUE, such as account=vision", param, ctx)
        return text


_OPTIONS = (
    click.option(
        "--launcher",
        type=Choice(["local", "slurm"]),
        default="local",
        show_default=True,
        help="Where workers run: processes of this machine, or jobs of a Slurm cluster.",
    ),
    click.option("--partition", metavar="NAME", help="Of the cluster.  [default: the cluster's own]"),
    click.option(
        "--time", "minutes", type=_Minutes(), help="Time limit of a job.  [default: the partition's, a day at most]"
    ),
    click.option(
        "--array-parallelism", metavar="K", type=click.IntRange(min=1), help="Jobs that run at once.  [default: all]"
    ),
    click.option(
        "--cpus-per-job", "cpus", metavar="N", type=click.IntRange(min=1),
        help="Cores of a job.  [default: one per thread of its processes]",
    ),
    click.option("--memory", "memory_gb", metavar="GB", type=click.FloatRange(min=0.1), help="Memory of a job."),
    click.option(
        "--sbatch", "others", multiple=True, type=_SbatchOption(),
        help="Any other option of sbatch, as account=vision; may be repeated.",
    ),
)  # fmt: skip


def slurm_options(command: Command) -> Command:
    """`--launcher` and what belongs to it; the command gets `slurm`, the jobs' `SlurmOptions` or None."""

    @functools.wraps(command)
    def with_slurm(*arguments: Any, launcher: str, **values: Any) -> Any:
        of_jobs = {name: values.pop(name) for name in _NAMES}
        given = [_NAMES[name] for name, value in of_jobs.items() if value not in (None, ())]
        if launcher != "slurm":
            if given:
                raise click.UsageError(f"{', '.join(given)}: only with --launcher slurm")
            return command(*arguments, slurm=None, **values)
        if values["workers"] == 0:
            raise click.UsageError("--workers 0 runs everything in this process; leave out --launcher slurm")
        from cdkd.sweep.workers.slurm import SlurmOptions

        return command(
            *arguments,
            slurm=SlurmOptions(**{**of_jobs, "others": dict(text.split("=", 1) for text in of_jobs["others"])}),
            **values,
        )

    for option in reversed(_OPTIONS):
        with_slurm = option(with_slurm)
    return with_slurm  # type: ignore[return-value]


_NAMES = {
    "partition": "--partition",
    "minutes": "--time",
    "array_parallelism": "--array-parallelism",
    "cpus": "--cpus-per-job",
    "memory_gb": "--memory",
    "others": "--sbatch",
}
"""Of `SlurmOptions`, and as typed."""
