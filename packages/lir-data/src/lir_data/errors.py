"""The errors of lir-data: each text is a sentence for the user."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# Of many ids that are not there, so many are named.
_NAMED = 3


class LirDataError(Exception):
    """Base of every error that lir-data raises on purpose.

    Args:
        message: What is wrong, the value seen, what would be right.
        hint: A way out, shown on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ArgumentError(LirDataError):
    """An argument outside of what is allowed."""


class SourceNotFoundError(LirDataError):
    """A name that is neither a file nor an id of ir_datasets."""


class UnreadableSourceError(LirDataError):
    """A file or dataset that is there, or ought to be, but cannot be read."""


class MissingPartError(LirDataError):
    """A dataset that lacks what is asked of it: documents, queries, judgements, a run."""


class MalformedLineError(LirDataError):
    """A line that cannot be read; the message gives file, line and reason."""


class UnusableLineError(Exception):
    """Why a line, or a row of a table, cannot be read: the end of a sentence that begins with its place."""


class UnknownIdError(LirDataError):
    """An id of a document or query that its collection does not have."""


class EmptySourceError(LirDataError):
    """A file without a line: an empty run, empty judgements."""


class UnknownMeasureError(LirDataError):
    """A measure that ir-measures does not know, or cannot compute here."""


class OutputExistsError(LirDataError):
    """A file that would be overwritten."""


class UnwritableOutputError(LirDataError):
    """A file that cannot be written."""


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the choice nearest to ``name``, or nothing."""
    near = get_close_matches(str(name), list(choices), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def unknown_ids(kind: str, unknown: Sequence[str], source: object, asker: str | None = None) -> UnknownIdError:
    """Return the error about ids that a source does not have.

    Args:
        kind: What the ids name: ``document`` or ``query``.
        unknown: The ids, at least one; the first are named, the others counted.
        source: Where they were looked for.
        asker: Where they come from, such as ``the run 'bm25.run'``.
    """
    first, *others = unknown
    named = [f"'{name}'" for name in others[: _NAMED - 1]]
    if len(others) > len(named):
        named.append(f"{len(others) - len(named)} more")
    nor = f", nor {', '.join(named[:-1])}{' and ' if named[1:] else ''}{named[-1]}," if named else ""
    but = f", but {asker} names {'them' if others else 'it'}" if asker else ""
    return UnknownIdError(f"There is no {kind} '{first}'{nor} in '{source}'{but}.")
