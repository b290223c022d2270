"""`cdkd settings`: the reference of everything that can be set."""

import json
from typing import TYPE_CHECKING, Any

import click

from cdkd.cli.options import Choice, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdkd.settings_reference import Group, Setting

_WIDTH = 110

_PREFACE = """\
# Settings

Every setting of a run, as `cdkd settings` prints it. Set them with `--set key=value` on the command line, in a study's
YAML, or with `RunConfig.from_yaml`. Two runs that differ in a setting are two cells with a result each; what cannot
change a result, or only under a condition, says so.
"""


@click.command(name="settings")
@click.argument("key", required=False)
@click.option(
    "--format",
    "format_name",
    default="text",
    show_default=True,
    type=Choice(["text", "markdown"]),
    help="How it is written; docs/settings.md is the markdown.",
)
@json_option
def command(key: str | None, format_name: str, as_json: bool) -> None:
    """Print what can be set, its default, what it may be, and what it does.

    KEY is a setting or a group of them; without it everything is printed.

    \b
    Examples:
      cdkd settings
      cdkd settings distill
      cdkd settings train.precision
      cdkd settings student --json
    """
    from cdkd.settings_reference import find_settings, setting_groups

    groups = find_settings(key) if key else setting_groups()
    if as_json:
        click.echo(json.dumps([vars(setting) for group in groups for setting in group.settings], indent=1))
    else:
        click.echo((_markdown if format_name == "markdown" else _text)(groups), nl=False)


def _text(groups: "Sequence[Group]") -> str:
    import textwrap

    lines = []
    for group in groups:
        lines += [f"{group.key or 'the run'}: {group.sentence}", ""]
        for setting in group.settings:
            mark = "" if setting.counts == "always" else f" ({_counts(setting)})"
            lines.append(f"  {setting.key} = {_shown(setting.default)}{mark}")
            for text in (setting.sentence, f"[{setting.values}]"):
                lines += textwrap.wrap(text, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _markdown(groups: "Sequence[Group]") -> str:
    lines = [_PREFACE]
    for group in groups:
        lines += [f"## {f'`{group.key}`' if group.key else 'The run'}", "", group.sentence, ""]
        lines += ["| setting | default | values | what it does |", "| --- | --- | --- | --- |"]
        lines += [_row(setting) for setting in group.settings]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _row(setting: "Setting") -> str:
    mark = "" if setting.counts == "always" else f" *{_counts(setting).capitalize()}.*"
    cells = (f"`{setting.key}`", f"`{_shown(setting.default)}`", setting.values, setting.sentence + mark)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _counts(setting: "Setting") -> str:
    if setting.counts == "never":
        return "no part of a cell's identity"
    return f"part of a cell's identity {setting.counts}"


def _shown(default: Any) -> str:
    """As one would write it behind `--set key=`."""
    return default if isinstance(default, str) else json.dumps(default)
