"""The command line: each command lives in its own module and is imported only when it is called."""

import errno
import importlib
import sys
from typing import NoReturn

import click

from cdkd import __version__
from cdkd.cli.command_group import CommandGroup

# command: (module, one-line help). The help stands here so that `cdkd --help` imports nothing else.
COMMANDS: dict[str, tuple[str, str]] = {
    "sweep": ("cdkd.cli.sweep", "Train every cell of a study, track it, print its tables."),
    "plan": ("cdkd.cli.plan", "List a study's cells and their state; trains nothing."),
    "status": ("cdkd.cli.status", "Show how studies stand, from any terminal."),
    "stop": ("cdkd.cli.stop", "Ask a study's sweep and workers to end behind their epoch."),
    "retry": ("cdkd.cli.retry", "Let failed cells of a study run again."),
    "logs": ("cdkd.cli.logs", "Show what a cell has logged, and why it failed."),
    "rm": ("cdkd.cli.rm", "Remove a study's state, or its runs."),
    "clean": ("cdkd.cli.clean", "List what takes room without need, and remove it."),
    "worker": ("cdkd.cli.worker", "Run waiting cells of a study in this process."),
    "train": ("cdkd.cli.train", "Train one teacher or one student, on one or several processes."),
    "predict": ("cdkd.cli.predict", "Classify videos with a trained network."),
    "evaluate": (
        "cdkd.cli.evaluate",
        "Test a network on other data or by another protocol; write its scores.",
    ),
    "export": ("cdkd.cli.export", "Write a trained network as a torch.export program and as ONNX."),
    "register": ("cdkd.cli.register", "Register a finished run's checkpoint in MLflow's model registry."),
    "teacher": ("cdkd.cli.teacher", "Import published checkpoints of teachers."),
    "profile": ("cdkd.cli.profile", "Multiply-adds, parameters, speed and memory of the networks."),
    "report": ("cdkd.cli.report", "Print a table of the paper, measured beside published."),
    "study": ("cdkd.cli.study", "Take a study elsewhere as one file, and bring it back."),
    "ui": ("cdkd.cli.ui", "Show the tracked runs in a browser, in MLflow's pages."),
    "recipes": ("cdkd.cli.recipes", "List recipes of whole runs, or print one, value by value with its source."),
    "compare": ("cdkd.cli.compare", "Compare trained networks, or other people's scores, video by video."),
    "settings": ("cdkd.cli.settings", "Print what can be set, its default and what it does."),
    "data": ("cdkd.cli.data", "Prepare, check and look at videos and data sets."),
    "bench": ("cdkd.cli.bench", "Benchmarks, as ratios against named alternatives."),
}

_INTERRUPTED = 130
"""What a shell reports of a program that control-C ended."""

_REFUSALS = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
"""The file system does not let us: whoever gave the path can mend that."""


class LazyGroup(CommandGroup):
    """A group whose commands are imported on first use, so that help answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists them without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cdkd")
def group() -> None:
    """Distil what a raw-video network knows into one that reads compressed video.

    \b
    Examples:
      cdkd sweep ablation.yaml         train, track and print the TSM rows of Table 4
      cdkd plan ablation.yaml          what that would run, and what is done
      cdkd report --table 4            the table again, from the tracked runs
      cdkd ui                          the runs, in a browser
    """


def main() -> None:
    """Entry point of the `cdkd` command; ends the process with 0, with 1 for a failure, with 2 for a usage error."""
    from cdkd.errors import CdkdError

    try:
        sys.exit(group.main(prog_name="cdkd", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code, getattr(error, "ctx", None))
    except click.Abort:
        _fail("interrupted", _INTERRUPTED)
    except CdkdError as error:
        _fail(str(error))
    except OSError as error:
        # Everything else is a fault of ours and keeps its traceback.
        if error.errno not in _REFUSALS or error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}")


def _fail(message: str, exit_code: int = 1, context: click.Context | None = None) -> NoReturn:
    if context is not None:
        click.echo(f"{context.get_usage()}\nTry '{context.command_path} --help'.", err=True)
    click.echo(f"cdkd: {message}", err=True)
    sys.exit(exit_code)
