"""Every command of the tree keeps the same conventions: help, output, JSON, errors, exit codes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cdkd.cli import COMMANDS, group

# What lists or measures can be read by a program.
WITH_JSON = {
    "plan", "recipes", "status", "compare", "evaluate", "settings", "report", "profile", "predict", "teacher import",
    "data list", "data check", "data inspect", "bench reader", "bench loading", "bench training", "bench losses",
    "bench inference", "bench sweep", "bench report",
}  # fmt: skip


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command with its name in full, groups included."""
    if path:
        yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, (*path, name))


ALL = dict(walk(group))
LEAVES = {name: command for name, command in ALL.items() if not isinstance(command, click.Group)}


def options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def option(command: click.Command, name: str) -> click.Option | None:
    return next((found for found in options(command) if name in found.opts), None)


@pytest.mark.parametrize("name", ALL)
def test_help_shows_how_to_call_it(name: str) -> None:
    text = ALL[name].help or ""
    assert "Examples:" in text and re.search(rf"^ *(\S+ )*cdkd {name}\b", text, re.MULTILINE)


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_says_what_it_is_for(name: str) -> None:
    silent = [found.opts[-1] for found in options(LEAVES[name]) if not found.hidden and not found.help]
    assert silent == []


def test_what_lists_or_measures_speaks_json() -> None:
    assert {name for name, command in LEAVES.items() if option(command, "--json")} == WITH_JSON


@pytest.mark.parametrize("name", LEAVES)
def test_one_thing_is_asked_for_in_one_way(name: str) -> None:
    command = LEAVES[name]
    output = option(command, "--output")
    assert output is None or output.opts == ["-o", "--output"]
    short = [text for found in options(command) for text in found.opts if text[:1] == "-" and text[:2] != "--"]
    assert short == (["-o"] if output else [])
    for shared in ("--tracking-uri", "--set", "--recipe", "--teacher", "--only", "--seeds", "--json"):
        found = option(command, shared)
        assert found is None or found.help == reference(shared).help


def reference(name: str) -> click.Option:
    return next(found for command in LEAVES.values() if (found := option(command, name)) is not None)


def test_groups_suggest_and_answer_to_the_short_option() -> None:
    for name, command in ALL.items():
        if isinstance(command, click.Group):
            assert type(command).resolve_command is type(group).resolve_command, name
    assert click.Context(group).command.context_settings == {"help_option_names": ["-h", "--help"]}


def run(*arguments: str, folder: Path | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cdkd", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["swep"], "no such command 'swep'; did you mean 'sweep'?"),
        (["xyzzy"], f"no such command 'xyzzy'; known commands: {', '.join(COMMANDS)}"),
        (["data", "chek"], "no such command 'chek'; did you mean 'check'?"),
        (["plan"], "Missing argument 'STUDY'."),
        (
            ["profile", "--precision", "fb16"],
            "Invalid value for '--precision': 'fb16' is none of fp32, bf16, fp16; did you mean 'fp16'?",
        ),
        (
            ["plan", "ablation", "--set", "train.epochs"],
            "Invalid value for '--set': train.epochs: expected dotted.key=value, for example train.epochs=10",
        ),
    ],
)
def test_usage_errors_end_with_two(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    usage, remedy, line = done.stderr.splitlines()
    assert usage.startswith("Usage: cdkd") and remedy.startswith("Try 'cdkd") and line == f"cdkd: {message}"


def test_failures_end_with_one_and_one_line(tmp_path: Path) -> None:
    done = run("plan", "ablaton", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("cdkd: ablaton: no such study file, here or in ./sweeps; did you mean 'ablation.yaml'?\n")


def test_a_path_that_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".cdkd").touch()
    done = run("sweep", "ablation.yaml", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("cdkd: ") and "Not a directory" in done.stderr and done.stderr.count("\n") == 1


def test_no_help_waits_for_a_heavy_import() -> None:
    heavy = ("torch", "mlflow", "optuna", "pandas", "matplotlib")
    code = (
        "import sys\n"
        "from cdkd.cli import group\n"
        f"for name in {[name.split() for name in ALL]}:\n"
        "    group([*name, '--help'], standalone_mode=False)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [["-h"], ["train", "-h"], ["data", "show", "-h"]])
def test_the_module_is_the_command(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: {' '.join(['cdkd', *arguments[:-1]])} [OPTIONS]")
