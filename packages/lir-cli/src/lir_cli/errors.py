"""The errors of lir-cli: each text is a sentence for the user."""


class LirCliError(Exception):
    """Base of every error that lir-cli raises on purpose.

    Args:
        message: What is wrong, the value seen, what would be right.
        hint: A way out, shown on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
