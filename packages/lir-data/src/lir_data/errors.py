"""The errors of lir-data: each text is a sentence for the user."""

from collections.abc import Iterable
from difflib import get_close_matches


class LirDataError(Exception):
    """Base of every error that lir-data raises on purpose.

    Args:
        message: What is wrong, the value seen, what would be right.
        hint: A way out, shown on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class SourceNotFoundError(LirDataError):
    """A name that is neither a file nor an id of ir_datasets."""


class MissingPartError(LirDataError):
    """A dataset that lacks what is asked of it: documents, queries, judgements, a run."""


class MalformedLineError(LirDataError):
    """A line that cannot be read; the message gives file, line and reason."""


class UnknownIdError(LirDataError):
    """An id of a document or query that its collection does not have."""


class EmptyRunError(LirDataError):
    """A run without a line."""


class UnknownMeasureError(LirDataError):
    """A measure that ir-measures does not know."""


class ArgumentError(LirDataError):
    """An argument outside of what is allowed."""


class OutputExistsError(LirDataError):
    """A file that would be overwritten."""


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the choice nearest to ``name``, or nothing."""
    near = get_close_matches(str(name), list(choices), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def check_choice(owner: str, argument: str, value: object, allowed: tuple[str | None, ...]) -> None:
    """Refuse a value that is not among the allowed ones."""
    if value not in allowed:
        names = ", ".join("None" if item is None else f"'{item}'" for item in allowed)
        near = did_you_mean(value, [item for item in allowed if item])
        raise ArgumentError(f"{owner}: {argument} is {value!r}; it must be one of {names}.{near}")


def check_count(owner: str, argument: str, value: int | None) -> int | None:
    """Return a positive count or None; -1 means None, as in other frameworks."""
    if value == -1:
        return None
    if value is not None and value < 1:
        raise ArgumentError(f"{owner}: {argument} is {value}; it must be at least 1, or None for all.")
    return value
