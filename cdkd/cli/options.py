"""Options that several commands share, so that one thing is asked for in one way."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cdkd.suggestion import did_you_mean

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
PATH = click.Path(path_type=Path)


class Choice(click.Choice[str]):
    """One of several words; a misspelt one gets the nearest suggested."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What is wrong with a word that is none of them."""
        suggestion = did_you_mean(str(value), self.choices)
        meant = f"; {suggestion}" if suggestion else ""
        return f"'{value}' is none of {', '.join(self.choices)}{meant}"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """What may be given, on one line."""
        return f"One of {', '.join(self.choices)}."


class Setting(click.ParamType[str]):
    """`dotted.key=value`, whose value is YAML; the text is passed on as it was given."""

    name = "KEY=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text.

        Raises:
            click.BadParameter: it is no such pair.
        """
        from cdkd.config import ConfigError, parse_override

        try:
            parse_override(value, option="")
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return str(value)


set_option = click.option(
    "--set", "settings", multiple=True, type=Setting(), help="A setting (cdkd settings lists them); may be repeated."
)
teacher_option = click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="ARCH=FILE",
    help="A teacher's checkpoint by its network, or what a recipe fine-tunes it from; may be repeated.",
)
tracking_uri_option = click.option(
    "--tracking-uri",
    metavar="ADDRESS",
    help="MLflow store.  [default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db]",
)

from_option = click.option(
    "--from",
    "exported",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Read this file of cdkd study export instead of a store.",
)
storage_option = click.option(
    "--storage",
    metavar="ADDRESS",
    envvar="CDKD_STORAGE",
    help="PostgreSQL database that keeps the study's cells, for several machines: postgresql+psycopg://host/database; "
    "or Optuna's gRPC proxy of one: grpc://host:port.  "
    "[default: CDKD_STORAGE, else what the study's folder in .cdkd notes, else its journal]",
)
workers_option = click.option(
    "--workers", type=click.IntRange(min=1), help="Processes.  [default: one per core that this process may use]"
)
gpus_per_cell_option = click.option(
    "--gpus-per-cell",
    "--processes-per-cell",
    "processes_per_cell",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that train a cell together, under torchrun: each on a GPU of its own, without GPUs on cores.",
)
only_option = click.option(
    "--only", multiple=True, metavar="AXIS=LABEL", help="Only cells with this label; may be repeated."
)
seeds_option = click.option("--seeds", metavar="N|A,B,...", help="A count, or numbers.  [default: the study's]")
fresh_option = click.option(
    "--fresh", is_flag=True, help="Train, too, what other studies have trained; without: take their results."
)
retry_failed_option = click.option("--retry-failed", is_flag=True, help="Run failed cells again.")
on_failure_option = click.option(
    "--on-failure",
    type=Choice(["continue", "stop"]),
    default="continue",
    show_default=True,
    help="What becomes of the other cells when one fails.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


def study_options(command: Command) -> Command:
    """STUDY and what changes its cells, for every command that reads a study file."""
    return click.argument("study")(cell_options(command))


def cell_options(command: Command) -> Command:
    """What changes a study's cells."""
    return _all_of(command, set_option, recipe_option(), teacher_option, only_option, seeds_option)


def run_options(command: Command) -> Command:
    """How cells are run and kept, for every command that runs them."""
    return _all_of(
        command,
        gpus_per_cell_option,
        retry_failed_option,
        on_failure_option,
        fresh_option,
        tracking_uri_option,
        storage_option,
    )


def _all_of(command: Command, *parts: Callable[[Command], Command]) -> Command:
    for part in reversed(parts):
        command = part(command)
    return command


def terminal_width() -> int:
    """Characters of a line, 120 at most; 120 too where no terminal reads along."""
    return min(120, shutil.get_terminal_size((120, 24)).columns) if sys.stdout.isatty() else 120


def store_to_read(tracking_uri: str | None, exported: Path | None) -> str | None:
    """The store that `--tracking-uri` and `--from` name together; None where neither does.

    Raises:
        click.UsageError: both do.
    """
    if exported is None:
        return tracking_uri
    if tracking_uri is not None:
        raise click.UsageError("--from and --tracking-uri both say where runs are read from: give one of them")
    return str(exported.absolute())


def output_option(help: str, type: click.Path = FILE, required: bool = False) -> Callable[[Command], Command]:
    """`-o`: where a command writes to."""
    return click.option("-o", "--output", type=type, required=required, help=help)


def recipe_option(default: str | None = None) -> Callable[[Command], Command]:
    """`--recipe`: what the settings of a command stand on."""
    return click.option(
        "--recipe",
        metavar="NAME|FILE",
        default=default,
        show_default=default is not None,
        help="Settings of whole runs on a data set (cdkd recipes lists them).",
    )
