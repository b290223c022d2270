"""The README says what is there: the tree of the house, the table of commands, and Python that works when pasted."""

import re
import shutil
from pathlib import Path

import click
from support.guides import REPOSITORY, Workplace

from cdkd.cli import group

README = (REPOSITORY / "README.md").read_text()
PACKAGE = REPOSITORY / "cdkd"


def _section(title: str) -> str:
    return README.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_tree_names_every_room_and_every_file_beside_them() -> None:
    entries = dict(re.findall(r"^      (\S+) +(\S.*)$", _section("Where things are"), re.MULTILINE))
    rooms = {path.parent for path in PACKAGE.glob("*/__init__.py")}
    assert set(entries) == {f"{room.name}/" for room in rooms} | {path.name for path in PACKAGE.glob("*.py")}
    for room in rooms:
        for sub_room in room.glob("*/__init__.py"):
            assert re.search(rf"\b{sub_room.parent.name}\b", entries[f"{room.name}/"]), sub_room


def test_the_tree_names_the_folders_beside_the_package() -> None:
    named = set(re.findall(r"^    (\w+)/", _section("Where things are"), re.MULTILINE))
    assert named == {"cdkd", "sweeps", "reports", "docs", "tests"}
    assert all((REPOSITORY / name).is_dir() for name in named)


def _listed_commands() -> set[str]:
    """`cdkd data inspect / show VIDEO` names two commands."""
    found: set[str] = set()
    for row in re.findall(r"^\| `cdkd ([^`]*)` \|", _section("What you type"), re.MULTILINE):
        words = re.match(r"[a-z/ ]+(?![A-Z\[-])", row)
        assert words is not None
        name, *others = words[0].split(" / ")
        *parent, first = name.split()
        found |= {" ".join([*parent, last.split()[0]]) for last in (first, *others)}
    return found


def _existing_commands(command: click.Command, path: tuple[str, ...] = ()) -> set[str]:
    if not isinstance(command, click.Group):
        return {" ".join(path)}
    context = click.Context(command)
    names = command.list_commands(context)
    return set().union(*(_existing_commands(command.get_command(context, name), (*path, name)) for name in names))  # type: ignore[arg-type]


def test_the_table_of_commands_is_complete() -> None:
    assert _listed_commands() == _existing_commands(group)


def test_the_python_section_works_when_pasted(finished_runs: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", _section("From Python"), re.MULTILINE | re.DOTALL)
    assert code.count("\n") <= 22
    folder = tmp_path / "work"
    shutil.copytree(finished_runs, folder)
    output = Workplace(folder).python(code)
    assert output.startswith("mpeg4 3 groups of pictures\n(32, 48, 3) (7, 32, 48, 2) (7, 32, 48, 3)\n")
    assert re.search(r"^baseline .*\nboth ", output, re.MULTILINE)
