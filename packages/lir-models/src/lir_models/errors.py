"""The errors of lir-models: each text is a sentence for the user."""

from collections.abc import Iterable
from difflib import get_close_matches


class LirModelsError(Exception):
    """Base of every error that lir-models raises on purpose.

    Args:
        message: What is wrong, the value seen, what would be right.
        hint: A way out, shown on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(LirModelsError):
    """A configuration that names something unknown or contradicts itself."""


class ModelNotFoundError(LirModelsError):
    """A model reference that leads to no files."""


class CheckpointError(LirModelsError):
    """Files that are damaged, incomplete or of a kind that cannot be read."""


class WrongModelKindError(LirModelsError):
    """A cross-encoder where a bi-encoder is needed, or the other way round."""


class InputError(LirModelsError):
    """Texts that cannot be scored as they were given."""


class MissingExtraError(LirModelsError):
    """A package that is not installed, since most users do without."""


class OutputExistsError(LirModelsError):
    """A folder that would be overwritten."""


class ForeignFolderError(OutputExistsError):
    """A folder that would be replaced or removed, and holds what lir did not put there."""


class UnwritableOutputError(LirModelsError):
    """A folder that cannot be written, as on a full disk."""


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the choice nearest to ``name``, or nothing."""
    near = get_close_matches(str(name), list(choices), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
