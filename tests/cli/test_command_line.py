"""A hint repeats the command as it was typed: every option, quoted for a shell, and none that was not given."""

import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cdkd.cli import group
from cdkd.cli.command_line import typed_command


@click.command()
@click.argument("study")
@click.argument("cells", nargs=-1)
@click.option("--set", "settings", multiple=True)
@click.option("--workers", type=int, default=4)
@click.option("-o", "--output", type=click.Path(path_type=Path))
@click.option("--report/--no-report", default=True)
@click.option("--retry-failed", is_flag=True)
@click.option("--tracking-uri", envvar="STORE")
@click.pass_context
def example(context: click.Context, **values: object) -> None:
    """Prints itself."""
    click.echo(typed_command(context, add=["--retry-failed"], without=["--workers"]))


@pytest.mark.parametrize(
    ("typed", "repeated"),
    [
        ("mine.yaml", "example mine.yaml --retry-failed"),
        ("--retry-failed mine.yaml", "example mine.yaml --retry-failed"),
        ("--workers 2 mine.yaml a b", "example mine.yaml a b --retry-failed"),
        ("'my study.yaml' --set 'a=[1, 2]' --set b=x", "example 'my study.yaml' --set 'a=[1, 2]' --set b=x {again}"),
        ("mine.yaml --no-report -o out.txt", "example mine.yaml --output out.txt --no-report --retry-failed"),
        ("mine.yaml --tracking-uri 'sqlite:///a b.db'", "example mine.yaml --tracking-uri 'sqlite:///a b.db' {again}"),
    ],
)  # fmt: skip
def test_the_line_holds_what_was_typed(typed: str, repeated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the environment says is still in it when the line is typed again.
    monkeypatch.setenv("STORE", "sqlite:///from-environment.db")
    result = CliRunner().invoke(example, shlex.split(typed), prog_name="example", catch_exceptions=False)
    assert result.output == repeated.replace("{again}", "--retry-failed") + "\n"


def test_typing_it_again_gives_the_same_line() -> None:
    words = ["sweep", "ablation", "--only", "row=a b", "--seeds", "1,2", "--fresh", "--on-failure", "stop"]
    with group.make_context("cdkd", words) as context:
        name, command, rest = group.resolve_command(context, words)
        assert command is not None
        with command.make_context(name, rest, parent=context) as inner:
            line = typed_command(inner)
    assert sorted(shlex.split(line)) == sorted(["cdkd", *words])
