"""The errors of lir-train: each text is a sentence for the user."""


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
