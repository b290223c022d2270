"""The command line: each command lives in its own module and is imported only when it is called."""

import importlib
import sys

import click

from cdkd import __version__

# command: (module, one-line help). The help stands here so that `cdkd --help` imports nothing else.
COMMANDS: dict[str, tuple[str, str]] = {
    "sweep": ("cdkd.cli.sweep", "Train every cell of a study, track it, print its tables."),
    "plan": ("cdkd.cli.plan", "List a study's cells and their state; trains nothing."),
    "worker": ("cdkd.cli.worker", "Run waiting cells of a study in this process."),
    "train": ("cdkd.cli.train", "Train one teacher or one student, on one or several processes."),
    "predict": ("cdkd.cli.predict", "Print what a trained network sees in videos."),
    "export": ("cdkd.cli.export", "Write a trained student as ONNX and as a torch.export program."),
    "register": ("cdkd.cli.register", "Register a finished run's checkpoint in MLflow's model registry."),
    "teacher": ("cdkd.cli.teacher", "Import published TSM and TDN checkpoints."),
    "profile": ("cdkd.cli.profile", "Multiply-adds, parameters, speed and memory of the networks."),
    "report": ("cdkd.cli.report", "Print a table of the paper, measured beside published."),
    "data": ("cdkd.cli.data", "Prepare, check and look at videos and data sets."),
    "bench": ("cdkd.cli.bench", "Benchmarks, as ratios against named alternatives."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported on first use, so that help answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cdkd")
def group() -> None:
    """Distil what a raw-video network knows into one that reads compressed video.

    \b
    Examples:
      cdkd sweep ablation.yaml         train, track and print Table 4
      cdkd plan ablation.yaml          what that would run, and what is done
      cdkd report --table 4            the table again, from the tracked runs
      mlflow ui                        the runs, in a browser
    """


def main() -> None:
    """Entry point of the `cdkd` command: expected errors print one line and exit with 1."""
    from cdkd.errors import CdkdError

    try:
        group(standalone_mode=True)
    except CdkdError as error:
        click.echo(f"cdkd: {error}", err=True)
        sys.exit(1)
