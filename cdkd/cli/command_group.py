"""A group of commands that says which one was probably meant."""

import click

from cdkd.suggestion import hint


class CommandGroup(click.Group):
    """`cdkd swep`: no such command; did you mean 'sweep'?"""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that the arguments start with.

        Raises:
            click.UsageError: there is none of this name.
        """
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            ctx.fail(f"no such command '{name}'; {hint(name, self.list_commands(ctx), 'commands')}")
        return super().resolve_command(ctx, args)
