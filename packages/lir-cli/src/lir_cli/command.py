"""What all commands have in common: options for how much is said, and how their arguments are read."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from lir_cli.voice import speak, voice_options

# What is given as one of these may be a file, so that a shell completes it as one.
_FILES = {"FILE", "FOLDER", "MODEL", "RUN", "RUN...", "RUN RUN...", "SOURCE"}


class FileOrName(click.ParamType[str]):
    """A file, a folder, or a name that stands for one; a shell completes files."""

    name = "text"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Leave it to the shell, which knows the files."""
        del ctx, param
        return [CompletionItem(incomplete, type="file")]


class Command(click.Command):
    """A command of lir."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for parameter in self.params:
            if parameter.metavar in _FILES and parameter.type is click.STRING:
                parameter.type = FileOrName()

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own parameters, those of every command, and help."""
        *own, last = super().get_params(ctx)
        return [*own, *voice_options(), last]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; an option that has one value must not have two, and all that is missing is named at once."""
        if not ctx.resilient_parsing:
            given, _, order = self.make_parser(ctx).parse_args(args=list(args))
            if self.get_help_option(ctx) not in order:
                _refuse_twice(ctx, order)
                _refuse_missing(ctx, self.params, given)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        speak()
        return super().invoke(ctx)


def _refuse_twice(ctx: click.Context, order: Sequence[click.Parameter]) -> None:
    for place, parameter in enumerate(order):
        single = isinstance(parameter, click.Option) and not (
            parameter.multiple or parameter.is_flag or parameter.count
        )
        if single and parameter in order[:place]:
            ctx.fail(f"{parameter.opts[0]} is given twice, and it has one value.")


def _refuse_missing(ctx: click.Context, parameters: Sequence[click.Parameter], given: Mapping[str, Any]) -> None:
    missing = [
        str(parameter.metavar) if isinstance(parameter, click.Argument) else parameter.opts[0]
        for parameter in parameters
        if parameter.required and parameter.value_is_missing(parameter.consume_value(ctx, given)[0])
    ]
    if len(missing) > 1:
        ctx.fail(f"{', '.join(missing[:-1])} and {missing[-1]} are missing.")
    if missing:
        ctx.fail(f"{missing[0]} is missing.")
