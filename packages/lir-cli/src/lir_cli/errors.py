"""The errors of lir-cli: each text is a sentence for the user."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class LirCliError(Exception):
    """Base of every error that lir-cli raises on purpose.

    Args:
        message: What is wrong, the value seen, what would be right.
        hint: A way out, shown on a line of its own.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class WrongUsageError(LirCliError):
    """Options that are missing, or do not go together."""

    exit_code = 2


class SettingsError(LirCliError):
    """A YAML file, or an option with dots, that names something unknown or has a wrong value."""

    exit_code = 2


class OutputExistsError(LirCliError):
    """A file or folder that would be overwritten."""


class NoCollectionError(LirCliError):
    """Too little text where the demo looks for it."""


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the choice nearest to ``name``, or nothing."""
    choices = list(choices)
    near = get_close_matches(str(name), choices, n=1)
    if not near:
        # 'ndcg' is far from 'nDCG' for difflib, and near for people.
        by_lower = {choice.lower(): choice for choice in choices}
        near = [by_lower[lower] for lower in get_close_matches(str(name).lower(), list(by_lower), n=1)]
    return f" Did you mean '{near[0]}'?" if near else ""
