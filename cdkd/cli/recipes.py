"""`cdkd recipes`: the settings of whole runs on a data set, each with its source."""

import json
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any

import click

from cdkd.cli.options import json_option

if TYPE_CHECKING:
    from cdkd.experiment.recipe import Entry, Recipe

_WIDTH = 118
_SOURCE_COLUMN = 58
_FILES = {
    "start": "--teacher ARCH=FILE (needed): the checkpoint that the teacher's fine-tuning starts from",
    "checkpoint": "--teacher ARCH=FILE (needed): the teacher itself",
    "optional start": "--teacher ARCH=FILE (may be left out): the checkpoint that the teacher's training starts from",
    "optional checkpoint": "--teacher ARCH=FILE (may be left out): the teacher itself; else one is trained",
}


@click.command(name="recipes")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List recipes; with NAME print what one sets, value by value, each with its source.

    NAME is one in ./sweeps/recipes or of those that come with cdkd, or a file.

    \b
    Examples:
      cdkd recipes
      cdkd recipes ucf101
      cdkd recipes my_recipe.yaml --json
      cdkd sweep ablation.yaml --recipe ucf101 --set data.root=prepared/ucf101 \\
          --teacher tsm=tsm.safetensors
    """
    from cdkd.experiment.recipe import known_recipes, load_recipe

    recipes = [load_recipe(each) for each in ([name] if name else known_recipes())]
    if as_json:
        records = [_record(recipe) for recipe in recipes]
        click.echo(json.dumps(records[0] if name else records, indent=1))
    elif name:
        click.echo(_text(recipes[0]), nl=False)
    else:
        width = max(len(recipe.name) for recipe in recipes)
        click.echo("\n".join(f"{recipe.name:<{width}}  {recipe.description}" for recipe in recipes))


def _record(recipe: "Recipe") -> dict[str, Any]:
    values = [
        {"network": section, "key": entry.key, "value": entry.value, "source": entry.source, "recipe": entry.recipe}
        for section, entries in recipe.sections().items()
        for entry in entries
    ]
    return {
        "recipe": recipe.name,
        "description": recipe.description,
        "file": str(recipe.path),
        "teacher_files": recipe.teacher_files,
        "teachers": dict(recipe.teachers),
        "values": values,
    }


def _text(recipe: "Recipe") -> str:
    lines = [f"{recipe.name}: {recipe.description}", f"  {recipe.path}", f"  {_FILES[recipe.teacher_files]}"]
    lines += [f"  --teacher {arch}={path}" for arch, path in recipe.teachers.items()]
    for section, entries in recipe.sections().items():
        lines += ["", "all networks" if section == "common" else section]
        for source, group in groupby(entries, lambda entry: entry.source):
            lines += _block(source, list(group))
    return "\n".join(lines) + "\n"


def _block(source: str, entries: "list[Entry]") -> list[str]:
    """Values on the left, their common source beside them; a ditto mark where it has fewer lines than they."""
    import textwrap

    values = [f"  {entry.key} = {_shown(entry.value)}" for entry in entries]
    texts = textwrap.wrap(source, _WIDTH - _SOURCE_COLUMN)
    texts += ['"'] * (len(values) - len(texts))
    # A value that reaches into the source's column keeps its line to itself.
    for index, value in enumerate(values):
        if len(value) >= _SOURCE_COLUMN - 1:
            texts.insert(index, "")
    return [
        f"{left:<{_SOURCE_COLUMN - 1}} {right}".rstrip() for left, right in zip_longest(values, texts, fillvalue="")
    ]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
