"""The errors of lir-index: each text is a sentence for the user."""

import difflib
from collections.abc import Iterable


class LirIndexError(Exception):
    """Base of every error that lir-index raises on purpose.

    Args:
        message: What is wrong, the value seen, what would be right.
        hint: A way out, shown on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ArgumentError(LirIndexError):
    """An argument has a value that it cannot have."""


class EmbeddingsError(LirIndexError):
    """Embeddings of another form or dimension, or with a value that is no finite number."""


class DocumentIdError(LirIndexError):
    """A document id is no text, is empty, or occurs twice."""


class PartsError(LirIndexError):
    """The parts are missing, unfinished, damaged, or were made by another run."""


class DamagedPartsError(PartsError):
    """A file of the parts is missing or is not as it was written."""


class NoIndexError(LirIndexError):
    """There is no index in the folder."""


class DamagedIndexError(LirIndexError):
    """A file of the index is missing or is not as it was written."""


class ForeignIndexError(LirIndexError):
    """The folder holds something else than an index of lir."""


class IndexVersionError(LirIndexError):
    """The index has a format version that this version of lir-index does not read."""


class UnknownKindError(LirIndexError):
    """There is no index kind of that name."""


class IndexExistsError(LirIndexError):
    """An index would be overwritten, unasked."""


class UnsupportedError(LirIndexError):
    """The index kind cannot do what is asked of it."""


class BusyIndexError(LirIndexError):
    """Another process is changing the index."""


class OtherModelError(LirIndexError):
    """The index was built with another model than the one that searches it."""


class RunFileError(LirIndexError):
    """A run file exists already, or cannot hold what it is given."""


class StorageError(LirIndexError):
    """The operating system refuses to write: no space, no permission."""


class MissingExtraError(LirIndexError, ImportError):
    """An optional dependency is not installed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Name the nearest valid name, as the end of an error message; empty where nothing is near."""
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{nearest[0]}'?" if nearest else ""
