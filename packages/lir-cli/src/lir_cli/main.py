"""The ``lir`` command: which commands there are, and what becomes of an error."""

import logging
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

import click
from click.shell_completion import CompletionItem

COMMANDS = {
    "train": "Fine-tune a model.",
    "index": "Encode documents and build an index of them.",
    "search": "Search an index: one query at the terminal, or a file of queries.",
    "rerank": "Score the documents of a run anew.",
    "evaluate": "Measure runs by relevance judgements.",
    "score": "Score documents for a query.",
    "demo": "Index, search, re-rank and evaluate real text, in two minutes.",
}

_EPILOG = """\b
Examples:
  lir demo
  lir index --model sentence-transformers/all-MiniLM-L6-v2 --docs vaswani --index idx
  lir search --index idx "measurement of dielectric constant"
  lir search --model sentence-transformers/all-MiniLM-L6-v2 --index idx --queries vaswani --run run.trec
  lir evaluate run.trec --qrels vaswani -m nDCG@10

\b
Completion of commands and options, in bash (zsh and fish alike):
  eval "$(_LIR_COMPLETE=bash_source lir)"
"""


class LazyGroup(click.Group):
    """Commands that are known by name, and imported when one is called."""

    def __init__(self, **options: Any) -> None:
        # The names stand in `commands` so that click can suggest the nearest one.
        commands = {name: click.Command(name, short_help=line) for name, line in COMMANDS.items()}
        super().__init__(commands=commands, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of a pipeline."""
        del ctx
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command that is called."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            command = getattr(import_module(f"lir_cli.commands.{name}"), name)
        return name, command, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name from the table."""
        names = [CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("lir-cli"), "-V", "--version", prog_name="lir")
@click.option("--debug", is_flag=True, help="Show where an error came from, and what the libraries below report.")
@click.pass_context
def lir(ctx: click.Context, debug: bool) -> None:
    """Fine-tune, index, search and re-rank with transformer language models.

    Results go to stdout, as a table on a terminal and separated by tabs otherwise; progress and hints go to stderr.
    Exit codes: 0 done, 1 failed, 2 wrong usage.
    """
    ctx.obj = {"debug": debug}
    _listen(debug=debug)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``lir`` and exit; the one place where errors become sentences."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    code = run(lambda: lir.main(given, prog_name="lir", standalone_mode=False), debug="--debug" in _before_command(given))
    sys.exit(code)


def run(command: Callable[[], Any], *, debug: bool = False) -> int:
    """Call a command.

    Args:
        command: The call; an integer that it returns is the exit code.
        debug: Whether an error keeps its traceback.

    Returns:
        The exit code.
    """
    try:
        result = command()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    except BrokenPipeError:
        # The reader, `head` for instance, has seen enough; Python would complain once more when it closes stdout.
        sys.stdout = None
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except Exception as error:
        if debug:
            raise
        return _tell(error)
    return result if isinstance(result, int) else 0


def _tell(error: Exception) -> int:
    """Print an error as a sentence; return the exit code."""
    if not is_ours(error):
        text = " ".join(str(error).split())
        click.echo(f"Error: {type(error).__name__}{': ' if text else ''}{text}", err=True)
        click.echo("hint: this was not foreseen; run again with 'lir --debug …' to see where it came from", err=True)
        return 1
    click.echo(f"Error: {_sentence(error)}", err=True)
    if hint := getattr(error, "hint", None):
        click.echo(f"hint: {hint}", err=True)
    return getattr(error, "exit_code", 1)


def is_ours(error: BaseException) -> bool:
    """Whether an error is a sentence of a lir package, told by where its class was defined."""
    return any(re.fullmatch(r"lir_\w+\.errors", kind.__module__) for kind in type(error).__mro__)


def _sentence(error: Exception) -> str:
    text = str(error)
    if text.startswith("Caught ") and "Original Traceback" in text:
        # torch's loader workers send an error as the text of its traceback, which ends with the sentence.
        text = text.rstrip().rpartition(f"{type(error).__qualname__}: ")[2]
    return text


def _before_command(arguments: list[str]) -> list[str]:
    for place, argument in enumerate(arguments):
        if not argument.startswith("-"):
            return arguments[:place]
    return arguments


class _ToStderr(logging.Handler):
    """Writes to whatever stderr is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"{record.levelname.lower()}: {record.getMessage()}", err=True)


def _listen(*, debug: bool) -> None:
    """Let the lir packages' warnings be seen."""
    for package in ("lir_models", "lir_data", "lir_index", "lir_train", "lir_cli"):
        logger = logging.getLogger(package)
        if not any(isinstance(handler, _ToStderr) for handler in logger.handlers):
            logger.addHandler(_ToStderr())
        logger.setLevel(logging.INFO if debug else logging.WARNING)
