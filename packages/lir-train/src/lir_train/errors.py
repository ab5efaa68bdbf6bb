"""The errors of lir-train: each text is a sentence for the user."""

from collections.abc import Iterable
from difflib import get_close_matches


class LirTrainError(Exception):
    """Base of every error that lir-train raises on purpose.

    Args:
        message: What is wrong, the value seen, what would be right.
        hint: A way out, shown on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ArgumentError(LirTrainError):
    """An argument outside of what is allowed."""


class WrongStageError(LirTrainError):
    """A stage that the module, the data or the callbacks given cannot do."""


class TargetsMissingError(LirTrainError):
    """Training data that says nothing of what is to be learnt."""


class EmptyDatasetError(LirTrainError):
    """Training data without a sample."""


class NothingToLearnError(LirTrainError):
    """Data from which a loss cannot learn anything."""


class DivergedError(LirTrainError):
    """A loss that is no number any more."""


class NotFiniteError(LirTrainError):
    """A model whose scores are no numbers, or infinite."""


class CheckpointError(LirTrainError):
    """A checkpoint of a training that is missing, damaged or of something else."""


class ForeignFileError(LirTrainError):
    """Something among the checkpoints of a training that lir did not put there, and does not remove."""


class RankEndedError(LirTrainError):
    """One of several processes that work together has ended, and so do the others."""


class OutOfMemoryError(LirTrainError):
    """A step that does not fit in memory."""


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the choice nearest to ``name``, or nothing."""
    near = get_close_matches(str(name), list(choices), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
