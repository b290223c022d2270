"""The command line that was typed, rebuilt from what click read of it, so that a hint can repeat all of it."""

import shlex
from collections.abc import Iterable
from typing import Any

import click
from click.core import ParameterSource


def typed_command(context: click.Context, add: Iterable[str] = (), without: Iterable[str] = ()) -> str:
    """A line for the shell that means the same as the one that was typed.

    Args:
        context: of the command.
        add: options to put at its end, such as `--retry-failed`; one that was typed anyway is not repeated.
        without: options to leave out.
    """
    words = typed_words(context, without)
    return shlex.join([*words, *(option for option in add if option not in words)])


def typed_words(context: click.Context, without: Iterable[str] = ()) -> list[str]:
    """The same as a list: what a shell would pass on. Defaults, and what the environment gave, are left out."""
    left_out = set(without)
    words = context.command_path.split()
    # Arguments first, as they are usually typed; click lists a command's parameters as they were declared.
    for parameter in sorted(context.command.params, key=lambda parameter: isinstance(parameter, click.Option)):
        source = context.get_parameter_source(parameter.name or "")
        if source is ParameterSource.COMMANDLINE and not left_out.intersection(parameter.opts):
            words += _words(parameter, context.params[parameter.name or ""])
    return words


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    values = list(value) if parameter.multiple or parameter.nargs != 1 else [value]
    if not isinstance(parameter, click.Option):
        return [str(each) for each in values]
    # The long name, which is the last one: -o, --output.
    name = parameter.opts[-1]
    if parameter.is_flag:
        return [name if value else parameter.secondary_opts[-1]]
    return [word for each in values for word in (name, str(each))]
