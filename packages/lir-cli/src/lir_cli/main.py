"""The ``lir`` command: the table of commands, and the one place where errors become sentences.

Nothing else of lir is imported here, so that help and completion are quick.
"""

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from lir_cli import signals
from lir_cli.errors import did_you_mean
from lir_cli.terminal import clean_line, echo
from lir_cli.voice import Voice, quiet_process, voice_options

COMMANDS = {
    "train": "Fine-tune a bi-encoder or a cross-encoder.",
    "index": "Embed a collection and build an index of it.",
    "search": "Search an index, with one query at the terminal or with many.",
    "rerank": "Re-rank the documents of a run.",
    "fuse": "Make one run of several, by ranks or by scores.",
    "evaluate": "Measure runs by judgements, and compare them.",
    "mine": "Mine hard negatives, as training tuples.",
    "score": "Score documents for a query, or training tuples as a teacher.",
    "demo": "Watch the whole pipeline work, on real text, in two minutes.",
}

#: The paper's names of stages.
ALIASES = {"fit": "train", "re_rank": "rerank", "re-rank": "rerank"}

PACKAGES = ("lir-cli", "lir-train", "lir-index", "lir-models", "lir-data")


class LazyGroup(click.Group):
    """Commands that are imported when they are called."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the version, what every command has too, and help."""
        *own, last = super().get_params(ctx)
        return [*own, *voice_options(), last]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of a pipeline."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        cmd_name = ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            return None
        return import_module(f"lir_cli.commands.{cmd_name}").command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that is called, or name the nearest."""
        if args[0] not in {*COMMANDS, *ALIASES} and not args[0].startswith("-"):
            ctx.fail(f"There is no command '{args[0]}'.{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo("\n".join(f"{package} {version(package)}" for package in PACKAGES))
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Shell completion: eval "$(_LIR_COMPLETE=bash_source lir)", or zsh_source, fish_source.',
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the versions.",
)
def cli() -> None:
    """Fine-tune, index, search and re-rank with transformer language models.

    \b
    Example:
      lir index --model sentence-transformers/all-MiniLM-L6-v2 --docs vaswani --index idx
      lir search --index idx "measurement of dielectric constants"
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``lir`` and leave with 0 (done), 1 (failed), 2 (wrong usage), 130 (SIGINT) or 143 (SIGTERM)."""
    if arguments is None:
        quiet_process()
    words = list(sys.argv[1:] if arguments is None else arguments)
    with signals.listening(is_whole_process=arguments is None):
        sys.exit(_run(words))


def _run(words: list[str]) -> int:
    voice = Voice()
    try:
        return cli.main(words, prog_name="lir", standalone_mode=False, obj=voice) or 0
    except signals.Stopped:
        return signals.tell(_say)
    except SystemExit:
        if signals.is_stopped():
            return signals.tell(_say)
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - said in a sentence
        if signals.is_stopped():  # what fails while a command stops is no news
            return signals.tell(_say)
        if voice.debug and not isinstance(error, click.exceptions.Abort | click.ClickException):
            echo("".join(traceback.format_exception(error)), err=True)
        return _explain(error)


def _say(text: str) -> None:
    echo(text, err=True)


def _explain(error: BaseException) -> int:
    """Print an error to stderr as a person would like to read it; return the exit code."""
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        echo("Interrupted.", err=True)
        return 130
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        echo(error.format_message(), err=True)
        return error.exit_code
    if isinstance(error, click.ClickException):
        echo(f"Error: {clean_line(error.format_message())}", err=True)
        if isinstance(error, click.UsageError) and error.ctx is not None:
            echo(f"hint: {error.ctx.command_path} --help", err=True)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return 0
    cause: BaseException | None = error
    while cause is not None and not _is_ours(cause):
        cause = cause.__cause__
    if cause is None:
        echo(f"Error: {type(error).__name__}: {clean_line(str(error).strip()) or 'no reason given'}", err=True)
        echo("hint: the same command with --debug shows where this comes from", err=True)
        return 1
    echo(f"Error: {clean_line(str(cause))}", err=True)
    if hint := getattr(cause, "hint", None):
        echo(f"hint: {clean_line(hint)}", err=True)
    return getattr(cause, "exit_code", 1)


def _is_ours(error: BaseException) -> bool:
    """Whether a lir package raised it on purpose; known by where the class is defined, without an import."""
    modules = [kind.__module__ for kind in type(error).__mro__]
    return any(module.startswith("lir_") and module.endswith(".errors") for module in modules)
