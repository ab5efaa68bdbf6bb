"""How much is said, by lir and by the libraries below it."""

import logging
import os
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import click

from lir_cli.terminal import clean_line, echo

#: What lir itself has to say while it works.
OURS = ("lir_data", "lir_index", "lir_models", "lir_train")

# Libraries that log what a user of the command cannot follow.
_THEIRS = ("lightning", "lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero", "urllib3")


@dataclass
class Voice:
    """What the options say of it.

    Args:
        quiet: Whether progress and notes are left out; results, warnings and errors are not.
        verbose: Whether the libraries below lir speak too.
        debug: Whether an error is followed by where it comes from.
    """

    quiet: bool = False
    verbose: bool = False
    debug: bool = False


def voice() -> Voice:
    """Return what was said of the command that runs; the usual voice outside of one."""
    context = click.get_current_context(silent=True)
    return Voice() if context is None else context.find_root().ensure_object(Voice)


def _note(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        setattr(context.find_root().ensure_object(Voice), str(parameter.name), True)


def voice_options() -> list[click.Parameter]:
    """Return the options that every command has."""
    common: dict[str, Any] = {"is_flag": True, "expose_value": False, "is_eager": True, "callback": _note}
    return [
        click.Option(["-q", "--quiet"], help="Leave out progress and notes.", **common),
        click.Option(["-v", "--verbose"], help="Let the libraries below lir speak too.", **common),
        click.Option(["--debug"], help="Show where an error comes from.", **common),
    ]


class _Ours(logging.Handler):
    """Prints what lir's packages log as lines of the command."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        echo(f"{record.levelname.lower()}: {clean_line(record.getMessage())}", err=True)


def speak() -> None:
    """Begin: what lir's packages warn of is printed in the command's own way, and other libraries are kept quiet."""
    for name in OURS:
        logger = logging.getLogger(name)
        if not any(isinstance(handler, _Ours) for handler in logger.handlers):
            logger.addHandler(_Ours())
    if not voice().verbose:
        quiet_libraries()


def quiet_libraries() -> None:
    """Keep libraries from advice that a user of the command cannot follow."""
    for name in _THEIRS:
        logging.getLogger(name).setLevel(logging.ERROR)
    # A folder of checkpoints that is there is checked for by the command itself.
    for pattern in (
        ".*does not have many workers.*",
        ".*logging interval.*",
        ".*LeafSpec.*",
        ".*logger.*",
        "Checkpoint directory .*",
    ):
        warnings.filterwarnings("ignore", message=pattern)


def quiet_process() -> None:
    """Keep libraries from what can only be asked of them before they are imported, in a process that is the command's own."""
    warnings.simplefilter("ignore")
    for name in OURS:
        warnings.filterwarnings("default", module=name)
    # Bars of others fill a log with a line for each step; on a terminal they show how far a download is.
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
